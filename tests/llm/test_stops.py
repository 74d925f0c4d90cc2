"""Runs that are stopped, by the server or by a signal: what arrives is committed before they end."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from cotpd.errors import LlmError
from cotpd.llm.ask import ask_all
from cotpd.llm.ledger.ledger import Ledger
from tests.chat_server import (
    ASK_SIXTY,
    FakeServer,
    build_completion,
    build_error,
    build_questions,
    build_reply,
    list_committed_texts,
)


def send_after(fault, server: FakeServer, count: int):
    """Send a fault once so many requests have arrived."""

    def send(handler) -> None:
        until = time.monotonic() + 30
        while len(server.received) < count and time.monotonic() < until:
            time.sleep(0.01)
        fault(handler)

    return send


def send_slowly(text: str):
    """Send an answer a while after the others."""

    def send(handler) -> None:
        time.sleep(0.7)
        build_reply(build_completion(text))(handler)

    return send


@pytest.mark.parametrize(
    "fault",
    [
        build_error(429, "insufficient_quota"),
        build_error(401, "invalid_api_key"),
        build_error(403),
        build_error(402, "insufficient_balance"),
        build_error(404, message="no such model"),
        build_reply("", 301, location="http://elsewhere.example/v1"),
    ],
    ids=["quota", "401", "403", "402", "404", "redirect"],
)
def test_answers_under_way_when_the_server_stops_a_run_are_committed_and_not_bought_again(server, params, fault):
    texts = [str(n) for n in range(8)]
    server.by_text = {text: send_slowly(text) for text in texts} | {"stop": send_after(fault, server, 9)}

    with pytest.raises(LlmError):
        ask_all(build_questions("stop", *texts), params.model_copy(update={"concurrency": 9}), progress=False)

    assert list_committed_texts(params) == set(texts)

    server.by_text = {}
    ask_all(build_questions("stop", *texts), params, progress=False)

    assert sorted(server.list_texts()) == sorted(["stop", "stop", *texts])


def test_answers_under_way_when_the_server_is_given_up_are_committed(server, params, monkeypatch):
    monkeypatch.setattr("cotpd.llm.transports.live._MAX_FAILURES", 1)
    impatient = params.model_copy(update={"concurrency": 2, "retries": 0})
    server.by_text = {"slow": send_slowly("SLOW")}
    server.always = send_after(build_error(500), server, 2)

    with pytest.raises(LlmError, match="in a row failed"):
        ask_all(build_questions("slow", *"abcdefgh"), impatient, progress=False)

    assert list_committed_texts(params) == {"slow"}


def test_where_the_disk_is_full_the_answers_that_still_fit_are_committed(server, params, tmp_path):
    """By a trigger that refuses long rows: of answers that share a commit, each is tried by itself."""
    texts = [str(n) for n in range(6)]
    Ledger(params.ledger).close()
    with sqlite3.connect(params.ledger) as db:
        db.execute(
            "CREATE TRIGGER full BEFORE INSERT ON answer WHEN length(new.response) > 1000 "
            "BEGIN SELECT raise(ABORT, 'database or disk is full'); END"
        )
    db.close()
    server.by_text = {text: send_slowly(text) for text in texts} | {
        "long": send_after(build_reply(build_completion("x" * 2000)), server, 7)
    }

    with pytest.raises(LlmError, match="Free some space"):
        ask_all(build_questions("long", *texts), params.model_copy(update={"concurrency": 7}), progress=False)

    assert list_committed_texts(params) == set(texts)


def start(params, *, ignoring_ctrl_c: bool = False) -> subprocess.Popen:
    """Start a process that asks, and waits a minute for answers when it is stopped, as a busy machine may need."""
    script = ASK_SIXTY.replace("signal.default_int_handler", "signal.SIG_IGN") if ignoring_ctrl_c else ASK_SIXTY
    patience = "from cotpd.llm.transports import in_flight; in_flight.GRACE = 60.0"
    return subprocess.Popen(
        [sys.executable, "-c", f"{patience}\n{script}", params.model_dump_json()],
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("number", "ignoring_ctrl_c"), [(signal.SIGINT, False), (signal.SIGTERM, False), (signal.SIGTERM, True)]
)
def test_a_signal_lets_the_answers_under_way_arrive(server, params, number, ignoring_ctrl_c):
    server.latency = 0.5
    run = start(params.model_copy(update={"concurrency": 4}), ignoring_ctrl_c=ignoring_ctrl_c)
    until = time.monotonic() + 120
    while len(server.received) < 8:
        assert run.poll() is None
        assert time.monotonic() < until, "it does not ask"
        time.sleep(0.01)

    run.send_signal(number)
    _, errors = run.communicate(timeout=60)

    assert run.returncode != 0
    assert "KeyboardInterrupt" in errors
    assert "answers under way" in errors
    assert list_committed_texts(params) == set(server.list_texts())
    assert len(server.received) < 30


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_it_at_once(server, params, number):
    gate = threading.Event()
    server.always = lambda _: gate.wait(120)
    run = start(params)
    until = time.monotonic() + 120
    while len(server.received) < 8 and time.monotonic() < until:
        time.sleep(0.01)

    began = time.monotonic()
    run.send_signal(number)
    assert any("answers under way" in line for line in iter(run.stderr.readline, ""))
    run.send_signal(number)
    run.communicate(timeout=120)
    gate.set()

    assert run.returncode != 0
    assert time.monotonic() - began < 50, "the grace of a minute was waited for"


STEP = """
import signal, sys, time
signal.signal(signal.SIGINT, getattr(signal, sys.argv[1]))
from steps.common import main
def step(params):
    print("runs", flush=True)
    time.sleep(60)
main(step)
"""
COMMAND = """
import signal, sys, time
signal.signal(signal.SIGINT, getattr(signal, sys.argv[1]))
from cotpd.cli import main
@main.app.command("rest")
def rest():
    print("runs", flush=True)
    time.sleep(60)
sys.argv[1:] = ["rest"]
main.main()
"""


@pytest.mark.parametrize("ctrl_c", ["default_int_handler", "SIG_IGN"])
@pytest.mark.parametrize("script", [STEP, COMMAND], ids=["step", "command"])
def test_sigterm_ends_a_step_and_a_command_as_ctrl_c_does(root, tmp_path, script, ctrl_c):
    (tmp_path / "params.yaml").write_text("{}\n")
    run = subprocess.Popen(
        [sys.executable, "-c", script, ctrl_c],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(root)},  # steps are not installed: they are run in their own folder
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout.readline() == "runs\n"

    run.terminate()
    _, errors = run.communicate(timeout=60)

    assert run.returncode == 130
    assert "Traceback" not in errors
    assert "run again to go on" in errors or script is COMMAND
