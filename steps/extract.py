"""extract: have the language model alone label the held-out posts (llm_row), for its row in every result."""

from cotpd.config import Params
from cotpd.data.records import Post
from cotpd.data.tables import write_json, write_table
from cotpd.engine.ordered_map import open_engine
from cotpd.errors import ValidationError
from cotpd.extraction.label_questions import LabelQuestion, build_label_questions
from cotpd.extraction.llm_labels import Extraction, extract, select_recorded
from cotpd.pipeline.training_examples import read_label_names, read_original_examples
from cotpd.pipeline.workspace import BEYOND_LIMIT, Workspace
from cotpd.student.examples import Example
from steps.common import main, say


def run(params: Params) -> None:
    """Write data/extracted: the labels of each row, what was set aside and why, and the counts.

    Without ``llm_row.enabled``, or a row to ask for, the tables are empty.

    Raises:
        LlmError: Too many requests were not answered.
        ValidationError: Too many answers cannot be used; the quarantine says which.
    """
    workspace = Workspace()
    if not params.llm_row.list_rows():
        _write(workspace, Extraction())
        reason = "llm_row names no row" if params.llm_row.enabled else "llm_row.enabled is off"
        say(f"extract: {reason}, so the language model alone is not scored")
        return
    try:
        extraction = _extract(workspace, params)
    except ValidationError as error:
        path = workspace.extracted / "quarantine.jsonl"
        write_table(path, error.rows)
        raise ValidationError(error.problem, f"{error.remedy}\n  Every rejected answer is in {path}.") from None
    _write(workspace, extraction)
    for row, counts in extraction.counts.items():
        say(f"extract: {row}: {counts.describe()}")
    say(f"extract: {extraction.from_ledger} answered from the ledger, {extraction.from_server} asked")


def list_questions(workspace: Workspace, params: Params) -> list[LabelQuestion]:
    """Return the questions for the labels of every split that is scored, whether or not they are answered."""
    examples = _read_examples(workspace, params)
    labels = read_label_names(workspace, params.task)
    pool = read_original_examples(workspace, params.task, "train")
    if not params.llm_row.caption:  # posts beyond the limit have none, and a shot without one misleads
        pool += read_original_examples(workspace, params.task, BEYOND_LIMIT)  # so that a limit changes no question
    return list(build_label_questions(examples, pool, task=params.task, labels=labels, params=params.llm_row))


def _read_examples(workspace: Workspace, params: Params) -> dict[str, list[Example]]:
    return {split: read_original_examples(workspace, params.task, split) for split in params.evaluate.splits}


def _extract(workspace: Workspace, params: Params) -> Extraction:
    with open_engine(params.scale) as engine:
        return extract(
            _select_questions(list_questions(workspace, params), params),
            _map_posts(workspace, _read_examples(workspace, params)),
            params.llm,
            params.llm_row,
            task=params.task,
            labels=read_label_names(workspace, params.task),
            max_unanswered_share=params.ask.max_failed_share,
            engine=engine,
        )


def _select_questions(questions: list[LabelQuestion], params: Params) -> list[LabelQuestion]:
    """Return the questions to ask: all, or where nothing is asked (recorded) those of wholly answered rows."""
    if params.llm_row.enabled is True:
        return questions
    selected = select_recorded(questions, params.llm)
    for row in sorted({question.row for question in questions} - {question.row for question in selected}):
        say(f"extract: {row}: not all of its answers are recorded, so it is left out (llm_row.enabled: true asks)")
    return selected


def _map_posts(workspace: Workspace, examples: dict[str, list[Example]]) -> dict[str, Post]:
    """Return the post of each example, by the example's id."""
    posts: dict[str, Post] = {}
    for split, members in examples.items():
        by_id = {post.id: post for post in workspace.read_posts(split)}
        posts |= {example.id: by_id.get(example.id) or by_id[example.id.rpartition("#")[0]] for example in members}
    return posts


def _write(workspace: Workspace, extraction: Extraction) -> None:
    write_table(workspace.extracted / "extracted.jsonl", extraction.rows)
    write_table(workspace.extracted / "quarantine.jsonl", extraction.quarantine)
    counts = {row: row_counts.as_dict() for row, row_counts in extraction.counts.items()}
    write_json(workspace.extracted / "counts.json", counts)


if __name__ == "__main__":
    main(run)
