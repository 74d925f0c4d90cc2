"""Promotions and rollbacks at once, and killed ones: record, champion and previous agree, and the loser is told.

A few rounds run with every `make test`, at least fifty of each kind with `make stress`.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from cotpd.registry.moves import Move, MoveKind
from cotpd.registry.params import RegisterParams
from cotpd.registry.tracking_store import connect
from tests.ports import find_port
from tests.postgres import create_database
from tests.registry.movers import Movers, Order, create_model, open_movers, require_agreement

IS_STRESS = "COTPD_STRESS" in os.environ
ROUNDS = int(os.environ.get("COTPD_STRESS", "2"))  # of each kind and store
STORES = ["SQLite", "SQLite, one write at a time", "PostgreSQL", "server"]
STORES += ["server on PostgreSQL"] if IS_STRESS else []
NAME = "cotpd-ner"
KINDS = {
    "two promotions": lambda draw: [Order(NAME, draw()), Order(NAME, draw())],
    "two rollbacks": lambda draw: [Order(NAME), Order(NAME)],
    "promotion and rollback": lambda draw: [Order(NAME, draw()), Order(NAME)],
    "many": lambda draw: [Order(NAME, None if number % 3 else draw()) for number in range(6)],
}


@contextmanager
def run_server(uri, folder):
    """Run MLflow's own tracking server on a store."""
    port = find_port()
    log = (folder / "server.log").open("w")
    command = f"-m mlflow server --backend-store-uri {uri} --artifacts-destination {folder}/artifacts --workers 2"
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    server = subprocess.Popen(
        [sys.executable, *command.split(), "--port", str(port)],
        env=environment,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/health", server)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # a busy server may take a minute to end well
        server.wait(120)


def wait_for(address, server):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert server.poll() is None
        try:
            urllib.request.urlopen(address, timeout=5)
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server does not answer")


@pytest.fixture(scope="module")
def module_patch():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@dataclass(frozen=True)
class Store:
    """A store with a model, and movers on it."""

    kind: str
    client: Any
    movers: Movers

    @property
    def rounds(self) -> int:
        """The rounds of each kind; a round takes a server as long as ten take a database."""
        return max(1, ROUNDS // 5) if "server" in self.kind else ROUNDS

    @property
    def is_atomic(self) -> bool:
        return self.movers.is_atomic

    def require_agreement(self, answers=(), name=NAME):
        return require_agreement(self.client, name, answers, is_atomic=self.is_atomic)


@pytest.fixture(scope="module", params=STORES)
def store(request, tmp_path_factory, empty_registry, module_patch, counts):
    folder = tmp_path_factory.mktemp("races")
    module_patch.setenv("COTPD_CACHE", str(folder / "cache"))
    module_patch.chdir(folder)
    shutil.copy(empty_registry, folder / "mlflow.db")
    uri, is_atomic = f"sqlite:///{folder}/mlflow.db", request.param in ("SQLite", "PostgreSQL")
    with ExitStack() as stack:
        if "PostgreSQL" in request.param:
            uri = create_database(request.getfixturevalue("postgres"), request.param.replace(" ", "_"))
        if "server" in request.param:
            uri = stack.enter_context(run_server(uri, folder))
        client = connect(RegisterParams(tracking_uri=uri), folder)
        create_model(client, NAME, 6)
        movers = stack.enter_context(open_movers(uri, is_atomic=is_atomic))
        for number in (1, 2):
            movers.run_race([Order(NAME, number)])
        yield Store(request.param, client, movers)


@pytest.fixture(scope="module")
def counts(request):
    """Races and kills by store and kind, printed in the end."""
    counts = Counter()
    yield counts
    if IS_STRESS:
        lines = [f"{number:5} {name}" for name, number in sorted(counts.items())]
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            sys.stdout.write("\n".join(["", *lines, ""]))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_of_moves_at_once_one_wins_and_the_others_are_told(store, kind, counts):
    for seed in range(store.rounds):
        generator = random.Random(f"{kind} {seed}")
        before = store.require_agreement()
        present = (before[-1].to_version, before[-1].previous)
        candidates = [number for number in range(1, 7) if number not in present]

        answers = store.movers.run_race(KINDS[kind](lambda: generator.choice(candidates)))  # noqa: B023

        counts[f"{store.kind}: {kind}"] += 1
        moves = store.require_agreement(answers)
        (winner,) = [answer for answer in answers if isinstance(answer, Move)]
        losers = [answer for answer in answers if not isinstance(answer, Move)]
        assert [move.token for move in list_champion_moves(moves[len(before) :])] == [winner.token]
        assert all("Nothing was changed" in answer for answer in losers)


@pytest.mark.slow
def test_of_moves_that_try_again_none_is_lost(store, counts):
    for seed in range(max(1, store.rounds // 5)):
        generator = random.Random(f"again {seed}")
        before = store.require_agreement()
        orders = [Order(NAME, generator.choice((None, number)), persists=True) for number in range(1, 7)]

        answers = store.movers.run_race(orders)

        counts[f"{store.kind}: six that try again"] += 1
        moves = store.require_agreement(answers)
        winners = {answer.token for answer in answers if isinstance(answer, Move)}
        assert {move.token for move in list_champion_moves(moves[len(before) :])} == winners
        assert all("already" in answer for answer in answers if not isinstance(answer, Move))


@pytest.mark.slow
@pytest.mark.parametrize("is_first", [True, False])
def test_a_move_killed_at_any_write_is_whole_or_has_not_begun(store, counts, is_first):
    step = 1 if IS_STRESS else 12 if "server" in store.kind else 5
    for point in range(1, 100, step):
        name = f"model {is_first} {point}"
        create_model(store.client, name, 3)
        if not is_first:
            store.movers.run_race([Order(name, 1)])
        before = store.require_agreement(name=name)

        (answer,) = store.movers.run_race([Order(name, 2, dies_at=point)])

        moves = store.require_agreement(name=name)
        if answer is not None:
            assert point > 10
            return
        counts[f"{store.kind}: killed at a write"] += 1
        assert len(list_champion_moves(moves[len(before) :])) <= 1
        require_working(store, name, moves)
    raise AssertionError("no move came to its end")


@pytest.mark.slow
def test_a_move_killed_at_any_time_does_not_disturb_its_rival(store, counts):
    for seed in range(store.rounds):
        generator = random.Random(f"kill {seed}")
        before = store.require_agreement()
        present = (before[-1].to_version, before[-1].previous)
        candidates = [number for number in range(1, 7) if number not in present]
        orders = [Order(NAME, generator.choice((None, *candidates))) for _ in range(generator.randint(1, 3))]

        answers = store.movers.run_race(orders, kill_after=generator.uniform(0, 0.3))

        counts[f"{store.kind}: killed at a random time"] += answers[0] is None
        moves = store.require_agreement(answers)
        assert len(list_champion_moves(moves[len(before) :])) <= 1
        assert all(isinstance(answer, Move) or "Nothing was changed" in answer for answer in answers[1:])


def list_champion_moves(moves):
    return [move for move in moves if move.kind != MoveKind.REPAIR]


def require_working(store, name, moves):
    """See that the next move goes through, whatever was killed before it."""
    version = next(number for number in range(1, 4) if not moves or number != moves[-1].to_version)
    answers = store.movers.run_race([Order(name, version)])
    assert isinstance(answers[0], Move)
    store.require_agreement(answers, name)
