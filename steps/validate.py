"""validate: check captions and answers with Great Expectations; what fails goes to quarantine with its reason."""

from collections.abc import Sized

from cotpd.config import Params
from cotpd.counts import format_count
from cotpd.data.records import Knowledge, Quarantined
from cotpd.data.tables import write_table
from cotpd.errors import ValidationError
from cotpd.expectations import validate_captions
from cotpd.expectations.docs import record_checks
from cotpd.images.picture_encoder import build_picture_encoder
from cotpd.knowledge.retry import validate_with_retries
from cotpd.pipeline.workspace import QUARANTINE, Workspace
from steps.common import main, say


def run(params: Params) -> None:
    """Write data/validated (captions, knowledge and quarantine tables) and reports/checks (Data Docs).

    Raises:
        ValidationError: More than ``validate.max_failed_share`` of the rows failed; the quarantine says which.
    """
    workspace, bad_captions = Workspace(), list[Quarantined]()
    with record_checks(workspace.checks) as context:
        posts, unchecked = workspace.read_all_posts(), workspace.read_unchecked_captions()
        try:
            captions, bad_captions = validate_captions(unchecked, posts, params.validate_, context)
            knowledge, bad_answers, replaced = validate_with_retries(
                workspace.read_answers(),
                posts,
                {row.id: row.caption for row in unchecked},
                params=params.validate_,
                ask_params=params.ask,
                llm=params.llm,
                encode_picture=build_picture_encoder(params.data, params.llm),
                context=context,
            )
        except ValidationError as error:
            write_table(workspace.validated / QUARANTINE, [*bad_captions, *error.rows])
            raise _name_reports(error, workspace) from None

    write_table(workspace.validated / "captions.jsonl", captions)
    write_table(workspace.validated / "knowledge.jsonl", knowledge)
    write_table(workspace.validated / QUARANTINE, [*bad_captions, *bad_answers])
    counts = _format_counts(_count_answers(knowledge), len(captions))
    say(f"validate: {counts} passed{_count_replaced(replaced)}")
    _say_what_failed(bad_answers, bad_captions, workspace)


def _say_what_failed(answers: Sized, captions: Sized, workspace: Workspace) -> None:
    if answers or captions:
        counts = _format_counts(len(answers), len(captions))
        say(f"validate: {counts} set aside, see {workspace.validated / QUARANTINE}")


def _format_counts(answers: int, captions: int) -> str:
    return f"{format_count(answers, 'answer')} and {format_count(captions, 'caption')}"


def _name_reports(error: ValidationError, workspace: Workspace) -> ValidationError:
    """Return the error with the files that say which rows failed, and why."""
    rows, checks = workspace.validated / QUARANTINE, workspace.checks / "index.html"
    reports = f"Every failing row is in {rows}, every check in {checks}."
    return ValidationError(error.problem, f"{error.remedy}\n  {reports}")


def _count_answers(knowledge: list[Knowledge]) -> int:
    return sum(len(row.answers) or 1 for row in knowledge)


def _count_replaced(replaced: int) -> str:
    return f", {format_count(replaced, 'answer')} asked for again" if replaced else ""


if __name__ == "__main__":
    main(run)
