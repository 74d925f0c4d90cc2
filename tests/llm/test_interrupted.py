"""Asking that is killed, interrupted, shared with other processes, or that meets a damaged row."""

import asyncio
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from cotpd import progress
from cotpd.llm import session
from cotpd.llm.answer_reader import read_answers
from cotpd.llm.ask import ask, ask_all
from cotpd.llm.chat_request import build_chat_request
from cotpd.llm.ledger.claims import Claims
from cotpd.llm.ledger.entry import Entry
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.params import LlmParams
from cotpd.llm.transports import live
from tests.chat_server import (
    ASK_SIXTY,
    FakeServer,
    build_completion,
    build_questions,
    build_reply,
    list_committed_texts,
)


def interrupt_asking(server: FakeServer, params: LlmParams, with_signal: int) -> tuple[int, float]:
    """Start asking 60 questions, send a signal after some answers; returns the exit status and the seconds it took."""
    server.latency = 0.05
    run = subprocess.Popen([sys.executable, "-c", ASK_SIXTY, params.model_dump_json()], stderr=subprocess.PIPE)
    wait_for_requests(server, 20, run)
    server.latency = 60  # what is in flight from here on answers long after the test
    began = time.monotonic()
    os.kill(run.pid, with_signal)
    run.communicate(timeout=120)
    return run.returncode, time.monotonic() - began


def wait_for_requests(server: FakeServer, count: int, run: subprocess.Popen) -> None:
    """Wait until the server has received so many questions; a process that ends before, or hangs, is a failure."""
    until = time.monotonic() + 120
    while len(server.received) < count:
        assert run.poll() is None, run.stderr.read()
        assert time.monotonic() < until, "it does not ask"
        time.sleep(0.01)


SLOW_TO_BUILD = (
    ASK_SIXTY.partition("ask_all(")[0]
    + """
import time
def questions():
    for n in range(5000):
        if n >= 1000:  # the second window is built beside the asking
            time.sleep(0.05)
        yield Question(str(n), Kind.NOUN, [{"role": "user", "content": str(n)}])
ask_all(questions(), params)
"""
)


def test_ctrl_c_does_not_wait_for_questions_that_are_still_being_built(server, params):
    params = params.model_copy(update={"concurrency": 16})
    run = subprocess.Popen([sys.executable, "-c", SLOW_TO_BUILD, params.model_dump_json()], stderr=subprocess.PIPE)
    wait_for_requests(server, 300, run)
    time.sleep(1.0)  # the queue has room for the second window: 50 s of it are ahead
    began = time.monotonic()

    os.kill(run.pid, signal.SIGINT)
    run.communicate(timeout=120)

    assert time.monotonic() - began < 25


def count_committed(params: LlmParams) -> int:
    with Ledger(params.ledger) as ledger:
        return len(list(ledger.iterate_entries()))


def test_killed_in_the_middle_only_what_was_not_committed_is_asked_again(server, params):
    params = params.model_copy(update={"concurrency": 4})

    interrupt_asking(server, params, signal.SIGKILL)

    committed, received = count_committed(params), len(server.received)
    assert 20 - 2 * params.concurrency <= committed <= received  # at most what was in flight is lost

    server.latency = 0
    result = ask_all(build_questions(*(str(n) for n in range(60))), params, progress=False)

    assert (result.from_ledger, result.from_server, len(result.answers)) == (committed, 60 - committed, 60)
    assert len(server.received) - received == 60 - committed


@pytest.mark.slow
def test_killed_at_twenty_random_moments_no_committed_answer_is_lost_or_asked_for_again(server, params):
    params = params.model_copy(update={"concurrency": 3})
    server.latency, chance = 0.03, random.Random(5)
    committed: set[str] = set()
    for _ in range(20):
        before = len(server.received)
        run = subprocess.Popen(
            [sys.executable, "-c", ASK_SIXTY, params.model_dump_json()], stderr=subprocess.DEVNULL
        )
        while len(server.received) - before < chance.randrange(1, 5) and run.poll() is None:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.06))  # before, in or after a commit
        run.kill()
        run.wait(timeout=60)

        with Ledger(params.ledger) as ledger:
            assert ledger.find_damaged() == []
        now = list_committed_texts(params)
        assert committed <= now
        assert not committed & set(server.list_texts()[before:])
        committed = now

    result = ask_all(build_questions(*(str(n) for n in range(60))), params, progress=False)

    assert [answer.text for answer in result.answers] == [str(n) for n in range(60)]
    assert len(server.received) <= 60 + 20 * params.concurrency  # at most what was in flight is asked again


def test_ctrl_c_keeps_what_was_answered_and_ends_quickly(server, params):
    params = params.model_copy(update={"concurrency": 4})

    status, took = interrupt_asking(server, params, signal.SIGINT)

    assert status != 0
    assert took < 30  # two seconds on an idle machine, and not the minute that the server takes
    assert count_committed(params) >= 20 - 2 * params.concurrency


def test_processes_that_share_a_ledger_ask_each_question_once(server, params):
    server.latency = 0.05
    command = [sys.executable, "-c", ASK_SIXTY, params.model_dump_json()]
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]

    for run in runs:
        _, errors = run.communicate(timeout=120)
        assert run.returncode == 0, errors

    assert sorted(server.list_texts(), key=int) == [str(n) for n in range(60)]
    assert count_committed(params) == 60


def answer_later(handler) -> None:
    time.sleep(0.5)  # the first answer's commit has begun to wait
    build_reply(build_completion("B"))(handler)


def test_asking_goes_on_while_the_database_is_locked(server, params, monkeypatch):
    """By a clock of the event loop's own: it must not stand still while another process holds the file."""
    ticks = []
    holder = sqlite3.connect(params.ledger, check_same_thread=False, isolation_level=None)
    release = threading.Timer(3.0, lambda: holder.execute("ROLLBACK"))

    async def note_ticks(_):
        while True:
            await asyncio.sleep(0.01)
            ticks.append(holder.in_transaction)

    def lock_and_answer(handler):
        holder.execute("BEGIN IMMEDIATE")
        release.start()
        build_reply(build_completion("A"))(handler)

    monkeypatch.setattr(live.LiveTransport, "_refresh_claims", note_ticks)
    server.by_text = {"a": lock_and_answer, "b": answer_later}

    result = ask_all(build_questions("a", "b"), params.model_copy(update={"concurrency": 2}), progress=False)
    release.join(30)
    holder.close()

    assert [answer.text for answer in result.answers] == ["A", "B"]
    assert sum(ticks) > 20  # of three hundred; a loop that waits for the database has hardly one


def test_what_another_process_failed_to_get_is_asked_by_this_one(server, params):
    with Ledger(params.ledger) as ledger:
        claims = Claims(ledger.database)
        calls = [
            build_chat_request(params, question.messages, max_tokens=question.max_tokens)
            for question in build_questions("a", "b", "c")
        ]
        assert claims.claim([call.key for call in calls[:2]]) == {calls[0].key, calls[1].key}
        ledger.put(Entry.from_response(calls[0], build_completion("A")))
        closing = threading.Timer(1.0, claims.release)
        closing.start()

        result = ask_all(build_questions("a", "b", "c"), params, progress=False)
        closing.join(30)

    assert [answer.text for answer in result.answers] == ["A", "B", "C"]
    assert sorted(server.list_texts()) == ["b", "c"]


def test_memory_holds_no_answers_and_their_order_is_kept(server, params, monkeypatch):
    monkeypatch.setattr(session, "WINDOW", 7)  # many windows of a few
    texts = [str(n % 40) for n in range(90)]
    drawn = iter(build_questions(*texts))

    outcome = ask(drawn, params, progress=False)

    assert [answer.text for answer in read_answers(outcome, params)] == texts
    assert sorted(server.list_texts(), key=int) == [str(n) for n in range(40)]

    again = ask(build_questions(*texts), params, progress=False)

    assert (again.from_ledger, again.from_server) == (90, 0)


def test_an_answer_that_was_damaged_is_asked_again_and_only_that_one(server, params):
    ask_all(build_questions("a", "b"), params, progress=False)
    with sqlite3.connect(params.ledger) as db:
        db.execute("UPDATE answer SET response = replace(response, '\"B\"', '\"X\"')")

    result = ask_all(build_questions("a", "b"), params, progress=False)

    assert [answer.text for answer in result.answers] == ["A", "B"]
    assert (result.from_ledger, result.from_server) == (1, 1)
    with Ledger(params.ledger) as ledger:
        assert ledger.find_damaged() == []


def test_without_a_terminal_a_line_says_how_far_of_how_many_it_is(server, params, monkeypatch, capsys):
    monkeypatch.setattr(progress, "_EVERY", 0.0)

    ask(iter(build_questions("a", "b", "c", "d")), params.model_copy(update={"concurrency": 1}), total=4)

    lines = capsys.readouterr().err.splitlines()
    assert "4 of 4 (100%)" in lines[-1]
    assert "answered 4, failed 0, tokens sent 44, received 12" in lines[-1]


def test_a_terminal_shows_a_live_table_that_is_gone_when_the_work_is_done(server, params, monkeypatch, capsys):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "160")

    ask(iter(build_questions("a", "b", "c", "d")), params, total=4)

    drawn = capsys.readouterr().err
    heads = "from the ledger", "answered", "failed", "tokens sent", "received", "a minute", "time left"
    assert all(head in drawn for head in heads)
    assert re.search(r"\b0\s+4\s+0\s+44\s+12\b", re.sub(r"\x1b\[[\d;]*m", "", drawn))
    assert drawn.rstrip("\r\n").endswith("\x1b[2K")  # the last thing done is to wipe the table


FULL = """
import resource, sys
from cotpd.errors import LlmError
from cotpd.llm.ledger.ledger import Ledger
from tests.chat_server import build_entry
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))  # no file may grow beyond: what a full disk looks like
count = 0
with Ledger(sys.argv[1]) as ledger:
    try:
        while True:
            ledger.put(build_entry(f"{count} " + "x" * 5000))
            count += 1
    except LlmError as error:
        print(count, str(error).replace(chr(10), " "))
"""


def test_a_full_disk_ends_it_with_a_word_and_what_was_committed_stays(tmp_path):
    path = tmp_path / "ledger.db"

    process = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True, timeout=120
    )

    committed, message = process.stdout.split(" ", 1)
    assert int(committed) > 5
    assert "ledger.db" in message
    assert "space" in message
    with Ledger(path) as ledger:
        assert len(list(ledger.iterate_entries())) == int(committed)
        assert ledger.find_damaged() == []
