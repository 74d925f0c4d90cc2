"""What a project holds is this repository's own, but for what differs by intention."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from cotpd.code_record import CODE_RECORD, compute_digests, is_code
from cotpd.config import Params, load_params
from cotpd.pipeline.params_file import write_params
from cotpd.scaffold.first_look import look_at_nothing
from cotpd.scaffold.project_files import build_project_files

ROOT = Path(__file__).parents[2]
FOLDERS = {"expectations": "expectations", "prompts": "cotpd/prompts/default", ".dvc/plots": ".dvc/plots"}
SAME = ("prefect.toml", "registry/gate.yaml", ".gitignore", ".dvc/config", "expectations", "prompts", ".dvc/plots")


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return build_project_files(look_at_nothing(None, "posts"), name="mine")


def read_own(name: str) -> dict[str, str]:
    """Return the repository's file, or the files of its folder, by their paths in a project."""
    source = ROOT / FOLDERS.get(name, name)
    if source.is_file():
        return {name: source.read_text("utf-8")}
    return {f"{name}/{path.name}": path.read_text("utf-8") for path in source.iterdir()}


@pytest.mark.parametrize("name", SAME)
def test_a_file_that_needs_no_change_is_the_repositorys_own_to_the_sign(files: dict[str, str], name: str) -> None:
    repository_files = read_own(name)

    in_project = {path: text for path, text in files.items() if path == name or path.startswith(f"{name}/")}

    assert repository_files
    assert in_project == repository_files


def test_the_graph_has_the_repositorys_stages_with_a_digest_in_place_of_modules(files: dict[str, str]) -> None:
    expected = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))
    for name, stage in expected["stages"].items():
        asks = "cotpd/prompts" in stage["deps"]
        stage["deps"] = sorted([dep for dep in stage["deps"] if not is_code(dep)] + ["prompts"] * asks)
        stage["params"].append({CODE_RECORD: [name]})

    graph = yaml.safe_load(files["dvc.yaml"])

    for stage in graph["stages"].values():
        stage["deps"] = sorted(stage["deps"])
    assert graph == expected


def test_the_record_has_a_digest_for_each_stage(files: dict[str, str]) -> None:
    record = yaml.safe_load(files[CODE_RECORD])

    assert compute_digests().items() <= record.items()
    assert set(compute_digests()) == set(yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"])


def test_the_parameters_are_rendered_as_the_repositorys_are(files: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(files["params.yaml"], "utf-8")
    before = load_params(path)

    write_params(path)

    body, rewritten = (text[text.index("task:") :] for text in (files["params.yaml"], path.read_text("utf-8")))
    assert rewritten == body
    assert load_params(path) == before
    changed = {key for key, value in before.model_dump().items() if value != Params().model_dump()[key]}
    assert changed == {"data", "caption", "ask", "augment", "llm_row"}


def test_the_deployments_name_flows_that_can_be_imported_from_anywhere(files: dict[str, str]) -> None:
    from prefect.flows import load_flow_from_entrypoint

    entrypoints = {row["entrypoint"] for row in yaml.safe_load(files["prefect.yaml"])["deployments"]}

    flows = [load_flow_from_entrypoint(entrypoint) for entrypoint in sorted(entrypoints)]

    assert not any(":" in entrypoint or "/" in entrypoint for entrypoint in entrypoints)
    assert {flow.name for flow in flows} == {"cotpd", "cotpd-score", "cotpd-promote", "cotpd-study"}


def test_the_readme_is_one_page_without_a_gap(files: dict[str, str]) -> None:
    lines = files["README.md"].splitlines()

    assert len(lines) < 80
    assert "{{" not in files["README.md"]
    assert "\n\n\n" not in files["README.md"]


@pytest.mark.parametrize(
    ("tool", "name"), [("doccano", "suggestions.jsonl"), ("label-studio", "suggestions.json")]
)
def test_the_readme_names_a_file_of_suggestions_with_the_ending_of_its_tool(tool: str, name: str) -> None:
    look = replace(look_at_nothing(None, "posts"), facts={"format": tool})

    readme = build_project_files(look, name="mine")["README.md"]

    assert f"--to {tool} > {name} " in readme


# the workflows


@pytest.fixture
def workflows(files: dict[str, str], tmp_path: Path) -> list[str]:
    """The paths of the project's workflow and of the repository's own."""
    path = tmp_path / ".github/workflows/project.yml"
    path.parent.mkdir(parents=True)
    path.write_text(files[".github/workflows/project.yml"], "utf-8")
    return [str(path), *map(str, (ROOT / ".github/workflows").glob("*.yml"))]


def test_the_workflow_tests_looks_for_stale_stages_and_posts_the_difference(workflows: list[str]) -> None:
    job = yaml.safe_load(Path(workflows[0]).read_text("utf-8"))["jobs"]["check"]

    commands = " ".join(step.get("run", "") for step in job["steps"])

    for command in ("pytest", "dvc repro --dry --allow-missing", "dvc metrics diff", "gh pr comment"):
        assert command in commands


def test_the_workflows_follow_githubs_schema(workflows: list[str]) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows]

    process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    assert process.returncode == 0, process.stdout


@pytest.mark.skipif(shutil.which("actionlint") is None, reason="actionlint is not installed")
def test_actionlint_finds_nothing_in_the_workflows(workflows: list[str]) -> None:
    process = subprocess.run(
        ["actionlint", *workflows], capture_output=True, text=True, check=False, timeout=120, env={**os.environ}
    )

    assert process.returncode == 0, process.stdout
