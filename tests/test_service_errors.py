"""The words of drivers and of MLflow, and what CoTPD makes of them."""

import pytest

from cotpd.config import Params, load_params
from cotpd.errors import ConfigError, ModelError
from cotpd.registry.tracking_store import explain_errors
from cotpd.service_errors import explain_object_store, explain_postgresql


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("Unable to locate credentials", "AWS_ACCESS_KEY_ID"),
        ("An error occurred (NoSuchBucket) when calling the PutObject operation: ...", "Create it"),
        ("Failed to list artifacts: The request signature we calculated does not match", "AWS_SECRET_ACCESS_KEY"),
        ("An error occurred (403) when calling the HeadObject operation: Forbidden", "ask its owner"),
        ("An error occurred (InternalError) when calling the PutObject operation: please try again.", "its disk"),
        ('Could not connect to the endpoint URL: "http://127.0.0.1:9/nope"', "AWS_ENDPOINT_URL"),
    ],
)
def test_an_object_stores_error_has_a_remedy(message, remedy):
    assert remedy in explain_object_store(message).remedy


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("connection failed: fe_sendauth: no password supplied", "Set PGPASSWORD"),
        ('FATAL:  password authentication failed for user "cotpd"', "Correct PGPASSWORD"),
        ('FATAL:  database "nope" does not exist', "Create it"),
        ("connection to server at 127.0.0.1, port 9 failed: Connection refused", "Start PostgreSQL"),
    ],
)
def test_a_databases_error_has_a_remedy(message, remedy):
    assert remedy in explain_postgresql(message).remedy


@pytest.mark.parametrize("message", ["[Errno 2] No such file or directory: 'a'", "API request failed: Forbidden"])
def test_another_error_keeps_its_own_words(message):
    assert explain_object_store(message) is None
    assert explain_postgresql(message) is None


def test_an_object_stores_error_ends_no_command_with_a_traceback():
    exceptions = pytest.importorskip("botocore.exceptions")

    with pytest.raises(ModelError, match="a version: no credentials are set"), explain_errors("a version", "?"):
        raise exceptions.NoCredentialsError


def test_the_environment_outweighs_the_ledger_of_the_parameters(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text("task: ner\n", "utf-8")
    monkeypatch.setenv("COTPD_LEDGER", "postgresql+psycopg://cotpd@db/ledger")

    assert load_params(tmp_path / "params.yaml").llm.ledger == "postgresql+psycopg://cotpd@db/ledger"
    assert Params().llm.ledger == "ledger.db"


def test_a_ledger_of_the_environment_that_dvc_would_delete_is_refused(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text("task: ner\n", "utf-8")
    (tmp_path / "dvc.yaml").write_text("stages:\n  a:\n    cmd: a\n    outs: [data/prepared]\n", "utf-8")
    monkeypatch.setenv("COTPD_LEDGER", "data/prepared/ledger.db")

    with pytest.raises(ConfigError, match="COTPD_LEDGER"):
        load_params(tmp_path / "params.yaml")
