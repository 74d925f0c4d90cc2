"""Movers that write entry and aliases each by itself: slow, killed on the way, or two at once."""

import pytest

from cotpd.registry import alias_writer, move_log
from cotpd.registry.alias_state import read_aliases
from cotpd.registry.aliases import (
    reconcile_aliases,
    roll_back,
)
from cotpd.registry.moves import AliasState
from cotpd.registry.versions import find_version
from tests.registry.move_helpers import NAME, insert_before, list_kinds, open_client_of, promote
from tests.registry.movers import list_effective_aliases


@pytest.fixture
def one_by_one(monkeypatch):
    """Writes as through a tracking server: entry and aliases each by itself."""
    monkeypatch.setattr(alias_writer, "has_database", lambda _client: False)


@pytest.mark.usefixtures("one_by_one")
def test_a_slow_mover_that_writes_an_old_alias_puts_the_newer_one_back(client, monkeypatch):
    promote(client, 1)
    rival = open_client_of(client)
    insert_before(client, monkeypatch, "champion", lambda: promote(rival, 3))

    promote(client, 2)

    assert list_kinds(client) == [
        ("promotion", None, 1),
        ("promotion", 1, 2),
        ("promotion", 2, 3),
        ("repair", 3, 3),
    ]
    assert read_aliases(client, NAME) == AliasState(3, 2)


@pytest.mark.usefixtures("one_by_one")
def test_a_slow_mover_that_is_killed_after_it_wrote_an_old_alias_is_no_move_by_hand(client, monkeypatch):
    promote(client, 1)
    rival = open_client_of(client)
    insert_before(client, monkeypatch, "champion", lambda: promote(rival, 3))
    log_read = move_log.MoveLog.read

    def read_or_die(log):
        if read_aliases(rival, NAME).champion == 2 and log.client is client:
            raise KeyboardInterrupt
        return log_read(log)

    with monkeypatch.context() as patch:
        patch.setattr(move_log.MoveLog, "read", read_or_die)
        with pytest.raises(KeyboardInterrupt):
            promote(client, 2)
    assert read_aliases(client, NAME).champion == 2
    assert find_version(client, NAME, "champion").number == 3

    reconcile_aliases(rival, NAME)

    assert read_aliases(client, NAME) == AliasState(3, 2)
    assert list_kinds(client)[-1] == ("repair", 3, 3)


@pytest.mark.usefixtures("one_by_one")
@pytest.mark.parametrize("alias", ["previous", "champion"])
def test_a_rollback_killed_between_two_writes_counts_and_the_next_command_writes_its_aliases(
    client, monkeypatch, alias
):
    promote(client, 1)
    promote(client, 2)

    def raise_interrupt():
        raise KeyboardInterrupt

    insert_before(client, monkeypatch, alias, raise_interrupt)
    with pytest.raises(KeyboardInterrupt):
        roll_back(client, NAME, expected_champion=2)
    monkeypatch.setattr(alias_writer, "is_under_way", lambda _move: False)  # as of a process that has ended
    assert list_effective_aliases(client, NAME) == {"champion": 1, "previous": 2}

    reconcile_aliases(client, NAME)

    assert read_aliases(client, NAME) == AliasState(1, 2)
    assert list_kinds(client)[2:] == [("rollback", 2, 1), ("repair", 1, 1)]


@pytest.mark.usefixtures("one_by_one")
def test_aliases_that_a_living_process_is_writing_are_left_to_it(client, monkeypatch):
    promote(client, 1)
    rival = open_client_of(client)
    insert_before(client, monkeypatch, "champion", lambda: reconcile_aliases(rival, NAME))

    promote(client, 2)

    assert list_kinds(client) == [("promotion", None, 1), ("promotion", 1, 2)]
