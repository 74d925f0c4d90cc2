"""What is missing or wrong costs a sentence with a remedy: at the doors, and in `cotpd doctor` before them."""

import pytest

from cotpd.doctor.finding import Status
from cotpd.doctor.shared_state import check_remote
from cotpd.errors import CotpdError
from cotpd.llm.ledger.ledger import Ledger
from tests.shared_state.projects import run, run_dvc

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize(
    ("variable", "value", "remedy"),
    [
        ("PGPASSWORD", "", "Set PGPASSWORD"),
        ("PGPASSWORD", "wrong", "Correct PGPASSWORD"),
        ("COTPD_LEDGER", "postgresql+psycopg://cotpd@127.0.0.1:{port}/nothing", "Create it, or correct its name"),
        ("COTPD_LEDGER", "postgresql+psycopg://cotpd@127.0.0.1:9/ledger", "Start PostgreSQL"),
    ],
)
def test_a_ledger_that_cannot_be_opened_names_the_remedy(shared, monkeypatch, variable, value, remedy):
    named = {**shared.variables, variable: value.format(port=shared.ports["postgres"])}
    monkeypatch.setenv("PGPASSWORD", named["PGPASSWORD"])

    with pytest.raises(CotpdError) as error:
        Ledger(named["COTPD_LEDGER"])

    assert remedy in error.value.remedy


@pytest.fixture
def project(shared, tmp_path):
    """A repository whose default remote is that of the environment."""
    run(tmp_path, "git", "init", "-q")
    run_dvc(tmp_path, "init", "-q")
    run_dvc(tmp_path, "remote", "add", "--default", "shared", shared.variables["COTPD_REMOTE"])
    return tmp_path


def test_a_remote_that_can_be_read_is_fine(project):
    (finding,) = check_remote(project)

    assert (finding.status, finding.message) == (Status.OK, "s3://cotpd/dvc can be read")


@pytest.mark.parametrize(
    ("changes", "problem", "remedy"),
    [
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "no credentials", "AWS_ACCESS_KEY_ID"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "does not know this access key", "Correct AWS_ACCESS_KEY_ID"),
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "secret is not that", "Correct AWS_SECRET_ACCESS_KEY"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "does not answer", "AWS_ENDPOINT_URL"),
        ({"COTPD_REMOTE": "s3://another/dvc"}, "DVC's remote shared is", "dvc remote modify"),
    ],
)
def test_a_remote_that_cannot_be_read_is_a_problem_with_its_remedy(project, monkeypatch, changes, problem, remedy):
    for name, value in changes.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)

    (finding,) = check_remote(project)

    assert finding.status is Status.PROBLEM
    assert problem in finding.message
    assert remedy in finding.remedy


def test_a_bucket_that_is_not_there_is_named(project, monkeypatch):
    monkeypatch.setenv("COTPD_REMOTE", "s3://nowhere/dvc")
    run_dvc(project, "remote", "modify", "shared", "url", "s3://nowhere/dvc")

    (finding,) = check_remote(project)

    assert "s3://nowhere/dvc: there is no such bucket" in finding.message


def test_a_remote_that_the_environment_names_and_dvc_does_not_is_added_by_the_remedy(project):
    run_dvc(project, "remote", "remove", "shared")

    (finding,) = check_remote(project)

    assert finding.remedy.startswith("dvc remote add --default shared s3://cotpd/dvc")
