"""ask: put the chain-of-thought questions to the LLM, or take the answers that the ledger already holds."""

from itertools import chain

from cotpd.config import Params
from cotpd.counts import format_count
from cotpd.data.records import Answer
from cotpd.data.tables import write_table
from cotpd.engine.ordered_map import open_engine
from cotpd.images.picture_encoder import build_picture_encoder
from cotpd.knowledge.questions import build_questions, find_missing_knowledge
from cotpd.llm.answer_reader import build_dataset_answer, read_answers
from cotpd.llm.ask import ask
from cotpd.llm.outcome import require_answers
from cotpd.pipeline.workspace import Workspace
from steps.common import main, say


def run(params: Params) -> None:
    """Write data/answers.jsonl: raw Answer records, those that came with the data set first.

    Raises:
        LlmError: More than ``ask.max_failed_share`` of the requests were not answered.
    """
    workspace, show_picture = Workspace(), build_picture_encoder(params.data, params.llm)
    posts = workspace.read_all_posts()
    captions = {row.id: row.caption for row in workspace.read_unchecked_captions()}
    dataset_answers: list[Answer] = []
    for post in posts:
        dataset_answers += [build_dataset_answer(post.id, kind, text) for kind, text in post.knowledge.items()]

    total = sum(1 for _ in find_missing_knowledge(posts, captions, params.ask, show_picture)) * params.ask.answers
    questions = build_questions(posts, captions, params.ask, show_picture)
    with open_engine(params.scale) as engine:
        outcome = ask(questions, params.llm, total=total, engine=engine)
    write_table(workspace.answers, chain(dataset_answers, read_answers(outcome, params.llm)))

    failed, count = outcome.list_quarantined("ask"), len(outcome.questions)
    from_data = format_count(len(dataset_answers), "answer")
    say(
        f"ask: {format_count(count, 'request')}: {outcome.from_ledger} answered from the ledger, "
        f"{outcome.from_server} asked, {len(failed)} failed; {from_data} came with the data"
    )
    require_answers(failed, count, params.ask.max_failed_share, "ask.max_failed_share")


if __name__ == "__main__":
    main(run)
