"""Champion, previous and challenger: who is what after each move."""

import pytest
from sqlalchemy import Engine, event

from cotpd.errors import ModelError
from cotpd.registry.aliases import move_champion, read_champion, read_history, roll_back, set_alias
from cotpd.registry.moves import ChampionMovedError, Decision, MoveKind
from cotpd.registry.params import RegisterParams
from cotpd.registry.tracking_store import connect
from cotpd.registry.versions import find_version, list_versions

NAME = "cotpd-ner"


@pytest.fixture
def client(project):
    """A registry with three versions, the last one challenger. Their files do not matter here."""
    client = connect(RegisterParams(), project)
    client.create_registered_model(NAME)
    for _ in range(3):
        client.create_model_version(NAME, project.as_uri())
    set_alias(client, NAME, "challenger", 3)
    return client


def promote(client, number, **attributes):
    decision = Decision(MoveKind.PROMOTION, **attributes)
    return move_champion(client, NAME, number, expected_champion=read_champion(client, NAME), decision=decision)


def list_aliases(client):
    numbers = {}
    for version in list_versions(client, NAME):
        numbers |= dict.fromkeys(version.aliases, version.number)
    return numbers


def test_the_first_champion_has_no_former(client):
    move = promote(client, 3)

    assert (move.from_version, move.to_version, move.previous) == (None, 3, None)
    assert list_aliases(client) == {"challenger": 3, "champion": 3}


def test_a_new_champion_keeps_the_way_back(client):
    promote(client, 1)

    move = promote(client, 3)

    assert (move.from_version, move.to_version, move.previous) == (1, 3, 1)
    assert list_aliases(client) == {"challenger": 3, "champion": 3, "previous": 1}


def test_the_champion_cannot_be_promoted_again(client):
    promote(client, 1)
    promote(client, 2)

    with pytest.raises(ModelError, match="is version 2 already"):
        promote(client, 2)

    assert list_aliases(client) == {"challenger": 3, "champion": 2, "previous": 1}
    assert len(read_history(client, NAME)) == 2


def test_a_rollback_puts_the_former_back_and_a_second_undoes_it(client):
    promote(client, 1)
    promote(client, 2)

    move = roll_back(client, NAME, expected_champion=2)

    assert (move.from_version, move.to_version) == (2, 1)
    assert list_aliases(client) == {"challenger": 3, "champion": 1, "previous": 2}

    roll_back(client, NAME, expected_champion=1)

    assert list_aliases(client)["champion"] == 2


def test_a_move_that_rests_on_another_champion_is_told_of_the_one_that_was_first(client):
    promote(client, 1)
    promote(client, 2, who="ada@host")

    with pytest.raises(ChampionMovedError, match=r"version 2 now .promotion by ada@host") as caught:
        move_champion(client, NAME, 3, expected_champion=1, decision=Decision(MoveKind.PROMOTION))

    assert "Nothing was changed" in caught.value.problem

    with pytest.raises(ChampionMovedError):
        roll_back(client, NAME, expected_champion=1)

    assert list_aliases(client) == {"challenger": 3, "champion": 2, "previous": 1}
    assert len(read_history(client, NAME)) == 2


def test_there_must_be_something_to_go_back_to(client):
    with pytest.raises(ModelError, match="'champion'"):
        roll_back(client, NAME, expected_champion=None)
    promote(client, 1)
    with pytest.raises(ModelError, match="'previous'"):
        roll_back(client, NAME, expected_champion=1)


@pytest.mark.parametrize("alias", ["champion", "previous"])
def test_the_champions_aliases_cannot_be_set_without_a_record(client, alias):
    with pytest.raises(ModelError, match="by a promotion or a rollback alone"):
        set_alias(client, NAME, alias, 1)

    with pytest.raises(ValueError, match="write challenger here"):
        RegisterParams(alias=alias)


def test_versions_are_found_by_number_and_by_alias_and_nothing_else(client):
    assert find_version(client, NAME, "2").number == find_version(client, NAME, "2").number == 2
    assert find_version(client, NAME, "challenger").number == 3
    for label in ("4", "champion", "", "latest"):
        with pytest.raises(ModelError, match="It has: challenger, 1, 2, 3"):
            find_version(client, NAME, label)


def test_a_store_that_cannot_be_written_is_named_without_sql(client, capfd):
    def refuse_writes(connection):
        connection.exec_driver_sql("PRAGMA query_only = ON")

    event.listen(Engine, "begin", refuse_writes)
    try:
        with pytest.raises(ModelError, match="attempt to write a readonly database") as caught:
            promote(client, 1)
    finally:
        event.remove(Engine, "begin", refuse_writes)

    assert "can be reached and written" in caught.value.remedy
    assert "INSERT" not in str(caught.value) + capfd.readouterr().err
