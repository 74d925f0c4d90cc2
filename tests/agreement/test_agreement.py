"""Whatever happens between two runs, both doors agree on what is up to date, and outputs are those of a fresh run."""

import os
import random
from collections.abc import Callable

import pytest

from steps.graph import is_up_to_date
from tests.agreement.doors import DOORS, run_door
from tests.agreement.operations import draw_operations
from tests.agreement.project import CONCURRENCY, STAGES, Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
SEQUENCES = int(os.environ.get("COTPD_STRESS", "3"))  # make stress: 100
RUNS = 2 if "COTPD_STRESS" in os.environ else 1  # runs within a sequence


@pytest.mark.parametrize("seed", range(SEQUENCES))
def test_both_doors_agree_after_any_sequence(
    project: Project, record_property: Callable[[str, object], None], seed: int
) -> None:
    draw = random.Random(seed)
    bought_twice = project.count_bought_twice()
    operations = draw_operations(draw, seed, RUNS)
    kills = sum(operation.__name__ == "kill" for operation in operations)
    for name, count in {"sequences": 1, "operations": len(operations), "kills": kills}.items():
        record_property(name, count)
    history = [f"{operation.__name__}: {operation(project, draw)}" for operation in operations]
    first, second = draw.sample(DOORS, 2)

    history.append(f"{first} executes {run_door(project, first)}")

    problems = [f"{stage} is changed after {first}" for stage in STAGES if not is_up_to_date(stage, project.root)]
    if again := run_door(project, second):
        problems.append(f"{second} executes {again} after {first}")
    problems += list_differences(project.digest_outputs(), project.digest_fresh_run())
    if project.count_bought_twice() - bought_twice > kills * CONCURRENCY:
        problems.append(f"{project.count_bought_twice() - bought_twice} answers were bought twice, {kills} kills")
    assert problems == [], "\n".join(history)


def list_differences(outputs: dict[str, str], fresh: dict[str, str]) -> list[str]:
    """Return the output files whose content is not that of a fresh run."""
    names = sorted(name for name in outputs.keys() | fresh.keys() if outputs.get(name) != fresh.get(name))
    return [f"{name} is not as in a fresh run" for name in names]
