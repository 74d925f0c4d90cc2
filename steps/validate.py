"""validate: check captions and answers with Great Expectations; what fails goes to quarantine with its reason."""

from cotpd.config import Params
from cotpd.data.records import Answer, Caption
from cotpd.data.tables import read_table, write_table
from cotpd.expectations import validate_answers, validate_captions
from steps.common import ANSWERS, CAPTIONS, VALIDATED, all_posts, main, say


def run(params: Params) -> None:
    """Write data/validated: captions, knowledge and quarantine tables.

    Raises:
        ValidationError: More than ``validate.max_failed_share`` of the rows failed.
    """
    posts = all_posts()
    captions, bad_captions = validate_captions(read_table(CAPTIONS, Caption), posts, params.validate_)
    knowledge, bad_answers = validate_answers(read_table(ANSWERS, Answer), posts, params.validate_)
    write_table(VALIDATED / "captions.jsonl", captions)
    write_table(VALIDATED / "knowledge.jsonl", knowledge)
    write_table(VALIDATED / "quarantine.jsonl", [*bad_captions, *bad_answers])
    say(
        f"validate: {len(knowledge)} answers and {len(captions)} captions hold, "
        f"{len(bad_answers)} and {len(bad_captions)} quarantined"
    )


if __name__ == "__main__":
    main(run)
