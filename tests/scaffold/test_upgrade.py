"""A project and the code that is installed: a difference stops the steps, and one command takes it over."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cotpd import code_record
from cotpd.cli.main import app
from cotpd.cli.params_editor import write_values
from cotpd.code_record import CODE_RECORD, compute_digests, digest_text, explain_other_code, read_code_record
from cotpd.config import load_params
from cotpd.doctor.finding import Status
from cotpd.doctor.project import check_code
from cotpd.errors import ConfigError
from cotpd.scaffold.creation import create_project
from steps.graph import is_up_to_date


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that waits for its posts."""
    create_project(tmp_path / "mine")
    return tmp_path / "mine"


def write_former_record(project: Path, changes: Mapping[str, str]) -> None:
    """Make the record one of a former version, which differs in some values."""
    record = read_code_record(project) | {"cotpd": "0.0.9"} | changes
    (project / CODE_RECORD).write_text(yaml.safe_dump(dict(record)), "utf-8")


def upgrade(project: Path) -> str:
    printed = CliRunner().invoke(app, ["init", "--upgrade", str(project)], catch_exceptions=False)
    assert printed.exit_code == 0, printed.output
    return printed.stdout


def find_code_status(project: Path) -> Status:
    (finding,) = check_code(project)
    return finding.status


def test_a_new_project_is_of_the_installed_code(project: Path) -> None:
    assert explain_other_code(project) is None
    assert find_code_status(project) is Status.OK


def test_no_step_runs_with_other_code_and_the_message_names_both_versions_and_the_stages(project: Path) -> None:
    write_former_record(project, {"train": "0", "evaluate": "0"})

    process = subprocess.run(
        [sys.executable, "-m", "steps.prepare"], cwd=project, capture_output=True, text=True, timeout=120
    )

    assert process.returncode == 1
    assert "of cotpd 0.0.9" in process.stderr
    assert "other code for train, evaluate" in process.stderr
    assert "cotpd init --upgrade" in process.stderr
    assert find_code_status(project) is Status.PROBLEM


def test_a_version_without_a_difference_in_the_steps_stops_nothing(project: Path) -> None:
    write_former_record(project, {})

    assert explain_other_code(project) is None


def test_an_upgrade_names_the_stages_that_run_again_and_keeps_what_is_the_users(project: Path) -> None:
    write_former_record(project, {"train": "0"})
    (project / "prompts/noun.txt").write_text("mine", "utf-8")
    write_values(project / "params.yaml", {"seed": 7})

    printed = upgrade(project)

    assert "from cotpd 0.0.9; stages whose code has changed: train\n" in printed
    assert explain_other_code(project) is None
    assert (project / "prompts/noun.txt").read_text("utf-8") == "mine"
    assert load_params(project / "params.yaml").seed == 7


def test_dvc_sees_the_change_of_one_stage_and_no_other(project: Path) -> None:
    graph = {"stages": {name: build_stage(name) for name in ("baseline", "train")}}
    (project / "dvc.yaml").write_text(yaml.safe_dump(graph), "utf-8")
    subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], cwd=project, check=True, timeout=120)

    write_former_record(project, {"train": "0"})

    assert [name for name in graph["stages"] if not is_up_to_date(name, project)] == ["train"]


def build_stage(name: str) -> dict[str, object]:
    return {"cmd": f"echo {name} > {name}.txt", "params": [{CODE_RECORD: [name]}], "outs": [f"{name}.txt"]}


def test_a_parameter_that_is_new_is_added_and_the_comments_stay(project: Path) -> None:
    path = project / "params.yaml"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("  held_out:")) + "# mine\n", "utf-8")

    printed = upgrade(project)

    assert "params.yaml: data.held_out: null, which is new" in printed
    assert "held_out" in yaml.safe_load(path.read_text("utf-8"))["data"]
    assert "# mine" in path.read_text("utf-8")


def test_an_edited_graph_stays_and_the_new_one_lies_beside_it(project: Path) -> None:
    path = project / "dvc.yaml"
    current = path.read_text("utf-8")
    path.write_text(current + "# mine\n", "utf-8")
    write_former_record(project, {"dvc.yaml": "0"})

    printed = upgrade(project)

    assert "take over what differs in dvc.yaml.new" in printed
    assert path.read_text("utf-8") == current + "# mine\n"
    assert (project / "dvc.yaml.new").read_text("utf-8") == current


def test_a_graph_as_the_former_version_wrote_it_is_replaced(project: Path) -> None:
    path = project / "dvc.yaml"
    current = path.read_text("utf-8")
    former = current.replace("desc: Put each picture", "desc: Put every picture")
    path.write_text(former, "utf-8")
    write_former_record(project, {"dvc.yaml": digest_text(former)})

    upgrade(project)

    assert path.read_text("utf-8") == current
    assert not (project / "dvc.yaml.new").exists()


@pytest.mark.parametrize("content", ["[", "- a", "\x00"])
def test_a_damaged_record_is_an_error_with_a_remedy(project: Path, content: str) -> None:
    (project / CODE_RECORD).write_text(content, "utf-8")

    with pytest.raises(ConfigError, match="no record of the code"):
        explain_other_code(project)


def test_the_command_that_a_damaged_record_names_writes_it_anew(project: Path) -> None:
    (project / CODE_RECORD).write_text("<<<<<<< HEAD\n", "utf-8")

    printed = upgrade(project)

    assert "from cotpd of an unknown version" in printed
    assert explain_other_code(project) is None
    assert not (project / "dvc.yaml.new").exists()


def test_a_folder_that_is_no_project_cannot_be_upgraded_and_a_checkout_has_no_record(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("task: ner\n", "utf-8")

    printed = CliRunner().invoke(app, ["init", "--upgrade", str(tmp_path)])

    assert isinstance(printed.exception, ConfigError)
    assert (tmp_path / "params.yaml").read_text("utf-8") == "task: ner\n"
    assert list(check_code(tmp_path)) == []


def test_a_change_of_a_module_changes_the_digests_of_the_stages_that_import_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cotpd", "steps"):
        shutil.copytree(code_record.CODE / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    before = compute_digests()
    monkeypatch.setattr(code_record, "CODE", tmp_path)
    (tmp_path / "cotpd/data/readers/jsonl.py").open("a").write("# changed\n")

    after = compute_digests()

    assert [stage for stage in before if after[stage] != before[stage]] == ["prepare"]


@pytest.mark.parametrize("name", ["steps/mine.py", "flows/mine.py", "steps.py"])
def test_doctor_names_a_folder_of_the_users_that_hides_the_steps(project: Path, name: str) -> None:
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text("", "utf-8")

    findings = [finding for finding in check_code(project) if finding.status is Status.PROBLEM]

    assert [finding.remedy for finding in findings] == ["Rename it."]
