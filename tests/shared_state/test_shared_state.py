"""One machine's work reaches another by way of PostgreSQL and S3, and costs it nothing."""

import subprocess
import sys
from pathlib import Path

import boto3
import psycopg
import pytest

from cotpd.config import Params, load_params
from cotpd.llm.ledger.ledger import Ledger
from cotpd.pipeline.registration import register_student
from cotpd.registry.tracking_store import connect
from cotpd.student import Student
from tests.chat_server import build_entry
from tests.shared_state.projects import commit, create_project, list_executions, run, run_dvc, run_flow
from tests.trained_students import TEXT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def count_rows(stack, database, table):
    where = f"host=127.0.0.1 port={stack.ports['postgres']} user=cotpd dbname={database}"
    with psycopg.connect(where, password=stack.variables["PGPASSWORD"]) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


@pytest.fixture(scope="module")
def registered(stack, students, tmp_path_factory):
    """A student that one machine has registered with MLflow's server and made the champion."""
    folder = tmp_path_factory.mktemp("registering")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stack.variables.items():
            patch.setenv(name, value)
        version = register_student(Params(), students["ner"], {"test": {"student": {"f1": 0.5}}}, root=folder)
        client = connect(Params().register_, folder)
        client.set_registered_model_alias(version.name, "champion", str(version.version))
    return version


def test_a_clone_with_nothing_but_the_environment_pulls_and_neither_door_runs_anything(shared, tmp_path):
    project = create_project(tmp_path / "project", shared.variables["COTPD_REMOTE"])
    for value in (1, 2):
        (project / "params.yaml").write_text(f"first: {value}\n")
        run_dvc(project, "repro", "-q")
        run_dvc(project, "push", "--run-cache", "-q")
    commit(project)
    before = count_rows(shared, "prefect", "flow_run")

    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "-q", str(project), str(clone))
    run_dvc(clone, "pull", "--run-cache", "-q")
    states = run_flow(clone)
    printed = run_dvc(clone, "repro")
    (clone / "params.yaml").write_text("first: 1\n")
    run_dvc(clone, "repro", "-q", "--pull")

    assert list_executions(project) == ["first", "second"] * 2
    assert list_executions(clone) == []
    assert states == {"first": "Cached", "second": "Cached"}
    assert "Data and pipelines are up to date." in printed
    assert (clone / "a.txt").read_text() == "firstfirst: 1\n"
    assert count_rows(shared, "prefect", "flow_run") == before + 1


def test_the_champion_of_the_server_predicts_on_another_machine(shared, registered, students, tmp_path):
    command = [sys.executable, "-c", "from cotpd.cli.main import main; main()"]

    completed = subprocess.run(
        [*command, "predict", "--model", "models:/cotpd-ner@champion", "--json", TEXT],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert completed.returncode == 0, completed.stderr
    mentions = Student.from_pretrained(students["ner"]).predict([TEXT])[0]
    assert mentions
    for mention in mentions:
        assert mention.text in completed.stdout


def test_run_and_version_are_in_postgresql_and_their_files_on_s3(shared, registered):
    store = boto3.client("s3")

    keys = [item["Key"] for item in store.list_objects_v2(Bucket="cotpd", Prefix="mlflow/")["Contents"]]

    assert any(key.endswith("artifacts/student/model.safetensors") for key in keys)
    assert count_rows(shared, "mlflow", "model_versions WHERE name = 'cotpd-ner'") == registered.version
    assert count_rows(shared, "mlflow", "runs") >= 1


def test_a_database_named_without_a_server_puts_artifacts_where_the_environment_says(
    shared, students, tmp_path, monkeypatch
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", shared.variables["COTPD_LEDGER"].replace("/ledger", "/mlflow"))
    monkeypatch.setenv("MLFLOW_DEFAULT_ARTIFACT_ROOT", "s3://cotpd/direct")
    monkeypatch.chdir(tmp_path)
    params = Params.model_validate({"register": {"experiment": "direct", "name": "direct"}})

    registered = register_student(params, students["ner"], {"test": {"student": {"f1": 0.5}}}, root=tmp_path)

    assert Student.from_pretrained(registered.uri).predict([TEXT])[0]
    assert not (tmp_path / "mlruns").exists()


def test_an_answer_that_one_machine_paid_for_is_in_the_ledger_of_the_next(shared, root, tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_bytes((root / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    with Ledger(load_params().llm.ledger) as ledger:
        entry = ledger.put(build_entry("a"))

    with Ledger(load_params().llm.ledger) as ledger:
        assert ledger.get(entry.key) == entry

    assert load_params().llm.ledger == shared.variables["COTPD_LEDGER"]
    assert list(Path().iterdir()) == [Path("params.yaml")]


def test_the_set_up_makes_pool_and_deployments(shared):
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    server = temporary_settings({PREFECT_API_URL: shared.variables["PREFECT_API_URL"]})
    with server, get_client(sync_client=True) as client:
        names = {deployment.name for deployment in client.read_deployments()}
        pool = client.read_work_pool("cotpd")
    assert {"full", "batch", "champion"} <= names
    assert pool.type == "process"
