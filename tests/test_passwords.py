"""No password of an address reaches a message: property tests, and each way in which messages leave the program."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from cotpd.cli.main import app
from cotpd.doctor.finding import Finding, Status, run_checks
from cotpd.errors import CotpdError
from cotpd.escaping import mark_logs, warn
from cotpd.passwords import drop_user_information, hide_passwords

SECRET = "hunter2-hunter2"
SCHEMES = [
    "postgresql",
    "postgresql+psycopg",
    "mysql+pymysql",
    "mssql",
    "redis",
    "s3",
    "http",
    "https",
    "git+https",
]
# what stands unescaped in the part of an address for user and password
PASSWORDS = st.text("abcXYZ0123456789-._~!$&'()*+,;=:%", min_size=4, max_size=30).map(lambda text: f"Q{text}Q")
AROUND = st.sampled_from(["", "see ", "the registry '", "(", '{"uri": "', "a\n", "x=1, "])


@settings(deadline=None, derandomize=True)
@given(
    scheme=st.sampled_from(SCHEMES),
    password=PASSWORDS,
    before=AROUND,
    after=st.sampled_from(
        ["", ":5432/ledger", "/path", "/a?sslmode=require#x", " is away", "' refuses", ")\nnext"]
    ),
)
def test_a_password_in_any_address_is_hidden_and_its_host_is_not(scheme, password, before, after) -> None:
    text = hide_passwords(f"{before}{scheme}://somebody:{password}@db.example{after}")

    assert password not in text
    assert "somebody:***@db.example" in text
    assert text.startswith(before)


@settings(deadline=None, derandomize=True)
@given(password=st.text(min_size=3, max_size=20).filter(lambda text: "@" not in text and "\n" not in text))
def test_a_password_that_needs_no_escape_for_sqlalchemy_is_hidden_too(password) -> None:
    text = hide_passwords(f"cannot open postgresql://u:Q{password}Q@h/d")

    assert f"Q{password}Q" not in text


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://u@h/d?password={SECRET}",
        f"postgresql://h/d?user=u&sslpassword={SECRET}&x=1",
        f"host=h password={SECRET} dbname=d",
        f"host=h password='{SECRET} {SECRET}'",
        f"https://{SECRET}@git.example/team/posts.git",
        f"https://store.example/blob?sig=a&token={SECRET}",
        f"POSTGRESQL://U:{SECRET}@H/D",
        f"http://u:pass/{SECRET}@h:5000/x",
        f"postgresql://u:{SECRET}@{SECRET}@h/d",
        f"two: http://a:{SECRET}@h, and redis://:{SECRET}@h",
    ],
)
def test_other_ways_to_write_a_secret_are_hidden(text: str) -> None:
    assert SECRET not in hide_passwords(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "models:/cotpd-ner@champion is version 3",
        "http://127.0.0.1:5000/#/models/a@b",
        "postgresql+psycopg://cotpd@127.0.0.1:5432/ledger",
        "sqlite:////home/me/mlflow.db",
        "s3://cotpd/dvc: there is no such bucket",
        "export PGPASSWORD, or keep a ~/.pgpass",
        "10.0.0.1:6379 is mail@example.org's",
        "git config user.email = a@b.example",
        "train.epochs = 4",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert hide_passwords(text) == text


def test_a_link_carries_neither_user_nor_password() -> None:
    assert drop_user_information(f"https://u:{SECRET}@mlflow.example:443/x") == "https://mlflow.example:443/x"


ADDRESS = f"postgresql://user:{SECRET}@127.0.0.1:9/mlflow"


def test_errors_hide_it_in_problem_and_remedy() -> None:
    error = CotpdError(f"{ADDRESS} does not answer", f"Start {ADDRESS}")

    assert SECRET not in f"{error} {error.problem} {error.remedy} {error!r}"


def test_findings_of_the_doctor_hide_it_those_of_a_check_that_breaks_too() -> None:
    def fail() -> list[Finding]:
        raise OSError(ADDRESS)

    findings = run_checks([("a", lambda: [Finding("a", Status.NOTE, ADDRESS, ADDRESS)]), ("b", fail)])

    assert SECRET not in str(list(findings))


def test_warnings_and_logs_hide_it(capsys: pytest.CaptureFixture[str]) -> None:
    mark_logs()
    record = logging.LogRecord("x", logging.WARNING, "", 1, "no answer of %s", (ADDRESS,), None)

    warn(ADDRESS)

    assert SECRET not in capsys.readouterr().err
    assert logging.lastResort is not None
    assert SECRET not in logging.lastResort.format(record)


@pytest.mark.parametrize(
    "start",
    ["import steps; fail()", "import flows; fail()", "from cotpd.cli import main; main.app = fail; main.main()"],
)
def test_tracebacks_of_steps_flows_and_commands_hide_it(start: str, root: Path) -> None:
    script = f"def fail(): raise ValueError({ADDRESS!r})\n{start}"

    completed = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False, timeout=120
    )

    assert "ValueError: postgresql://user:***@127.0.0.1:9/mlflow" in completed.stderr
    assert SECRET not in completed.stderr.partition("ValueError: ")[2]


COMMANDS = [
    ["registry", "list"],
    ["registry", "show", "champion"],
    ["predict", "Ada"],
    ["promote"],
    ["doctor"],
    ["doctor", "--json"],
    ["show"],
]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("place", ["environment", "file"])
@pytest.mark.parametrize("store", [ADDRESS, f"http://user:{SECRET}@127.0.0.1:9"])
def test_no_command_shows_the_password_of_a_registry(
    place: str, store: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    params = (root / "params.yaml").read_text("utf-8")
    if place == "environment":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    else:
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        params = params.replace("sqlite:///mlflow.db", store)
    (tmp_path / "params.yaml").write_text(params, "utf-8")

    outputs = [CliRunner().invoke(app, command) for command in COMMANDS]

    shown = json.dumps([[result.output, str(result.exception)] for result in outputs])
    assert SECRET not in shown
    assert "***" in shown


@pytest.mark.parametrize("variable", ["PREFECT_API_URL", "COTPD_REMOTE", "COTPD_LEDGER", "HTTPS_PROXY"])
def test_the_doctor_shows_no_password_of_the_environment(
    variable: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scheme = "postgresql" if variable == "COTPD_LEDGER" else "http"
    monkeypatch.setenv(variable, f"{scheme}://user:{SECRET}@127.0.0.1:9/x")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "params.yaml").write_bytes((root / "params.yaml").read_bytes())
    (tmp_path / ".dvc").mkdir()

    result = CliRunner().invoke(app, ["doctor", "--json"])

    assert SECRET not in result.output
    assert json.loads(result.stdout)["findings"]
