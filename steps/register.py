"""register: put the student into the MLflow registry, with all that made it."""

from dataclasses import asdict

from cotpd.config import Params
from cotpd.data.records import SPLITS
from cotpd.data.tables import write_json
from cotpd.registry.pack import register
from steps.common import (
    AUGMENTED,
    BASELINE,
    EVALUATION,
    METRICS,
    PREPARED,
    REGISTERED,
    STUDENT,
    TEACHERS,
    VALIDATED,
    main,
    read_json,
    say,
)


def run(params: Params) -> None:
    """Log an MLflow run, register a version and write reports/registered.json, which names it."""
    tables = [
        *(PREPARED / f"{split}.jsonl" for split in SPLITS),
        VALIDATED / "captions.jsonl",
        VALIDATED / "knowledge.jsonl",
        AUGMENTED / "augmented.jsonl",
    ]
    trained = [STUDENT, BASELINE, *sorted(TEACHERS.glob("[0-9]*"))]
    registered = register(
        params,
        STUDENT,
        read_json(METRICS),
        evaluation=EVALUATION,
        trained=trained,
        tables=[table for table in tables if table.is_file()],
    )
    write_json(REGISTERED, asdict(registered))
    say(f"register: {registered.name} version {registered.version} is {registered.alias}: {registered.uri}")


if __name__ == "__main__":
    main(run)
