"""The record of a champion's moves: what an entry holds, and what happens when others interfere with the aliases."""

from datetime import UTC, datetime

import pytest

from cotpd.errors import ModelError
from cotpd.registry import alias_writer, move_log
from cotpd.registry.alias_state import read_aliases
from cotpd.registry.aliases import (
    move_champion,
    read_champion,
    read_figures,
    read_history,
    reconcile_aliases,
    roll_back,
)
from cotpd.registry.moves import AliasState, ChampionMovedError, Decision, MoveKind
from cotpd.registry.versions import find_version
from tests.registry.move_helpers import NAME, list_kinds, open_client_of, promote


def test_an_entry_says_who_when_why_and_by_which_rules_and_keeps_the_whole_verdict(client):
    figures = {"rows": [{"type": f"T{number}", "interval": [-0.25, 0.5]} for number in range(2000)]}
    began = datetime.now(UTC)
    promote(client, 1)

    promote(
        client,
        2,
        who="ada@host",
        reason="better on PER",
        rules_sha256="ab12",
        facts={"f1": "+0.8"},
        figures=figures,
    )

    _, move = read_history(client, NAME)
    assert (move.number, move.kind, move.who) == (2, MoveKind.PROMOTION, "ada@host")
    assert (move.from_version, move.to_version, move.previous) == (1, 2, 1)
    assert (move.reason, move.rules_sha256, move.facts) == ("better on PER", "ab12", {"f1": "+0.8"})
    assert began < datetime.fromisoformat(move.when) < datetime.now(UTC)
    assert read_figures(client, NAME, move) == figures
    assert find_version(client, NAME, "2").tags["move.000002"].startswith("promotion by ada@host at 20")


@pytest.mark.parametrize("reason", ["x" * 50_000, "🎉" * 5000, "\ud83d", "a\0b\x1b[31m", "line\nline"])
def test_any_reason_is_recorded_and_the_artifact_has_the_whole_of_it(client, reason):
    facts = {f"fact {number}": "☃" * 100 for number in range(50)}

    move = promote(client, 1, reason=reason, facts=facts, who="ü@host")

    (entry,) = read_history(client, NAME)
    assert entry.who == "ü@host"
    assert entry.reason[:300].rstrip("…") == reason[: len(entry.reason.rstrip("…"))]
    log = move_log.MoveLog.open(client, NAME)
    assert log.read_artifact(move)["reason"] == reason
    assert log.read_artifact(move)["facts"] == facts


def test_figures_that_were_changed_or_are_gone_are_named_and_the_record_is_read_all_the_same(
    client, project, capsys
):
    move = promote(client, 1, figures={"f1": 0.5})
    (file,) = project.rglob(f"*{move.token}.json")
    file.write_text(file.read_text().replace("0.5", "0.9"))
    assert read_figures(client, NAME, move) is None
    assert "was changed since" in capsys.readouterr().err

    file.unlink()

    assert read_figures(client, NAME, move) is None
    assert "figures of move 1 of cotpd-ner" in capsys.readouterr().err
    assert len(read_history(client, NAME)) == 1


@pytest.mark.parametrize("is_atomic", [True, False])
def test_an_alias_that_was_moved_by_hand_is_recorded_by_the_next_move(client, monkeypatch, capsys, is_atomic):
    if not is_atomic:
        monkeypatch.setattr(alias_writer, "has_database", lambda _client: False)
    promote(client, 1)
    promote(client, 2)
    client.set_registered_model_alias(NAME, "champion", "4")
    reconcile_aliases(client, NAME)
    assert "moved outside cotpd, champion from 2 to 4" in capsys.readouterr().err
    assert find_version(client, NAME, "champion").number == 4

    promote(client, 3)

    assert list_kinds(client)[2:] == [("moved outside cotpd", 2, 4), ("promotion", 4, 3)]
    assert read_aliases(client, NAME) == AliasState(3, 4)


@pytest.mark.parametrize("is_atomic", [True, False])
def test_an_alias_that_was_deleted_by_hand_is_recorded_by_the_next_move(client, monkeypatch, is_atomic):
    if not is_atomic:
        monkeypatch.setattr(alias_writer, "has_database", lambda _client: False)
    promote(client, 1)
    promote(client, 2)
    client.delete_registered_model_alias(NAME, "champion")
    with pytest.raises(ModelError, match="has no version or alias 'champion'"):
        roll_back(client, NAME, expected_champion=None)

    promote(client, 1)

    assert list_kinds(client)[2:] == [("moved outside cotpd", 2, None), ("promotion", None, 1)]
    assert read_aliases(client, NAME) == AliasState(1, None)


def test_a_move_by_hand_after_the_decision_is_no_promotions_to_overwrite(client):
    promote(client, 1)
    client.set_registered_model_alias(NAME, "champion", "4")

    with pytest.raises(ChampionMovedError, match=r"version 4 now .it was moved outside cotpd"):
        move_champion(client, NAME, 2, expected_champion=1, decision=Decision(MoveKind.PROMOTION))

    assert read_aliases(client, NAME) == AliasState(4, None)


def test_a_move_by_hand_between_reading_and_writing_is_noticed_in_the_transaction(client, monkeypatch):
    promote(client, 1)
    write = alias_writer.append_with_aliases

    def move_by_hand_and_write(*arguments):
        open_client_of(client).set_registered_model_alias(NAME, "champion", "4")
        return write(*arguments)

    monkeypatch.setattr(alias_writer, "append_with_aliases", move_by_hand_and_write)

    with pytest.raises(ChampionMovedError, match="moved outside cotpd"):
        promote(client, 2)

    assert len(read_history(client, NAME)) == 1
    assert read_aliases(client, NAME) == AliasState(4, None)


def test_the_record_of_an_older_registry_begins_with_the_champion_that_it_had(client):
    client.set_registered_model_alias(NAME, "champion", "2")
    client.set_registered_model_alias(NAME, "previous", "1")

    roll_back(client, NAME, expected_champion=2)

    assert list_kinds(client) == [("moved outside cotpd", None, 2), ("rollback", 2, 1)]
    assert read_aliases(client, NAME) == AliasState(1, 2)


def test_a_deleted_version_is_neither_promoted_nor_rolled_back_to(client):
    promote(client, 1)
    promote(client, 2)
    client.delete_model_version(NAME, "1")

    with pytest.raises(ModelError, match="no version or alias 'previous'"):
        roll_back(client, NAME, expected_champion=2)
    with pytest.raises(ModelError, match="no version or alias '1'"):
        promote(client, 1)

    assert read_aliases(client, NAME) == AliasState(2, None)


def test_a_version_that_is_deleted_while_it_is_checked_does_not_become_champion(client, monkeypatch):
    promote(client, 1)
    write = alias_writer.append_with_aliases

    def delete_and_write(*arguments):
        monkeypatch.setattr(alias_writer, "append_with_aliases", write)
        open_client_of(client).delete_model_version(NAME, "2")
        return write(*arguments)

    monkeypatch.setattr(alias_writer, "append_with_aliases", delete_and_write)

    with pytest.raises(ModelError, match="no version or alias '2'"):
        promote(client, 2)

    assert read_aliases(client, NAME) == AliasState(1, None)


def test_a_version_whose_files_are_gone_is_not_promoted_even_without_digests(client, project):
    client.create_model_version(NAME, (project / "gone").as_uri())

    with pytest.raises(ModelError, match=r"models:/cotpd-ner/5: .*gone is not there"):
        promote(client, 5)

    assert read_history(client, NAME) == []


def test_a_command_is_told_of_a_move_since_it_began(client):
    began = datetime.now(UTC)
    promote(client, 1)

    with pytest.raises(ChampionMovedError, match="since this command began: it is version 1 now"):
        read_champion(client, NAME, began=began)

    assert read_champion(client, NAME, began=datetime.now(UTC)) == 1
