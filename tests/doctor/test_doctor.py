"""`cotpd doctor` as a user types it: each fault is one finding with its remedy, and the status tells a script."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from cotpd.cli.main import app
from cotpd.config import Params
from cotpd.doctor import hardware, services, shared_state
from cotpd.doctor.finding import run_checks
from cotpd.doctor.project import check_ledger, describe_postgresql
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.params import LlmParams
from cotpd.pipeline.params_file import write_params
from tests.chat_server import build_entry
from tests.postgres import create_database

NOBODY = "http://127.0.0.1:9"


def run(*options: str) -> Result:
    return CliRunner().invoke(app, ["doctor", *options], catch_exceptions=False)


def find(area: str) -> list[dict[str, str]]:
    """Run it, and return what it finds in an area and does not call ok."""
    findings = json.loads(run("--json").stdout)["findings"]
    return [finding for finding in findings if finding["area"] == area and finding["status"] != "ok"]


@pytest.fixture
def answering(serve: Callable[[int, str], str], change: Callable[[str, dict], None]) -> None:
    """A language model's server that answers."""
    change("llm", {"base_url": serve(200, '{"data": []}') + "/v1"})


@pytest.mark.usefixtures("answering")
def test_a_sound_project_passes_and_nothing_is_written(project: Path) -> None:
    before = sorted(project.rglob("*"))

    result = run()

    assert result.exit_code == 0, result.stdout
    assert result.stdout.splitlines()[-1] == "nothing would stop a run"
    assert "PROBLEM" not in result.stdout
    assert sorted(project.rglob("*")) == before


def test_each_fault_has_its_remedy_and_the_status_is_one(
    project: Path, change: Callable[[str, dict], None]
) -> None:
    change("llm", {"base_url": f"{NOBODY}/v1"})
    shutil.rmtree(project / "posts")
    shutil.rmtree(project / ".git")
    shutil.rmtree(project / ".dvc")

    result = run()

    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    for problem, remedy in (
        ("PROBLEM  git: fatal: not a git repository", "git init"),
        ("PROBLEM  dvc: ", "dvc init"),
        ("PROBLEM  data: data.path: ", "dvc pull"),
    ):
        (number,) = [number for number, line in enumerate(lines) if line.startswith(problem)]
        assert remedy in lines[number + 1]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("taks: ner\n", "taks"),
        ("<<<<<<< HEAD\ntask: ner\n=======\ntask: re\n>>>>>>> main\n", "a conflict of git's"),
        ("\t", "not YAML"),
    ],
)
def test_parameters_that_cannot_be_read_are_said_once(project: Path, content: str, problem: str) -> None:
    (project / "params.yaml").write_text(content, "utf-8")

    (finding,) = find("parameters")

    assert problem in finding["message"]
    assert finding["remedy"]


def test_a_repository_of_another_owner_names_gits_own_remedy(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "bin/git"
    script.parent.mkdir()
    script.write_text(
        "#!/bin/sh\necho \"fatal: detected dubious ownership in repository at '/x'\" >&2\nexit 128\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(script.parent), prepend=":")

    (finding,) = find("git")

    assert finding["remedy"] == f"git config --global --add safe.directory {project}"


@pytest.mark.usefixtures("answering")
@pytest.mark.parametrize(("free", "status"), [(5e8, "problem"), (2e9, "note")])
def test_little_room_on_the_disk(project: Path, monkeypatch: pytest.MonkeyPatch, free: float, status: str) -> None:
    usage = shutil.disk_usage(project)._replace(free=int(free))
    monkeypatch.setattr(hardware.shutil, "disk_usage", lambda _: usage)

    (finding,) = find("disk")

    assert finding["status"] == status
    assert f"{free / 1e9:.1f} GB free" in finding["message"]


@pytest.mark.usefixtures("answering")
def test_a_folder_that_cannot_be_written_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "models").mkdir()
    # root, as tests run in a container, may write every folder
    monkeypatch.setattr(hardware.os, "access", lambda path, mode: Path(path).name != "models")

    (finding,) = find("permissions")

    assert finding["message"] == f"{project / 'models'} cannot be written"


def test_a_damaged_answer_is_a_note_as_it_is_asked_again(project: Path) -> None:
    with Ledger("ledger.db") as ledger:
        entry = ledger.put(build_entry("an answer"))
        ledger.database.change(("UPDATE answer SET response = 'another' WHERE key = ?", (entry.key,)))

    (finding,) = find("ledger")

    assert "1 of 1 answer not as written" in finding["message"]
    assert finding["status"] == "note"


def test_a_file_that_is_no_ledger_is_a_problem(project: Path) -> None:
    (project / "ledger.db").write_text("my notes about the ledger, which are no database at all\n" * 9, "utf-8")

    (finding,) = find("ledger")

    assert "not a database" in finding["message"]
    assert finding["remedy"]


@pytest.mark.parametrize(("status", "problem"), [(401, "refuses the key"), (503, "HTTP 503")])
def test_a_language_model_that_would_not_answer_is_a_problem_where_questions_are_open(
    serve: Callable[[int, str], str], change: Callable[[str, dict], None], status: int, problem: str
) -> None:
    change("llm", {"base_url": serve(status, "{}") + "/v1"})

    finding = find("language model")[-1]

    assert finding["status"] == "problem"
    assert problem in finding["message"]


def test_no_language_model_is_needed_where_nothing_is_to_be_asked(change: Callable[[str, dict], None]) -> None:
    change("llm", {"base_url": f"{NOBODY}/v1"})
    change("ask", {"kinds": []})
    change("augment", {"kinds": []})

    assert find("language model") == []


def test_a_key_is_never_shown(
    change: Callable[[str, dict], None], serve: Callable[[int, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    change("llm", {"base_url": serve(401, "sk-very-secret") + "/v1"})

    shown = run().output + run("--json").output

    assert "OPENAI_API_KEY is set" in shown
    assert "secret" not in shown


@pytest.mark.parametrize(
    ("served", "problem"), [('"2.20.3"', "is 2.20.3, older than the client"), ("<html>", "no server answers")]
)
def test_a_prefect_server_of_another_age_or_kind_is_a_note(
    project: Path,
    serve: Callable[[int, str], str],
    monkeypatch: pytest.MonkeyPatch,
    served: str,
    problem: str,
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", serve(200, served) + "/api")

    (finding,) = find("prefect")

    assert finding["status"] == "note"
    assert problem in finding["message"]


def test_a_tracking_server_that_is_down_is_a_problem(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    finding = find("registry")[0]

    assert f"no server answers at {NOBODY}" in finding["message"]
    assert "MLFLOW_TRACKING_URI" in finding["remedy"]


def test_a_proxy_that_is_no_address_is_a_problem(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:pass word@")
    monkeypatch.setenv("https_proxy", "http://user:pass word@")

    (finding,) = find("connections")

    assert "pass" not in finding["message"].replace("passes", "")
    assert "proxy" in finding["message"]


def test_a_check_that_breaks_is_a_finding_and_hides_no_other() -> None:
    def raise_error() -> list:
        raise ZeroDivisionError("by chance")

    findings = list(run_checks([("a", raise_error), ("b", services.check_connections)]))

    assert findings[0].message == "cannot be checked: ZeroDivisionError: by chance"
    assert findings[1].area == "connections"


@pytest.mark.parametrize(
    ("section", "key", "status", "named"),
    [
        ("data", "corrections", "problem", "data.corrections; DVC stops"),
        ("llm", "vision", "problem", "llm.vision; DVC stops"),
        ("llm_row", None, "problem", "llm_row; DVC stops"),
        ("llm", "concurrency", "note", "llm.concurrency; their defaults count"),
    ],
)
def test_parameters_of_an_earlier_release_are_named_and_written(
    project: Path, section: str, key: str | None, status: str, named: str
) -> None:
    values = yaml.safe_load((project / "params.yaml").read_text("utf-8"))
    values[section] = {name: value for name, value in values[section].items() if name != key}
    if key is None:
        del values[section]
    (project / "params.yaml").write_text(yaml.safe_dump(values), "utf-8")

    findings = find("parameters")

    assert [finding["status"] for finding in findings] == [status]
    assert named in findings[0]["message"]
    assert findings[0]["remedy"].endswith("python -m cotpd.pipeline.params_file")
    write_params(project / "params.yaml")
    assert find("parameters") == []


def test_without_dvc_nothing_is_said_of_its_remote(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_state, "find_spec", lambda name: None)

    assert list(shared_state.check_remote(project)) == []


def test_settings_that_dvc_cannot_read_are_a_problem_and_not_a_missing_remote(project: Path) -> None:
    (project / ".dvc/config").write_text("[core\n", "utf-8")

    (finding,) = find("remote")

    assert "DVC cannot read its settings" in finding["message"]
    assert "dvc config --list" in finding["remedy"]


def test_a_remedy_with_a_password_names_its_variable(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTPD_REMOTE", "https://user:hunter2@store.example/dvc")

    (finding,) = find("remote")

    assert finding["remedy"].startswith('dvc remote add --default shared "$COTPD_REMOTE"')


def test_the_version_of_the_ledgers_server_is_shown(postgres: str) -> None:
    address = create_database(postgres, "doctor")
    params = Params(llm=LlmParams(ledger=address))

    findings = list(check_ledger(params))

    assert [finding.status for finding in findings] == ["ok", "ok"]
    assert findings[0].message.startswith("PostgreSQL 1")


@pytest.mark.parametrize(
    ("version", "status"), [("12.22", "note"), ("13.1", "ok"), ("17.6 (Debian 17.6-1)", "ok")]
)
def test_a_postgresql_that_is_too_old_for_prefect_is_named(version: str, status: str) -> None:
    assert describe_postgresql(version).status == status
