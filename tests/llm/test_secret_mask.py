"""A key that comes back, in whatever spelling, is replaced by stars."""

import base64
import json
from pathlib import Path

import pytest

from cotpd.llm.ask import ask_all
from cotpd.llm.chat_request import build_chat_request
from cotpd.llm.ledger.entry import Entry
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.ledger.recording import export_recording
from cotpd.llm.secret_mask import SecretMask
from tests.chat_server import build_completion, build_error, build_questions, build_reply

KEY = "sk-proj/ab+cd_EF.0123456789=="
SPELLINGS = {
    "plain": KEY,
    "slashes escaped": KEY.replace("/", "\\/"),
    "escaped once": "".join(f"\\u{ord(c):04x}" for c in KEY),
    "escaped once, in capitals": "".join(f"\\u{ord(c):04X}" for c in KEY),
    "partly escaped": KEY.replace("-", "\\u002d").replace("/", "\\u002f"),
    "escaped twice": KEY.replace("/", "\\\\\\/").replace("-", "\\\\u002d"),
    "the backslash itself escaped": KEY.replace("/", "\\u005c/").replace("s", "\\u005cu0073"),
    "percent": "".join(f"%{ord(c):02X}" for c in KEY),
    "partly percent": KEY.replace("/", "%2f").replace("+", "%2B").replace("=", "%3D"),
    "HTML": KEY.replace("-", "&#45;").replace("/", "&#x2F;"),
    "base64": base64.b64encode(KEY.encode()).decode(),
    "base64 behind a user": base64.b64encode(f"me:{KEY}".encode()).decode(),
    "base64 of a header": base64.urlsafe_b64encode(f"Bearer {KEY}".encode()).decode(),
}


@pytest.fixture
def with_key(params, monkeypatch):
    monkeypatch.setenv("SOME_KEY", KEY)
    return params.model_copy(update={"api_key_env": "SOME_KEY", "retries": 0})


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_key_that_comes_back_is_masked_in_every_spelling(server, with_key, tmp_path, spelling):
    server.always = build_reply(build_completion("You sent ECHO, \\ed").replace("ECHO", SPELLINGS[spelling]))

    answer = ask_all(build_questions("a"), with_key, progress=False).answers[0]

    exported = tmp_path / "out.jsonl"
    with Ledger(with_key.ledger) as ledger:
        stored = ledger.get(answer.key).response
        export_recording(ledger, exported, raw=True)
    json.loads(stored)
    for text in (answer.text, stored, exported.read_text("utf-8")):
        assert "You sent " in text
        assert "***" in text
        assert SPELLINGS[spelling] not in text
        assert KEY[3:12] not in text


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_message_quotes_a_key_in_any_spelling(server, with_key, caplog, spelling):
    echo = SPELLINGS[spelling]
    for body in (
        build_error(400, message=f"key {KEY}"),
        build_reply(f'{{"detail": "{echo}"}}', 400),
        build_reply(f"<p>{echo}</p>"),
    ):
        server.always = body

        (row,) = ask_all(build_questions("a"), with_key, progress=False).failed

        assert echo not in row.reason + caplog.text
        assert KEY[3:12] not in row.reason + caplog.text


def test_an_answer_without_the_key_stays_as_it_came_to_the_byte():
    raw = '{"a" : "b\\/c \\u00e9 50%25 &#45;"}'

    assert SecretMask((KEY,)).mask_body(raw) == raw


def test_a_key_that_an_older_version_kept_does_not_leave_the_ledger(with_key):
    question = build_questions("a")[0]
    call = build_chat_request(with_key, question.messages, max_tokens=question.max_tokens)
    raw = build_completion("You sent ECHO").replace("ECHO", KEY.replace("/", "\\/"))
    with Ledger(with_key.ledger) as ledger:
        ledger.put(Entry.from_response(call, raw))

    answer = ask_all([question], with_key, progress=False).answers[0]

    assert answer.text == "You sent ***"


def test_a_headers_value_is_masked_as_the_key_is(server, params, monkeypatch):
    monkeypatch.setenv("GATEWAY", "Bearer gw-0123456789")
    gateway = params.model_copy(update={"headers_env": {"X-Gateway": "GATEWAY"}})
    server.always = build_reply(build_completion("You sent gw-0123456789"))

    answer = ask_all(build_questions("a"), gateway, progress=False).answers[0]

    assert server.headers[-1]["x-gateway"] == "Bearer gw-0123456789"
    assert answer.text == "You sent ***"
    for path in Path(params.ledger).parent.glob("ledger.db*"):
        assert b"gw-0123456789" not in path.read_bytes()


def test_a_hostile_body_takes_no_time():
    mask = SecretMask((KEY,))

    for piece in ("\\", "s", "\\u0073", "%73", "sk-proj"):
        mask.mask_body(f'{{"a": "{piece * 20_000}"}}')
