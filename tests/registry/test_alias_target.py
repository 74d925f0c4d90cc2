"""The number behind an alias, as a server reads it again and again."""

import pytest

from cotpd.errors import ModelError
from cotpd.registry.alias_target import open_alias
from cotpd.registry.params import RegisterParams
from cotpd.registry.tracking_store import connect


@pytest.fixture
def client(project):
    client = connect(RegisterParams(), project)
    client.create_registered_model("cotpd-ner")
    for _ in range(2):
        client.create_model_version("cotpd-ner", "file:///nowhere")
    client.set_registered_model_alias("cotpd-ner", "champion", "1")
    return client


def open_champion(project):
    return open_alias("models:/cotpd-ner@champion", RegisterParams(), project)


def test_it_is_the_number_of_the_moment(client, project):
    alias = open_champion(project)

    first = alias.read_number()
    client.set_registered_model_alias("cotpd-ner", "champion", "2")

    assert (first, alias.read_number()) == (1, 2)


def test_an_alias_or_a_model_that_is_gone_has_no_number(client, project):
    alias = open_champion(project)
    client.delete_registered_model_alias("cotpd-ner", "champion")
    assert alias.read_number() is None

    client.delete_registered_model("cotpd-ner")

    assert alias.read_number() is None


def test_a_registry_that_is_gone_is_an_error_and_no_empty_one_is_made(client, project):
    alias = open_champion(project)
    (project / "mlflow.db").rename(project / "moved.db")

    with pytest.raises(ModelError, match="no registry here"):
        alias.read_number()

    assert not (project / "mlflow.db").exists()


def test_a_server_that_does_not_answer_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    params = RegisterParams(tracking_uri="http://127.0.0.1:9")

    with pytest.raises(ModelError, match="does not answer"):
        open_alias("models:/cotpd-ner@champion", params, tmp_path).read_number()


@pytest.mark.parametrize("address", ["models:/cotpd-ner/3", "runs:/0a1b", "models/student", "models:/@x"])
def test_no_other_address_is_an_alias(address):
    assert open_alias(address) is None
