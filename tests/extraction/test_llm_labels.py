"""What the language model alone labels: what it is shown, how its answers are read, and what becomes of bad ones."""

import json

import pytest

from cotpd.data.records import FEW_SHOT, ZERO_SHOT
from cotpd.errors import LlmError, ValidationError
from cotpd.extraction.answer_forms import MentionList
from cotpd.extraction.label_questions import build_label_questions
from cotpd.extraction.llm_labels import extract
from cotpd.extraction.params import LlmRowParams
from cotpd.extraction.shots import build_chooser
from cotpd.student.examples import build_examples
from tests.builders import build_post
from tests.chat_server import build_completion, build_error, build_reply

TYPES = ("LOC", "PER")
TRAIN = [
    build_post("[Ada](PER) is in [Rome](LOC)", id="t0"),
    build_post("nothing here", id="t1"),
    build_post("[Bob](PER) likes [Paris](LOC)", id="t2"),
]
POST = build_post("[Eve](PER) flew to [Oslo](LOC) , Oslo is cold", id="p", file="posts.jsonl", line=7)
PAIRS = ("None", "/per/loc/place_of_birth")
PAIR_POST = build_post("[Eve](PER) flew to [Oslo](LOC)", id="p", relations=[(0, 1, "None")])


def build(posts=(POST,), task="ner", labels=TYPES, **params):
    """Build the questions of both rows about some posts."""
    examples = {"test": build_examples(posts, task, {"p": "a plane"}, {})}
    pool = build_examples(TRAIN, task, {}, {})
    settings = LlmRowParams(enabled=True, **params)
    return list(build_label_questions(examples, pool, task=task, labels=labels, params=settings))


def ask(answer, server, llm_params, *, task="ner", finish_reason="stop", post=POST, **params):
    """Ask one question, zero-shot, and return what came of the answer."""
    text = answer if isinstance(answer, str) else json.dumps(answer)
    server.always = build_reply(build_completion(text, finish_reason))
    labels = TYPES if task == "ner" else PAIRS
    questions = build([post], task, labels, shots=0)
    settings = LlmRowParams(enabled=True, shots=0, **{"max_failed_share": 1.0, **params})
    posts = {question.example.id: post for question in questions}
    return extract(questions, posts, llm_params, settings, task=task, labels=labels, max_unanswered_share=0.0)


def list_mentions(extraction):
    return [(entity.start, entity.end, entity.type) for entity in extraction.rows[0].mentions]


def test_each_row_asks_once_about_each_post_and_shows_gold_of_training_posts_alone():
    questions = build(shots=2)

    assert [(question.row, question.example.id) for question in questions] == [(ZERO_SHOT, "p"), (FEW_SHOT, "p")]
    bare, shown = (question.question.messages for question in questions)
    assert [message["role"] for message in bare] == ["system", "user"]
    assert [message["role"] for message in shown] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert bare[-1] == shown[-1]
    answers = {message["content"] for message in shown if message["role"] == "assistant"}
    assert answers <= set(map(MentionList().write_gold, build_examples(TRAIN, "ner", {}, {})))


def test_a_question_says_nothing_of_the_gold_of_its_post():
    unlabelled = POST.model_copy(update={"entities": ()})

    questions = build(), build([unlabelled])

    assert [row.question for row in questions[0]] == [row.question for row in questions[1]]


def test_the_schema_that_is_sent_allows_the_inventory_alone():
    items = build()[0].question.schema["properties"]["mentions"]["items"]

    assert items["properties"]["type"]["enum"] == list(TYPES)


@pytest.mark.parametrize("caption", [True, False])
def test_the_caption_is_shown_where_the_parameter_says_so(caption):
    shown = build(caption=caption)[0].question.messages[-1]["content"]

    assert ("a plane" in shown) == caption


def test_a_relation_is_asked_for_with_its_two_names():
    question = build([PAIR_POST], "re", PAIRS, shots=0)[0].question

    assert "First: Eve\nSecond: Oslo" in question.messages[-1]["content"]
    assert "/per/loc/place_of_birth: born there" in question.messages[0]["content"]
    assert question.schema["properties"]["label"]["enum"] == list(PAIRS)


def test_drawn_shots_are_the_same_for_every_post_and_do_not_change_with_more_posts():
    pool = build_examples([build_post(f"post {number}", id=f"t{number}") for number in range(20)], "ner", {}, {})
    example = build_examples([POST], "ner", {}, {})[0]

    drawn = build_chooser(pool, 3, LlmRowParams())

    assert [shot.id for shot in drawn(example)] == [shot.id for shot in drawn(pool[19])]
    assert len({shot.id for shot in drawn(example)}) == 3
    assert {shot.id for shot in build_chooser(pool[:19], 3, LlmRowParams())(example)} & {
        shot.id for shot in drawn(example)
    }


@pytest.mark.parametrize("choose", ["drawn", "similar"])
def test_a_shot_is_never_the_post_itself_which_another_training_post_may_repeat(choose):
    pool = build_examples([*TRAIN, POST.model_copy(update={"id": "copy"})], "ner", {}, {})
    example = build_examples([POST], "ner", {}, {})[0]

    shots = build_chooser(pool, 4, LlmRowParams(choose=choose))(example)

    assert sorted(shot.id for shot in shots) == ["t0", "t1", "t2"]


def test_similar_shots_end_with_the_nearest():
    pool = build_examples(TRAIN, "ner", {}, {})
    example = build_examples([build_post("Bob loves Paris", id="p")], "ner", {}, {})[0]

    shots = build_chooser(pool, 2, LlmRowParams(choose="similar"))(example)

    assert shots[-1].id == "t2"


def test_mentions_are_placed_in_the_post_and_their_types_read_in_any_case(server, llm_params):
    answer = {"mentions": [{"text": "Eve", "type": "per"}, {"text": "Oslo", "type": " Loc "}]}

    extraction = ask(answer, server, llm_params)

    assert list_mentions(extraction) == [(0, 1, "PER"), (3, 4, "LOC")]
    assert extraction.quarantine == []


def test_a_mention_of_another_type_or_without_a_place_is_left_out_and_the_others_stay(server, llm_params):
    answer = {"mentions": [{"text": "Eve", "type": "HERO"}, {"text": "Bergen", "type": "LOC"}, 7, None]}
    answer["mentions"].append({"text": "Oslo", "type": "LOC"})

    extraction = ask(answer, server, llm_params)

    assert list_mentions(extraction) == [(3, 4, "LOC")]
    assert extraction.counts[ZERO_SHOT].left_out == 4
    assert [row.reason for row in extraction.quarantine] == [
        "'Eve' is of type 'HERO', which is none of LOC, PER",
        "7 has no text and type",
        "null has no text and type",
        "'Bergen' does not stand in the post as whole words",
    ]
    assert extraction.quarantine[0].line == 7


@pytest.mark.parametrize(
    ("answer", "finish_reason", "reason"),
    [
        ("I see no names.", "stop", "no JSON of the form"),
        ('{"mentions": [{"text": "Eve", "ty', "length", "raise llm_row.max_tokens"),
        ('{"names": []}', "stop", "no JSON of the form"),
        ("", "stop", ""),
        ("I cannot help with that.", "content_filter", "did not answer"),
        ("<think>who is Eve, and", "length", "reasoning was cut off before the answer: raise llm_row.max_tokens"),
    ],
)
def test_an_answer_that_fails_scores_as_no_mention_and_is_set_aside(
    answer, finish_reason, reason, server, llm_params
):
    extraction = ask(answer, server, llm_params, finish_reason=finish_reason)

    assert list_mentions(extraction) == []
    assert reason in extraction.rows[0].problem
    assert extraction.rows[0].problem
    assert extraction.counts[ZERO_SHOT].unusable == 1
    assert [row.id for row in extraction.quarantine] == ["p"]


@pytest.mark.parametrize(
    "answer",
    [
        '<think>{"mentions": []} or more?</think>\n{"mentions": [{"text": "Eve", "type": "PER"}]}',
        'Sure:\n```json\n{"mentions": [{"text": "Eve", "type": "PER"},]}\n```',
        '{"mentions": [{"text": "Eve", "type": "PER", "confidence": 0.9}], "note": "easy"}',
    ],
)
def test_reasoning_prose_fences_and_further_keys_do_not_matter(answer, server, llm_params):
    assert list_mentions(ask(answer, server, llm_params)) == [(0, 1, "PER")]


def test_a_refusal_in_its_own_field_counts_as_no_mention(server, llm_params):
    server.by_text = {}
    body = build_completion(None, refusal="I will not.")
    questions = build([POST], shots=0)
    server.always = build_reply(body)

    extraction = extract(
        questions,
        {"p": POST},
        llm_params,
        LlmRowParams(enabled=True, max_failed_share=1.0),
        task="ner",
        labels=TYPES,
        max_unanswered_share=0.0,
    )

    assert list_mentions(extraction) == []
    assert extraction.counts[ZERO_SHOT].unusable == 1


def test_a_relation_is_read_in_any_case_and_one_outside_the_inventory_is_set_aside(server, llm_params):
    read = ask({"label": "/PER/LOC/place_of_birth"}, server, llm_params, task="re", post=PAIR_POST)
    llm_params = llm_params.model_copy(update={"seed": 99})
    refused = ask({"label": "knows"}, server, llm_params, task="re", post=PAIR_POST)

    assert read.rows[0].label == "/per/loc/place_of_birth"
    assert refused.rows[0].label is None
    assert "'knows' is none of" in refused.rows[0].problem


def test_an_answer_is_bought_once_and_read_again_from_the_ledger(server, llm_params):
    first = ask({"mentions": []}, server, llm_params)

    second = ask({"mentions": []}, server, llm_params)

    assert (first.from_server, first.from_ledger) == (1, 0)
    assert (second.from_server, second.from_ledger) == (0, 1)
    assert second.rows == first.rows


def test_nonsense_for_every_post_ends_the_step_with_the_first_answer_and_a_remedy(server, llm_params):
    with pytest.raises(ValidationError, match=r"1 of 1 answer cannot be used.*first: p: ") as caught:
        ask("lorem ipsum", server, llm_params, max_failed_share=0.5)

    assert "llm_row.prompts" in caught.value.remedy
    assert len(caught.value.rows) == 1


def test_the_answer_that_the_step_ends_with_is_not_one_that_only_lost_a_mention(server, llm_params):
    bad = build_post("nothing here", id="q")
    questions = build([POST, bad], shots=0)
    lost = json.dumps({"mentions": [{"text": "Mars", "type": "LOC"}]})
    server.faults = [build_reply(build_completion(lost)), build_reply(build_completion("lorem ipsum"))]
    settings = LlmRowParams(enabled=True, shots=0, max_failed_share=0.2)
    one_by_one = llm_params.model_copy(update={"concurrency": 1})

    with pytest.raises(ValidationError, match=r"1 of 2 answers cannot be used.*first: q: "):
        extract(
            questions,
            {"p": POST, "q": bad},
            one_by_one,
            settings,
            task="ner",
            labels=TYPES,
            max_unanswered_share=0.0,
        )


def test_a_server_that_refuses_every_question_ends_the_step(server, llm_params):
    questions = build([POST], shots=0)
    server.always = build_error(400, message="too long")

    with pytest.raises(LlmError, match="1 of 1 request failed"):
        extract(
            questions,
            {"p": POST},
            llm_params,
            LlmRowParams(enabled=True),
            task="ner",
            labels=TYPES,
            max_unanswered_share=0.02,
        )
