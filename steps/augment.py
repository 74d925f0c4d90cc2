"""augment: further training posts from the LLM; valid and test are never read here."""

from cotpd.augment.pipeline import augment
from cotpd.config import Params
from cotpd.data.tables import write_json, write_table
from steps.common import AUGMENTED, BEYOND_LIMIT, main, prepared, say


def run(params: Params) -> None:
    """Write data/augmented: Augmented records, what was rejected and why, and the counts."""
    augmented, quarantine, counts = augment(prepared("train"), params, prepared(BEYOND_LIMIT))
    write_table(AUGMENTED / "augmented.jsonl", augmented)
    write_table(AUGMENTED / "quarantine.jsonl", quarantine)
    write_json(AUGMENTED / "counts.json", counts)
    say(f"augment: {len(augmented)} posts made, {len(quarantine)} rejected")


if __name__ == "__main__":
    main(run)
