"""From a server's body to an answer: reasoning is not one, and an answer that is none says why."""

import json

import pytest

from cotpd.config import Params
from cotpd.data.records import Kind
from cotpd.expectations import validate_answers
from cotpd.expectations.params import ValidateParams
from cotpd.llm.answer_reader import build_dataset_answer
from cotpd.llm.ask import ask_all
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.question import Question
from tests.builders import build_post
from tests.chat_server import build_completion, build_questions, build_reply

ANSWER = "Ada Lovelace: mathematician, person; Rome: capital of Italy, place."
STRING = {"type": "string", "minLength": 2}
OBJECT = {"type": "object", "properties": {"ada": {"type": "string"}}, "required": ["ada"]}


def ask_one(server, params, body, **of_request):
    server.always = build_reply(body)
    question = Question("0", Kind.NOUN, [{"role": "user", "content": "x"}], **of_request)
    return ask_all([question], params, progress=False).answers[0]


def validate(answer):
    post = build_post("Ada Lovelace lands in Rome tonight, what a view", id="0")
    return validate_answers([answer], [post], ValidateParams(max_failed_share=1.0))


@pytest.mark.parametrize("schema", [None, STRING])
def test_reasoning_is_removed_from_an_answer_and_stays_in_the_ledger(server, params, schema):
    raw = build_completion(f"<think>\nWho is Ada?\n</think>\n\n{ANSWER}")

    answer = ask_one(server, params, raw, schema=schema)

    knowledge, _ = validate(answer)
    assert [row.text for row in knowledge] == [ANSWER]
    with Ledger(params.ledger) as ledger:
        assert ledger.get(answer.key).response == raw


def test_reasoning_before_an_answer_under_a_schema_is_removed_first(server, params):
    raw = build_completion('<think>Perhaps {"ada": "a singer"}?</think>{"ada": "a mathematician</s>"}</s>')

    assert ask_one(server, params, raw, schema=OBJECT).text == "a mathematician"


@pytest.mark.parametrize("finish_reason", ["length", "stop", "max_tokens"])
def test_unfinished_reasoning_is_quarantined_with_that_reason(server, params, finish_reason):
    answer = ask_one(
        server, params, build_completion("<think>Who is Ada? A singer, or", finish_reason), schema=STRING
    )

    knowledge, (row,) = validate(answer)
    assert knowledge == []
    assert "reasoning" in row.reason
    assert ("raise ask.max_tokens" in row.reason) == (finish_reason != "stop")
    assert row.row["finish_reason"] == finish_reason


@pytest.mark.parametrize("schema", [None, STRING, OBJECT])
@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_a_limit_that_reasoning_used_up_is_named_and_the_finish_reason_kept(server, params, schema, field):
    raw = build_completion("", "length", **{field: "Who is Ada? Let me think"})

    answer = ask_one(server, params, raw, schema=schema)

    _, (row,) = validate(answer)
    assert row.reason == "cut before its first word: raise ask.max_tokens"
    assert answer.finish_reason == "length"
    with Ledger(params.ledger) as ledger:
        assert json.loads(ledger.get(answer.key).response)["choices"][0]["message"][field]


def test_json_that_was_cut_off_names_the_limit(server, params):
    answer = ask_one(server, params, build_completion('{"ada": "a mathem', "length"), schema=OBJECT)

    _, (row,) = validate(answer)
    assert row.reason == "the answer was cut off and does not hold to its prompt's schema: raise ask.max_tokens"


def test_the_parameter_that_ruled_the_request_is_named(server, params):
    answer = ask_one(server, params, build_completion("", "length"), limit="caption.max_tokens")

    assert answer.problem.endswith("raise caption.max_tokens")


def test_reasoning_without_an_answer_says_so(server, params):
    answer = ask_one(server, params, build_completion("<think>Ada.</think>"), schema=STRING)

    assert answer.problem == "the model reasoned and gave no answer"


def test_reasoning_that_comes_as_a_part_is_not_read(server, params):
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Who is Ada?"}]},
        {"type": "reasoning", "text": "Who?"},
        {"type": "text", "text": ANSWER},
    ]

    assert ask_one(server, params, build_completion(parts)).text == ANSWER


def test_control_tokens_end_an_answer_and_are_refused_inside_one(server, params):
    around = ask_one(server, params, build_completion(f"<s> {ANSWER}</s><|im_end|>\n"))
    inside = ask_one(server, params.model_copy(update={"seed": 1}), build_completion(f"Ada</s> is {ANSWER}"))

    knowledge, _ = validate(around)
    _, (row,) = validate(inside)
    assert [row.text for row in knowledge] == [ANSWER]
    assert row.reason == "the answer holds control tokens of its model"


@pytest.mark.parametrize(
    ("text", "finish_reason", "left"),
    [
        ("Ada is a mathematician. She lived in", "length", "Ada is a mathematician."),
        ("Ada is a mathematician. She lived in", "MAX_TOKENS", "Ada is a mathematician."),
        ("Ada is a mathematician. She lived in", "stop", "Ada is a mathematician."),
        ("Ada is a mathematician. She lived near Lon", None, "Ada is a mathematician."),
        ("Ada: a mathematician, person; Rome: a ci", None, "Ada: a mathematician, person"),
        ("Ada is a mathematician.", None, "Ada is a mathematician."),
        ("Ada: a mathematician", "stop", "Ada: a mathematician"),
        ("Ada: a mathematician", "end_turn", "Ada: a mathematician"),
    ],
)
def test_of_half_an_answer_the_whole_sentences_are_used(server, params, text, finish_reason, left):
    knowledge, _ = validate(ask_one(server, params, build_completion(text, finish_reason)))

    assert [row.text for row in knowledge] == [left]


@pytest.mark.parametrize("finish_reason", ["safety", "sensitive", "tool_calls", "guardrail_intervened"])
def test_an_answer_that_was_withheld_is_none_whatever_its_server_calls_it(server, params, finish_reason):
    _, (row,) = validate(ask_one(server, params, build_completion(ANSWER, finish_reason)))

    assert "did not answer" in row.reason


def test_extra_fields_are_sent_as_they_are_and_make_a_question_of_their_own(server, params):
    extra = {"reasoning_effort": "low", "chat_template_kwargs": {"enable_thinking": False}}
    thinking = params.model_copy(update={"extra_body": extra})

    plain = ask_all(build_questions("a"), params, progress=False).answers[0]
    result = ask_all(build_questions("a"), thinking, progress=False)

    assert (result.from_server, result.answers[0].key != plain.key) == (1, True)
    assert {name: server.received[-1][name] for name in extra} == extra
    assert not extra.keys() & server.received[0].keys()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": "x"}, "llm.model"),
        ({"max_tokens": 5}, "ask.max_tokens"),
        ({"stream": True}, "one whole answer"),
        ({"n": 2}, "one whole answer"),
        ({"day": {1: 2}}, "put it in quotes"),
        ({"x": float("nan")}, "JSON"),
    ],
)
def test_extra_fields_that_have_a_place_of_their_own_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Params.model_validate({"llm": {"extra_body": fields}})


def test_an_answer_that_came_with_the_data_is_cleaned_too():
    whole = build_dataset_answer("0", Kind.NOUN, f"<think>Who?</think>{ANSWER}</s>")
    cut = build_dataset_answer("0", Kind.NOUN, "<think>Who is Ada?")

    assert (whole.text, whole.problem) == (ANSWER, "")
    assert validate(cut)[1][0].reason == "the model's reasoning does not end"
