"""Claims on questions: they lapse by the database's clock, or when a machine sees that its own process has ended."""

import os
import signal
import subprocess
import sys
import time

import pytest

from cotpd.liveness import LAPSE, is_dead, name_process
from cotpd.llm.ask import ask
from cotpd.llm.chat_request import build_chat_request
from cotpd.llm.ledger import claims
from cotpd.llm.ledger.claims import Claims
from cotpd.llm.ledger.ledger import Ledger
from tests.chat_server import build_questions


def claim_elsewhere(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, ahead: float) -> Claims:
    """Claim a as another machine would, whose clock is some seconds ahead."""
    real = time.time
    with monkeypatch.context() as patch:
        patch.setattr("socket.gethostname", lambda: "elsewhere")
        patch.setattr("time.time", lambda: real() + ahead)
        remote_claims = Claims(ledger.database)
        assert remote_claims.claim(["a"]) == {"a"}
        remote_claims.refresh()
    return remote_claims


@pytest.mark.parametrize("ahead", [-1000.0, 1000.0])
def test_a_machine_whose_clock_is_wrong_keeps_its_claims_and_loses_them_when_it_is_silent(
    tmp_path, monkeypatch, ahead
):
    with Ledger(tmp_path / "ledger.db") as ledger:
        claim_elsewhere(ledger, monkeypatch, ahead)
        local_claims = Claims(ledger.database)

        assert local_claims.claim(["a", "b"]) == {"b"}

        ledger.database.change(("UPDATE asker SET seen = seen - ? WHERE name LIKE 'elsewhere:%'", (LAPSE + 1,)))

        assert local_claims.claim(["a"]) == {"a"}


def test_a_sign_of_life_is_given_in_time(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "LAPSE", 0.0)
    with Ledger(tmp_path / "ledger.db") as ledger:
        local_claims = Claims(ledger.database)
        local_claims.refresh()  # nothing is claimed yet
        local_claims.claim(["a"])
        ledger.database.change(("UPDATE asker SET seen = seen - 1000", ()))

        local_claims.refresh()

        ((silent,),) = ledger.database.read(f"SELECT {ledger.database.clock} - seen FROM asker")
        assert -1 < silent < 100


SUSPENDED = """
import os, signal, sys
from cotpd.llm.ledger.claims import Claims
from cotpd.llm.ledger.ledger import Ledger
with Ledger(sys.argv[1]) as ledger:
    Claims(ledger.database).claim(["a"])
    os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a killed process counts until its parent looks")
def test_a_suspended_process_keeps_its_claims_until_it_ends(tmp_path):
    path = str(tmp_path / "ledger.db")
    process = subprocess.Popen([sys.executable, "-c", SUSPENDED, path])
    try:
        os.waitpid(process.pid, os.WUNTRACED)
        with Ledger(path) as ledger:
            ledger.database.change(("UPDATE asker SET seen = seen - 100000", ()))
            local_claims = Claims(ledger.database)
            assert local_claims.claim(["a"]) == set()
            os.kill(process.pid, signal.SIGKILL)
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is still listed
            assert local_claims.claim(["a"]) == {"a"}
    finally:
        process.kill()
        process.wait(timeout=60)


def test_a_number_that_another_process_has_got_since_keeps_no_claim_for_ever():
    host, pid, start = name_process().rsplit(":", 2)

    assert not is_dead(f"{host}:{pid}:{start}", 1e9)
    for reused in (f"{host}:{pid}:1-{start[-8:]}", f"{host}:{pid}:0a1b2c3d"):  # the last of an earlier version
        assert not is_dead(reused, LAPSE - 1)
        assert is_dead(reused, LAPSE + 1)


def test_who_cannot_draw_a_question_leaves_no_claims_behind(params, monkeypatch):
    monkeypatch.setattr("cotpd.llm.session.WINDOW", 1)

    def yield_and_fail():
        yield from build_questions("a")
        raise ValueError("no such picture")

    with Ledger(params.ledger) as ledger:
        (question,) = build_questions("a")
        other_claims = Claims(ledger.database)
        other_claims.claim([build_chat_request(params, question.messages, max_tokens=question.max_tokens).key])

        with pytest.raises(ValueError, match="no such picture"):
            ask(yield_and_fail(), params, progress=False)

        assert ledger.database.read("SELECT name FROM asker") == [(other_claims.name,)]
