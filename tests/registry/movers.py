"""Processes that move a champion when they are told to, together or to be killed on the way.

They are forked from a process that has imported MLflow, since that takes seconds.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cotpd.errors import CotpdError
from cotpd.registry import alias_writer
from cotpd.registry.alias_state import read_aliases
from cotpd.registry.aliases import move_champion, read_champion, read_history, reconcile_aliases, roll_back
from cotpd.registry.moves import ChampionMovedError, Decision, Move, MoveKind
from cotpd.registry.params import RegisterParams
from cotpd.registry.tracking_store import connect
from cotpd.registry.versions import list_versions

PATIENCE = 120  # seconds that a mover may take
_context = get_context("forkserver")
_context.set_forkserver_preload(
    [__name__, "mlflow", "mlflow.store.tracking.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store"]
)


@dataclass
class Order:
    """What a mover is to do: promote this version, or roll back if there is none."""

    name: str
    version: int | None = None
    dies_at: int = 0
    """The write before or after which it kills itself; 0: none."""
    persists: bool = False
    """Whether it reads and tries again until it has moved the champion."""


class Mover:
    """A process with a client of its own."""

    def __init__(self, uri: str, *, is_atomic: bool) -> None:
        self.pipe, end = _context.Pipe()
        self.process = _context.Process(target=serve, args=(end, uri, is_atomic), daemon=True)
        self.process.start()
        end.close()

    def begin(self, order: Order) -> None:
        """Have it read the champion, and wait."""
        self.pipe.send(order)
        assert self.receive() == "ready"

    def release(self) -> None:
        self.pipe.send("go")

    def receive(self) -> Any:
        """Return its answer; None if it was killed."""
        if not self.pipe.poll(PATIENCE):
            raise AssertionError("a mover does not answer")
        try:
            return self.pipe.recv()
        except EOFError:
            self.process.join(PATIENCE)
            assert self.process.exitcode == -signal.SIGKILL
            return None

    def kill(self) -> None:
        self.process.kill()

    def stop(self) -> None:
        self.process.kill()
        self.process.join(PATIENCE)


class Movers:
    """As many movers as a race needs; those that were killed are replaced."""

    def __init__(self, uri: str, *, is_atomic: bool) -> None:
        self.uri, self.is_atomic = uri, is_atomic
        self.movers: list[Mover] = []

    def prepare(self, count: int) -> list[Mover]:
        self.movers = [mover for mover in self.movers if mover.process.is_alive()]
        self.movers += [Mover(self.uri, is_atomic=self.is_atomic) for _ in range(count - len(self.movers))]
        return self.movers[:count]

    def run_race(self, orders: list[Order], kill_after: float | None = None) -> list[Any]:
        """Have one mover each carry out an order, all at once; return their answers.

        The first is killed after so many seconds, if it is given.
        """
        movers = self.prepare(len(orders))
        for mover, order in zip(movers, orders, strict=True):
            mover.begin(order)
        for mover in movers:
            mover.release()
        if kill_after is not None:
            time.sleep(kill_after)
            movers[0].kill()
        return [mover.receive() for mover in movers]

    def stop(self) -> None:
        for mover in self.movers:
            mover.stop()


@contextmanager
def open_movers(uri: str, *, is_atomic: bool) -> Iterator[Movers]:
    """Run movers on a store, which write entry and aliases in one transaction or each by itself."""
    movers = Movers(uri, is_atomic=is_atomic)
    try:
        yield movers
    finally:
        movers.stop()


def serve(pipe: Connection, uri: str, is_atomic: bool) -> None:
    """Carry out orders until the pipe ends: a move, the race that was lost, or an error's text."""
    if not is_atomic:
        alias_writer.has_database = lambda _client: False
    client = connect(RegisterParams(tracking_uri=uri), Path())
    writes = count_writes()
    while True:
        try:
            order = pipe.recv()
        except EOFError:
            return
        expected = read_champion(client, order.name)
        pipe.send("ready")
        pipe.recv()
        writes.dies_at, writes.count = order.dies_at, 0
        pipe.send(run_order(client, order, expected))
        writes.dies_at = 0


def run_order(client: Any, order: Order, expected: int | None) -> Any:
    while True:
        try:
            if order.version is None:
                return roll_back(client, order.name, expected_champion=expected)
            decision = Decision(MoveKind.PROMOTION, reason=f"by process {os.getpid()}")
            return move_champion(client, order.name, order.version, expected_champion=expected, decision=decision)
        except ChampionMovedError as error:
            if not order.persists:
                return str(error)
            expected = read_champion(client, order.name)
        except CotpdError as error:
            return str(error)


@dataclass
class Writes:
    """The writes of this process to the store so far."""

    count: int = 0
    dies_at: int = 0

    def add(self) -> None:
        self.count += 1
        if self.count == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)


def count_writes() -> Writes:
    """Count what this process writes: before each statement, around each commit, around each request."""
    from requests import Session
    from sqlalchemy import Engine, event

    writes = Writes()

    def count_statement(_connection, _cursor, statement, *_):
        if statement.split()[0] in ("INSERT", "UPDATE", "DELETE"):
            writes.add()

    event.listen(Engine, "before_cursor_execute", count_statement)
    event.listen(Engine, "commit", lambda _connection: writes.add())
    send = Session.send

    def count_request(session, request, **options):
        if request.method == "GET":
            return send(session, request, **options)
        writes.add()
        response = send(session, request, **options)
        writes.add()
        return response

    Session.send = count_request
    return writes


def create_model(client: Any, name: str, count: int) -> None:
    """Register a model with versions that have a file each."""
    run = client.create_run(client.create_experiment(f"versions of {name}"))
    client.log_text(run.info.run_id, "x", "student/MLmodel")
    client.create_registered_model(name)
    for _ in range(count):
        client.create_model_version(name, f"{run.info.artifact_uri}/student", run.info.run_id)


def list_effective_aliases(client: Any, name: str) -> dict[str, int]:
    """Return the version of each alias, as the commands see it."""
    numbers: dict[str, int] = {}
    for version in list_versions(client, name):
        numbers |= dict.fromkeys(version.aliases, version.number)
    return numbers


def require_agreement(client: Any, name: str, answers: list[Any], *, is_atomic: bool) -> list[Move]:
    """Compare record, aliases and answers; return the record.

    Through a server, a killed mover may leave the aliases behind until the next command.
    """
    moves = read_history(client, name)
    assert [move.number for move in moves] == list(range(1, len(moves) + 1))
    champion = None
    for move in moves:
        assert move.from_version == champion
        assert move.kind == MoveKind.REPAIR or move.previous == move.from_version
        champion = move.to_version

    effective = list_effective_aliases(client, name)
    state = moves[-1].state if moves else None
    if state is not None:
        assert (effective.get("champion"), effective.get("previous")) == (state.champion, state.previous)
        if not is_atomic:
            reconcile_aliases(client, name)  # as cotpd registry list does
        assert read_aliases(client, name) == state

    tokens = {move.token for move in moves}
    assert all(answer.token in tokens for answer in answers if isinstance(answer, Move))
    return moves
