"""ask: put the chain-of-thought questions to the LLM, or take the answers that the ledger already holds."""

from cotpd.config import Params
from cotpd.data.records import Answer, Caption
from cotpd.data.tables import read_table, write_table
from cotpd.errors import LlmError
from cotpd.llm.ask import ask_all
from cotpd.llm.questions import knowledge_requests
from steps.common import ANSWERS, CAPTIONS, all_posts, main, say


def run(params: Params) -> None:
    """Write data/answers.jsonl: raw Answer records, those that came with the data set first.

    Raises:
        LlmError: More than ``ask.max_failed_share`` of the requests were not answered.
    """
    posts = all_posts()
    captions = {row.id: row.caption for row in read_table(CAPTIONS, Caption)}
    brought = [
        Answer(id=post.id, kind=kind, text=text, source="dataset")
        for post in posts
        for kind, text in post.knowledge.items()
    ]
    requests = list(knowledge_requests(posts, captions, params.ask))
    result = ask_all(requests, params.llm)
    write_table(ANSWERS, [*brought, *result.answers])
    say(
        f"ask: {len(requests)} requests: {result.from_ledger} answered from the ledger, {result.asked} asked, "
        f"{len(result.failed)} failed; {len(brought)} answers came with the data"
    )
    if len(result.failed) > params.ask.max_failed_share * len(requests):
        raise LlmError(
            f"{len(result.failed)} of {len(requests)} requests failed, first: {result.failed[0].reason}",
            "Every answer so far is in the ledger: mend the cause and run again, or raise ask.max_failed_share.",
        )


if __name__ == "__main__":
    main(run)
