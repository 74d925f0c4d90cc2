"""Champion, previous and challenger: who is what after each move."""

import pytest
from sqlalchemy import Engine, event

from cotpd.errors import ModelError
from cotpd.registry.aliases import promote, roll_back, set_alias
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


def list_aliases(client):
    numbers = {}
    for version in list_versions(client, NAME):
        numbers |= dict.fromkeys(version.aliases, version.number)
    return numbers


def test_the_first_champion_has_no_former(client):
    champion, former = promote(client, NAME)
    assert (champion.number, former) == (3, None)
    assert list_aliases(client) == {"challenger": 3, "champion": 3}


def test_a_new_champion_keeps_the_way_back(client):
    promote(client, NAME, "1")
    champion, former = promote(client, NAME, "challenger")
    assert (champion.number, former.number) == (3, 1)
    assert list_aliases(client) == {"challenger": 3, "champion": 3, "previous": 1}


def test_promoting_the_champion_changes_nothing(client):
    promote(client, NAME, "1")
    promote(client, NAME, "2")
    assert promote(client, NAME, "champion")[1] is None
    assert list_aliases(client) == {"challenger": 3, "champion": 2, "previous": 1}


def test_a_rollback_puts_the_former_back_and_a_second_undoes_it(client):
    promote(client, NAME, "1")
    promote(client, NAME, "2")
    champion, former = roll_back(client, NAME)
    assert (champion.number, former.number) == (1, 2)
    assert list_aliases(client) == {"challenger": 3, "champion": 1, "previous": 2}
    roll_back(client, NAME)
    assert list_aliases(client)["champion"] == 2


def test_a_kill_between_the_two_writes_leaves_a_champion_and_the_way_back(client, monkeypatch):
    promote(client, NAME, "1")
    write = client.set_registered_model_alias

    def raise_at_champion(name, alias, version):
        if alias == "champion":
            raise KeyboardInterrupt
        write(name, alias, version)

    monkeypatch.setattr(client, "set_registered_model_alias", raise_at_champion)
    with pytest.raises(KeyboardInterrupt):
        promote(client, NAME, "2")
    assert list_aliases(client) == {"challenger": 3, "champion": 1, "previous": 1}


def test_there_must_be_something_to_go_back_to(client):
    with pytest.raises(ModelError, match="'champion'"):
        roll_back(client, NAME)
    promote(client, NAME, "1")
    with pytest.raises(ModelError, match="'previous'"):
        roll_back(client, NAME)


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
            promote(client, NAME, "1")
    finally:
        event.remove(Engine, "begin", refuse_writes)

    assert "can be reached and written" in caught.value.remedy
    assert "INSERT" not in str(caught.value) + capfd.readouterr().err
