"""A ledger that cannot be written, as on a read-only file system: what it holds is answered, and the rest is said."""

import os
import shutil
from pathlib import Path

import pytest

from cotpd.errors import LlmError
from cotpd.llm.ask import ask_all
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.ledger.recording import export_recording
from tests.chat_server import build_questions


@pytest.fixture
def params(params, server, tmp_path, monkeypatch):
    """A ledger that answers a and b, in a folder that cannot be written."""
    folder = tmp_path / "shared"
    params = params.model_copy(update={"ledger": str(folder / "ledger.db")})
    ask_all(build_questions("a", "b"), params, progress=False)
    server.received.clear()
    real = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: folder not in (Path(path), *Path(path).parents) and real(path, mode)
    )
    return params


def test_where_every_answer_is_there_nothing_is_written(params, server):
    before = Path(params.ledger).read_bytes()

    result = ask_all(build_questions("a", "b"), params, progress=False)

    assert [answer.text for answer in result.answers] == ["A", "B"]
    assert Path(params.ledger).read_bytes() == before
    assert server.received == []


def test_where_an_answer_is_missing_nothing_is_asked_and_a_sentence_says_what_to_do(params, server):
    with pytest.raises(LlmError, match=r"ledger\.db: attempt to write a readonly database") as caught:
        ask_all(build_questions("a", "c"), params, progress=False)

    assert "copy it to where you may write" in caught.value.remedy
    assert server.received == []


def test_what_is_recorded_is_not_imported(params, tmp_path):
    with Ledger(tmp_path / "other.db") as empty:
        export_recording(empty, tmp_path / "recorded.jsonl")
    params = params.model_copy(update={"recorded": str(tmp_path / "recorded.jsonl")})

    assert ask_all(build_questions("a"), params, progress=False).from_ledger == 1


def test_answers_in_a_log_that_cannot_be_read_are_not_passed_over(params, monkeypatch):
    """A copy of the files of a killed process: what its log holds is committed, and not yet in the file."""
    folder = Path(params.ledger).parent
    shutil.copy(params.ledger, folder / "killed.db")
    (folder / "killed.db-wal").write_bytes(b"x" * 100)
    monkeypatch.setattr("cotpd.llm.ledger.sqlite_store._can_read", lambda _: False)

    with pytest.raises(LlmError, match=r"killed\.db-wal holds answers that cannot be read so"):
        Ledger(folder / "killed.db")
