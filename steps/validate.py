"""validate: check captions and answers with Great Expectations; what fails goes to quarantine with its reason."""

from cotpd.config import Params
from cotpd.data.records import Quarantined
from cotpd.data.tables import write_table
from cotpd.errors import ValidationError
from cotpd.expectations import validate_captions
from cotpd.expectations.docs import build_docs, make_context
from cotpd.images.picture_encoder import build_picture_encoder
from cotpd.knowledge.retry import validate_with_retries
from cotpd.pipeline.workspace import Workspace
from cotpd.storage import report_full_disk
from steps.common import main, say


def run(params: Params) -> None:
    """Write data/validated (captions, knowledge and quarantine tables) and reports/checks (Data Docs).

    Raises:
        ValidationError: More than ``validate.max_failed_share`` of the rows failed; the quarantine says which.
    """
    workspace, context = Workspace(), make_context()
    quarantine = workspace.validated / "quarantine.jsonl"
    posts, unchecked = workspace.read_all_posts(), workspace.read_unchecked_captions()
    captions_of = {row.id: row.caption for row in unchecked}

    bad_captions: list[Quarantined] = []
    try:
        captions, bad_captions = validate_captions(unchecked, posts, params.validate_, context)
        answers = workspace.read_answers()
        knowledge, bad_answers, replaced = validate_with_retries(
            answers,
            posts,
            captions_of,
            params=params.validate_,
            ask_params=params.ask,
            llm=params.llm,
            encode_picture=build_picture_encoder(params.data, params.llm),
            context=context,
        )
    except ValidationError as error:
        write_table(quarantine, [*bad_captions, *error.rows])
        reports = f"Every failing row is in {quarantine}, every check in {workspace.checks / 'index.html'}."
        raise ValidationError(error.problem, f"{error.remedy}\n  {reports}") from None
    finally:
        with report_full_disk(workspace.checks):
            build_docs(context, workspace.checks)

    write_table(workspace.validated / "captions.jsonl", captions)
    write_table(workspace.validated / "knowledge.jsonl", knowledge)
    write_table(quarantine, [*bad_captions, *bad_answers])
    say(
        f"validate: {len(knowledge)} answers and {len(captions)} captions hold, "
        f"{len(bad_answers)} and {len(bad_captions)} quarantined"
        + (f", {replaced} answers asked for again" if replaced else "")
    )


if __name__ == "__main__":
    main(run)
