"""Answers under a schema: mended as far as that is safe, put into words, and asked for without one if need be."""

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotpd.data.records import Kind
from cotpd.expectations import check_rows
from cotpd.llm.answer_reader import INVALID
from cotpd.llm.answer_schema import answer_as_text, check_schema
from cotpd.llm.ask import ask_all
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.question import Question
from tests.builders import build_post
from tests.chat_server import build_completion, build_error, build_reply

WORD = {
    "type": "object",
    "properties": {"word": {"type": "string"}, "meaning": {"type": "string"}},
    "required": ["word", "meaning"],
}
SCHEMA = {
    "type": "object",
    "properties": {"words": {"type": "array", "items": WORD}, "sure": {"type": "boolean"}},
    "required": ["words"],
}
GOOD = '{"words": [{"word": "Leeds", "meaning": "a city, in England"}], "sure": true}'
SAID = "Leeds: a city, in England; yes"
REFUSED = build_error(400, message="response_format is not supported by this model")


def build_question(text: str = "Leeds") -> Question:
    return Question("p", Kind.NOUN, [{"role": "user", "content": text}], SCHEMA)


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"Sure! Here you are {{as asked}}:\n{GOOD}\nI hope that it helps :}}",
        GOOD.replace("}]", "},]").replace("true}", "true,}"),
        '{"sure": true, "words": [{"meaning": "a city, in England", "word": "Leeds"}]}',
        '{"thought": "not this one"} ' + GOOD,
    ],
)
def test_what_is_wrapped_or_has_a_comma_too_many_is_still_read(text):
    assert answer_as_text(text, SCHEMA) == SAID


def test_commas_and_braces_inside_strings_stay_as_they_are():
    odd = 'a \\" ,} and ,] too'
    text = json.dumps({"words": [{"word": odd, "meaning": "x"}]})

    assert answer_as_text(text.replace("}]", "},]"), SCHEMA) == f"{odd}: x"


@given(st.lists(st.fixed_dictionaries({"word": st.text(min_size=1), "meaning": st.text()}), max_size=4), st.text())
def test_any_values_come_through_any_prose_without_braces(rows, prose):
    text = prose.replace("{", "(") + json.dumps({"words": rows})

    assert answer_as_text(text, SCHEMA) == answer_as_text(json.dumps({"words": rows}), SCHEMA)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Leeds is a city.", "no JSON object"),
        ("", "no JSON object"),
        ('["words"]', "no JSON object"),
        (GOOD[:-20], "no JSON object"),
        ('{"words": NaN}', "no JSON object"),
        ('{"words": "Leeds"}', "not as its schema says"),
        ('{"sure": true}', "'words' is a required property"),
        ("{" * 100_000, "no JSON object"),
        ('{"a":' * 10_000, "no JSON object"),
        ('{"words": [], "x": ' + "[" * 900 + "]" * 900 + "}", "nested too deeply"),
    ],
)
def test_what_does_not_hold_to_the_schema_is_no_answer(text, reason):
    with pytest.raises(ValueError, match=reason):
        answer_as_text(text, SCHEMA)


@pytest.mark.parametrize("schema", [{"type": "strin"}, {"type": "array"}, {}])
def test_a_schema_that_is_none_or_has_neither_object_nor_string_at_the_top_is_refused(schema):
    with pytest.raises(ValueError, match="schema"):
        check_schema(schema)


def test_the_ledger_keeps_the_raw_answer_and_the_table_its_words(server, params):
    server.always = build_reply(build_completion(f"```json\n{GOOD}\n```"))

    (answer,) = ask_all([build_question()], params, progress=False).answers

    assert (answer.text, answer.finish_reason) == (SAID, "stop")
    with Ledger(params.ledger) as ledger:
        assert "```json" in ledger.get(answer.key).response


@pytest.mark.parametrize("text", ["Leeds is a city.", GOOD[:-20]])
def test_an_answer_that_is_not_as_the_schema_says_is_quarantined_and_not_paid_for_again(server, params, text):
    server.always = build_reply(build_completion(text, "length"))

    for _ in range(2):
        (answer,) = ask_all([build_question()], params, progress=False).answers
        assert (answer.text, answer.finish_reason) == (text, INVALID)

    assert len(server.received) == 1
    _, (bad,) = check_rows([answer], "answers", {"p": build_post("Off to Leeds", id="p")})
    assert "does not hold to its prompt's schema" in bad.reason


@pytest.mark.parametrize(
    ("text", "reason"), [(" Yes, it may be.", "stop"), ("Perhaps {}", INVALID), ("", INVALID)]
)
def test_the_schema_of_a_string_is_not_sent_and_the_text_checked_by_it(server, params, text, reason):
    server.always = build_reply(build_completion(text))
    question = Question("p", Kind.NOUN, build_question().messages, {"type": "string", "pattern": "^(Yes|No)\\b"})

    (answer,) = ask_all([question], params, progress=False).answers

    assert (answer.text, answer.finish_reason) == (text, reason)
    assert "response_format" not in server.received[0]


def test_a_server_that_refuses_the_schema_is_asked_without_it_from_then_on(server, params):
    server.faults = [REFUSED]
    server.always = build_reply(build_completion(GOOD))
    one_by_one = params.model_copy(update={"concurrency": 1})

    result = ask_all([build_question("a"), build_question("b"), build_question("c")], one_by_one, progress=False)

    assert [answer.text for answer in result.answers] == [SAID] * 3
    assert ["response_format" in body for body in server.received] == [True, False, False, False]
    with Ledger(params.ledger) as ledger:
        for answer, sent in zip(result.answers, server.received[1:], strict=True):
            assert json.loads(ledger.get(answer.key).request)["body"] == sent, "kept is what went over the wire"


@pytest.mark.parametrize(
    "message",
    [f"{'x' * 400}: response_format is not supported", "with temperature set, response_format cannot be"],
)
def test_a_refused_schema_is_recognised_wherever_it_is_named(server, params, message):
    server.faults = [build_error(400, message=message)]
    server.always = build_reply(build_completion(GOOD))

    assert not ask_all([build_question()], params, progress=False).failed
    assert ["response_format" in body for body in server.received] == [True, False]


def test_a_refused_schema_is_recognised_where_a_server_words_its_faults_in_its_own_way(server, params):
    detail = [{"type": "extra_forbidden", "loc": ["body", "response_format"], "msg": "not permitted"}]
    server.faults = [build_reply(json.dumps({"detail": detail}), 422)]
    server.always = build_reply(build_completion(GOOD))

    assert not ask_all([build_question()], params, progress=False).failed
    assert ["response_format" in body for body in server.received] == [True, False]


def test_what_was_answered_without_the_schema_is_not_asked_again(server, params):
    server.faults = [REFUSED]
    server.always = build_reply(build_completion(GOOD))
    first = ask_all([build_question()], params, progress=False)
    server.close()

    again = ask_all([build_question()], params, progress=False)

    assert again.answers == first.answers
    assert (again.from_ledger, again.from_server) == (1, 0)


def test_a_request_that_is_refused_either_way_fails_and_stops_no_other(server, params):
    server.by_text["bad"] = REFUSED
    server.always = build_reply(build_completion(GOOD))

    result = ask_all([build_question("good"), build_question("bad")], params, progress=False)

    assert (len(result.answers), len(result.failed)) == (1, 1)
    assert "llm.structured: false" in result.failed[0].remedy


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"properties": {"a": {"$ref": "#/nope"}}}, "refers to #/nope"),
        ({"properties": {"a": {"prefixItems": [{"$ref": "http://127.0.0.1:1/x"}]}}}, "refers to http://127"),
        ({"properties": {"a": {"enum": [date(2026, 1, 1)]}}}, "not JSON"),
        ({"properties": {"a": {"maximum": float("nan")}}}, "not JSON"),
        ({"properties": {1: {}}}, "a key that is no string"),
        ({"properties": {"a": {"pattern": "("}}}, "no JSON Schema"),
        ({"allOf": [{"$ref": "#"}]}, "refers to itself without end"),
        ({"$schema": 5}, "no JSON Schema"),
    ],
)
def test_a_schema_that_no_answer_could_be_checked_by_is_refused_before_it_is_sent(part, message):
    with pytest.raises(ValueError, match=message):
        check_schema({"type": "object", **part})


@pytest.mark.parametrize(
    "part",
    [
        {"$defs": {"x": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/x"}}},
        {"properties": {"child": {"$ref": "#"}}},
        {"$defs": {"x": {"$anchor": "here"}}, "properties": {"a": {"$ref": "#here"}}},
        {"properties": {"$ref": {"type": "string"}, "a": {"const": {"$ref": "#/nope"}}}},
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "definitions": {"x": {}},
            "items": {"$ref": "#/definitions/x"},
        },
    ],
)
def test_references_within_a_schema_are_followed(part):
    check_schema({"type": "object", **part})


def test_a_reference_that_leads_nowhere_makes_no_answer_and_no_traceback():
    with pytest.raises(ValueError, match="refers to /nope"):
        answer_as_text('{"a": "x"}', {"type": "object", "properties": {"a": {"$ref": "#/nope"}}})
