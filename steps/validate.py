"""validate: check captions and answers with Great Expectations; what fails goes to quarantine with its reason."""

from cotpd.config import Params
from cotpd.data.records import Answer, Caption, Quarantined
from cotpd.data.tables import read_table, write_table
from cotpd.errors import ValidationError
from cotpd.expectations import validate_captions
from cotpd.expectations.docs import build_docs, make_context
from cotpd.knowledge.retry import believed
from cotpd.storage import writing
from steps.common import ANSWERS, CAPTIONS, CHECKS, VALIDATED, all_posts, main, say

QUARANTINE = VALIDATED / "quarantine.jsonl"


def run(params: Params) -> None:
    """Write data/validated (captions, knowledge and quarantine tables) and reports/checks (Data Docs).

    Raises:
        ValidationError: More than ``validate.max_failed_share`` of the rows failed; the quarantine says which.
    """
    posts, context = all_posts(), make_context()
    bad_captions: list[Quarantined] = []
    described = read_table(CAPTIONS, Caption)
    captions_of = {row.id: row.caption for row in described}
    try:
        captions, bad_captions = validate_captions(described, posts, params.validate_, context)
        answers = read_table(ANSWERS, Answer)
        knowledge, bad_answers, replaced = believed(answers, posts, captions_of, params, context)
    except ValidationError as error:
        write_table(QUARANTINE, [*bad_captions, *error.rows])
        further = f"Every failing row is in {QUARANTINE}, every check in {CHECKS / 'index.html'}."
        raise ValidationError(error.problem, f"{error.remedy}\n  {further}") from None
    finally:
        with writing(CHECKS):
            build_docs(context, CHECKS)
    write_table(VALIDATED / "captions.jsonl", captions)
    write_table(VALIDATED / "knowledge.jsonl", knowledge)
    write_table(QUARANTINE, [*bad_captions, *bad_answers])
    say(
        f"validate: {len(knowledge)} answers and {len(captions)} captions hold, "
        f"{len(bad_answers)} and {len(bad_captions)} quarantined"
        + (f", {replaced} answers asked for again" if replaced else "")
    )


if __name__ == "__main__":
    main(run)
