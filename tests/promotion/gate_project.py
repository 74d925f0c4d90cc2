"""A project for tests of the gate: held-out posts, and students registered with the files that the gate reads."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from cotpd.config import Params
from cotpd.data.data_checks import DATA_CHECKS, CheckedTable, DataChecks
from cotpd.data.post_hashes import TRAINING_POSTS, PostHashes
from cotpd.data.records import Post
from cotpd.data.tables import write_json, write_table
from cotpd.pipeline.registration import register_student
from cotpd.promotion.gate_verdict import Verdict
from cotpd.registry.aliases import move_champion
from cotpd.registry.moves import Decision, MoveKind
from cotpd.registry.versions import list_versions
from tests.builders import build_post

NAME = "cotpd-ner"
HELD_OUT = Path("data/prepared/test.jsonl")
TRAINING = (build_post("[Bo](PER) joined [Initech](ORG) in spring", id="t", relations=[(0, 1, "member")]),)
CHECKS = DataChecks(tables=(CheckedTable(name="posts", rows=100, failed=2),))
QUICK_RULES = "resamples: 1000\ncost: null\ncard: null\n"  # tiny encoders have no licence to put on a card


def build_held_out(count: int = 40) -> list[Post]:
    """Build posts that the students of tests/trained_students.py label right; half of them have a picture."""
    return [
        build_post(
            "[Ada](PER) works for [Acme](ORG) in Rome",
            id=f"h{number}",
            relations=[(0, 1, "member")],
            **({"image": "a.jpg"} if number % 2 else {}),
        )
        for number in range(count)
    ]


def write_project(folder: Path, *, task: str = "ner", rules: str = QUICK_RULES) -> None:
    """Write params.yaml, the rules, and a prepared test split."""
    (folder / "params.yaml").write_text(f"task: {task}\n")
    (folder / "registry").mkdir(exist_ok=True)
    (folder / "registry/gate.yaml").write_text(rules)
    write_table(folder / HELD_OUT, build_held_out())
    write_json(folder / HELD_OUT.parent / "summary.json", {})


def register(
    folder: Path,
    student: Path,
    scratch: Path,
    *,
    task: str = "ner",
    training: Iterable[Post] | None = TRAINING,
    checks: DataChecks | None = CHECKS,
    tables: Iterable[Path] = (HELD_OUT,),
    name: str | None = None,
) -> int:
    """Register a student as a new version, the challenger; return its number. None leaves a file out."""
    scratch.mkdir(exist_ok=True)
    files: list[Path] = []
    if training is not None:
        PostHashes.build(list(training)).write(scratch / TRAINING_POSTS)
        files.append(scratch / TRAINING_POSTS)
    if checks is not None:
        checks.write(scratch / DATA_CHECKS)
        files.append(scratch / DATA_CHECKS)
    section: Mapping[str, Any] = {"register": {"name": name}} if name else {}
    params = Params.model_validate({"task": task, **section})
    return register_student(params, student, {}, tables=list(tables), evidence=files, root=folder).version


def move_to(client: MlflowClient, number: int, name: str = NAME) -> None:
    """Make a version champion without a gate."""
    decision = Decision(MoveKind.PROMOTION)
    move_champion(client, name, number, expected_champion=find_champion(client, name), decision=decision)


def find_champion(client: MlflowClient, name: str = NAME) -> int | None:
    return next((version.number for version in list_versions(client, name) if "champion" in version.aliases), None)


def list_failures(verdict: Verdict) -> set[str]:
    return {result.title for result in verdict.list_failures()}
