"""Short names for what tests do to the record of a champion's moves."""

from pathlib import Path

from cotpd.registry.aliases import (
    move_champion,
    read_champion,
    read_history,
)
from cotpd.registry.moves import Decision, MoveKind
from cotpd.registry.params import RegisterParams
from cotpd.registry.tracking_store import connect

NAME = "cotpd-ner"


def open_client(folder):
    return connect(RegisterParams(tracking_uri=f"sqlite:///{folder}/mlflow.db"), folder)


def promote(client, number, **attributes):
    decision = Decision(MoveKind.PROMOTION, **attributes)
    champion = read_champion(client, NAME)
    return move_champion(client, NAME, number, expected_champion=champion, decision=decision)


def list_kinds(client):
    return [(str(move.kind), move.from_version, move.to_version) for move in read_history(client, NAME)]


def insert_before(client, monkeypatch, alias, act):
    """Have something happen once, right before a client writes an alias."""
    write = client.set_registered_model_alias

    def run_and_write(name, written, version):
        if written == alias:
            monkeypatch.setattr(client, "set_registered_model_alias", write)
            act()
        write(name, written, version)

    monkeypatch.setattr(client, "set_registered_model_alias", run_and_write)


def open_client_of(client):
    """A second client of the same store, as of another process."""
    return connect(RegisterParams(tracking_uri=client.tracking_uri), Path())
