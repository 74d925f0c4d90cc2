"""The record itself: who creates it, and what is said when it was deleted, replaced or changed."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from cotpd.errors import ModelError
from cotpd.registry import alias_writer, move_log
from cotpd.registry.aliases import (
    read_champion,
    read_history,
)
from cotpd.registry.moves import ChampionMovedError
from cotpd.registry.versions import find_version
from tests.registry.move_helpers import NAME, list_kinds, open_client_of, promote


def test_of_two_processes_that_begin_the_record_one_creates_it(client, monkeypatch):
    rival = open_client_of(client)
    create = client.create_run
    monkeypatch.setattr(
        client, "create_run", lambda *arguments, **options: promote(rival, 1) and create(*arguments, **options)
    )

    with pytest.raises(ChampionMovedError, match="promotion by"):
        promote(client, 2)

    assert list_kinds(client) == [("promotion", None, 1)]
    assert [experiment.name for experiment in client.search_experiments()] == ["moves of cotpd-ner", "Default"]


def test_what_a_killed_process_left_of_a_new_record_is_removed_by_the_next_one(client, monkeypatch):
    dead = move_log.name_process().replace(":", ":9", 1)
    client.create_experiment(f"moves begun by {dead}")
    client.create_experiment("moves begun by hand")

    promote(client, 1)

    names = [experiment.name for experiment in client.search_experiments()]
    assert sorted(names) == ["Default", "moves begun by hand", "moves of cotpd-ner"]


def test_a_deleted_record_is_named_with_the_command_that_restores_it(client, capsys):
    promote(client, 1)
    experiment = client.get_experiment_by_name("moves of cotpd-ner")
    client.delete_experiment(experiment.experiment_id)

    with pytest.raises(ModelError, match="was deleted in MLflow") as caught:
        promote(client, 2)

    assert f"mlflow experiments restore -x {experiment.experiment_id}" in caught.value.remedy
    assert find_version(client, NAME, "champion").number == 1
    assert "was deleted in MLflow" in capsys.readouterr().err

    client.restore_experiment(experiment.experiment_id)

    assert promote(client, 2).number == 2


def test_an_experiment_of_that_name_that_is_no_record_is_left_alone(client):
    client.create_experiment("moves of cotpd-ner")

    with pytest.raises(ModelError, match="is not the record of the moves") as caught:
        promote(client, 1)

    assert "Rename" in caught.value.remedy


def test_an_entry_by_a_clock_that_is_ahead_does_not_stop_every_later_command(client, monkeypatch):
    future = datetime.now(UTC) + timedelta(hours=2)
    monkeypatch.setattr(alias_writer, "datetime", type("Clock", (), {"now": lambda _zone: future}))

    promote(client, 1)

    assert read_champion(client, NAME, began=datetime.now(UTC)) == 1


def test_an_entry_that_was_changed_in_the_database_is_named(client):
    promote(client, 1)
    log = move_log.MoveLog.open(client, NAME)
    client.log_param(log.run_id, "move.000002", json.dumps({"number": 2}))

    with pytest.raises(ModelError, match="entry 2 of the moves of cotpd-ner was changed"):
        read_history(client, NAME)
