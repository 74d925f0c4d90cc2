"""Faults on the wire: each once, and no answer lost, none asked for twice, none missing in the end."""

import pytest

from benchmarks.faults import FAULTS, QUESTIONS, STRUCK, Outcome, measure_outcome
from cotpd.llm.transports import chat_client

SET_ASIDE = {"400"}


@pytest.mark.parametrize("name", FAULTS)
def test_no_fault_loses_an_answer_or_asks_for_one_twice(name, tmp_path, monkeypatch):
    monkeypatch.setattr(chat_client, "_FIRST_PAUSE", 0.01)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    fault = FAULTS[name]
    if fault.ends:  # at once: what comes after the struck question is not asked
        calls, answered = int(STRUCK) + 1, int(STRUCK)
    elif name in SET_ASIDE:
        calls, answered = QUESTIONS, QUESTIONS - 1
    else:
        calls, answered = QUESTIONS + (not fault.sound), QUESTIONS

    assert measure_outcome(fault, tmp_path) == Outcome(calls, answered, QUESTIONS, lost=0, twice=0)
