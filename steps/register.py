"""register: put the student into the MLflow registry, with all that made it."""

from dataclasses import asdict

from cotpd.config import Params
from cotpd.data.records import SPLITS
from cotpd.data.tables import write_json
from cotpd.evaluation.results_table import read_metrics
from cotpd.registry.pack import register
from cotpd.registry.reuse import MADE_FROM, digest_inputs, reuse_version
from steps.common import (
    AUGMENTED,
    BASELINE,
    EVALUATION,
    PREPARED,
    REGISTERED,
    SCORES,
    STUDENT,
    TEACHERS,
    VALIDATED,
    main,
    say,
)


def run(params: Params) -> None:
    """Register a version and write reports/registered.json, which names it.

    Outputs that were registered before, and came back with their parameters, get no second version: the alias goes
    back to the first one.
    """
    candidates = [
        *(PREPARED / f"{split}.jsonl" for split in SPLITS),
        VALIDATED / "captions.jsonl",
        VALIDATED / "knowledge.jsonl",
        AUGMENTED / "augmented.jsonl",
    ]
    tables = [table for table in candidates if table.is_file()]
    made_from = digest_inputs(params, [STUDENT, EVALUATION, *tables])
    registered = reuse_version(params, made_from) or register(
        params,
        STUDENT,
        read_metrics(SCORES),
        evaluation=EVALUATION,
        trained=[STUDENT, BASELINE, *sorted(TEACHERS.glob("[0-9]*"))],
        tables=tables,
        extra_tags={MADE_FROM: made_from},
    )
    write_json(REGISTERED, asdict(registered))
    say(f"register: {registered.name} version {registered.version} is {registered.alias}: {registered.uri}")


if __name__ == "__main__":
    main(run)
