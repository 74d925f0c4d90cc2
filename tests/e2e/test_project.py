"""A project made from the wheel, outside of this repository: from an annotation tool's export to a student and back."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cotpd.cli.params_editor import write_values
from tests.builders import read_jsonl, write_jsonl
from tests.wheels import build_wheel

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
Run = Callable[..., str]

AGREEMENT = """
from pathlib import Path
import flows.full, steps
from steps.graph import is_up_to_date, read_graph
assert flows.full.ROOT == Path.cwd(), flows.full.ROOT
print(Path(steps.__file__).parent.parent, *[step.name for step in read_graph() if not is_up_to_date(step.name)])
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """The wheel's contents, as pip lays them out in an environment."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(build_wheel(root, tmp_path_factory.mktemp("tree"))) as wheel:
        wheel.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory, encoder: Path, site: Path) -> Path:
    """A folder with an export of doccano, and a project that was made of it, with a tiny encoder."""
    folder = tmp_path_factory.mktemp("workplace")
    texts = [f"Ada visits Paris on day {number}" for number in range(24)]
    labels = [[0, 3, "PER"], [11, 16, "LOC"]]
    rows = [{"id": n, "text": text, "label": labels, "Comments": []} for n, text in enumerate(texts)]
    write_jsonl(folder / "export.jsonl", rows)
    run_outside(site, folder, "-m", "cotpd", "init", "mine", "--data", "export.jsonl")
    short = {"student": {"encoder": str(encoder)}, "baseline": {"epochs": 1}, "train": {"epochs": 1}}
    write_values(folder / "mine/params.yaml", short)
    return folder


@pytest.fixture(scope="module")
def run(site: Path, workplace: Path) -> Run:
    """Run Python in the project, with the wheel and without this repository; return its output."""
    return lambda *arguments: run_outside(site, workplace / "mine", *arguments)


def run_outside(site: Path, folder: Path, *arguments: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PYTHONPATH": str(site), "PATH": path, "HF_HUB_OFFLINE": "1"}
    process = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=800
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def reproduced(run: Run) -> str:
    """What `dvc repro` printed."""
    return run("-m", "dvc", "repro")


@pytest.mark.usefixtures("reproduced")
def test_every_stage_ran_with_the_installed_code_and_both_doors_find_nothing_to_do(run: Run, site: Path) -> None:
    again = run("-m", "dvc", "repro")
    code, *outdated = run("-c", AGREEMENT).split()

    assert "Running stage" not in again
    assert Path(code) == site
    assert outdated == []


@pytest.mark.usefixtures("reproduced")
def test_the_student_was_scored_on_posts_that_were_held_out_and_goes_back_into_the_tool(
    run: Run, workplace: Path
) -> None:
    (workplace / "more.jsonl").write_text('{"id": "new-1", "text": "Ada visits Rome"}\n', "utf-8")

    suggested = json.loads(run("-m", "cotpd", "predict", "--file", "../more.jsonl", "--to", "doccano"))

    splits = {
        split: read_jsonl(workplace / f"mine/data/prepared/{split}.jsonl") for split in ("train", "valid", "test")
    }
    metrics = json.loads((workplace / "mine/reports/metrics.json").read_text("utf-8"))
    assert sum(map(len, splits.values())) == 24
    assert all(splits.values())
    assert {"valid", "test"} <= set(metrics)
    assert suggested["text"] == "Ada visits Rome"


@pytest.mark.usefixtures("reproduced")
def test_the_projects_own_tests_pass_and_the_plan_costs_nothing(run: Run) -> None:
    run("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    planned = json.loads(run("-m", "cotpd", "plan", "--json"))

    assert planned["kinds"] == {}
