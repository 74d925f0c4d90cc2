"""Batches and killed or parallel processes: each question is submitted once."""

import os
import signal
import subprocess
import sys
import time

import pytest

from cotpd.llm.ask import ask_all
from tests.chat_server import build_questions
from tests.llm.batch.results import assert_no_job_is_left, list_texts

SCRIPT = """
import os, signal, sys
from cotpd.llm.params import LlmParams
from cotpd.data.records import Kind
from cotpd.llm.transports import batch, batch_api, batch_lines
from cotpd.llm.ask import ask_all
from cotpd.llm.question import Question
batch.FIRST_POLL = 0.05
at = sys.argv[2]
def killed(function):
    def run(*arguments, **named):
        done = None if at == "before upload" else function(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)
        return done
    return run
if at == "before upload":
    batch_api.BatchServer.submit = killed(batch_api.BatchServer.submit)
elif at == "after upload":
    batch_api.BatchServer._create = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
elif at == "after creation":
    batch_api.BatchServer._create = killed(batch_api.BatchServer._create)
params = LlmParams.model_validate_json(sys.argv[1])
ask_all([Question(str(n), Kind.NOUN, [{"role": "user", "content": str(n)}]) for n in range(5)], params, progress=False)
"""


@pytest.mark.parametrize("at", ["before upload", "after upload", "after creation", "while waiting"])
def test_killed_anywhere_the_next_run_collects_and_asks_nothing_twice(api, params, at):
    api.looks = 10**6
    run = subprocess.Popen([sys.executable, "-c", SCRIPT, params.model_dump_json(), at], stderr=subprocess.PIPE)
    if at == "while waiting":
        until = time.monotonic() + 120
        while not api.jobs or next(iter(api.jobs.values()))["looks"] < 2:
            assert run.poll() is None, run.stderr.read()
            assert time.monotonic() < until, "it does not look"
            time.sleep(0.01)
        os.kill(run.pid, signal.SIGKILL)

    _, errors = run.communicate(timeout=60)

    assert run.returncode == -signal.SIGKILL, errors

    api.looks = 0
    numbers = [str(n) for n in range(5)]

    assert list_texts(ask_all(build_questions(*numbers), params, progress=False)) == numbers
    assert sorted(api.received) == numbers
    assert_no_job_is_left(params)


def test_two_processes_submit_each_question_once(api, params):
    api.looks = 5
    patient = [sys.executable, "-c", SCRIPT, params.model_dump_json(), "never"]
    runs = [subprocess.Popen(patient, stderr=subprocess.PIPE) for _ in range(2)]

    for run in runs:
        _, errors = run.communicate(timeout=60)
        assert run.returncode == 0, errors

    assert sorted(api.received) == [str(n) for n in range(5)]
