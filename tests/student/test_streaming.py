"""Labelling text of any sort, length and number: offsets that hold, the order kept, and nothing that grows."""

import itertools

import pytest
import regex
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cotpd.student import Student, views
from cotpd.student.labels import LabelSet
from cotpd.student.params import StudentParams
from cotpd.student.persistence import build_model

HALVES = st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF)
ODD = st.sampled_from(["\u200d", "\ufe0f", "\u0301", "\u202e", "\x00", "\x1c", "\x85", "👩\u200d🚀", "[SEP]", "#"])
texts = st.lists(
    st.lists(st.one_of(st.text(max_size=6), HALVES, ODD, st.sampled_from(["ann", " ", "\n", "rome"]))).map(
        "".join
    ),
    max_size=6,
)


LONG_POSTS = ["ann lives in rome . " * 1000] * 3 + ["bob works at acme ."] * 5


@pytest.fixture(scope="module")
def student(bert):
    """An untrained one, whose tags are as good as drawn: mentions everywhere."""
    torch.manual_seed(1)
    params = StudentParams(encoder=bert, prompt_length=2, generator_heads=2, max_length=24, knowledge_length=24)
    model, tokenizer, reads = build_model(params, LabelSet.build("ner", ["PER", "LOC", "ORG"]))
    torch.nn.init.normal_(model.head.linear.weight)
    return Student(model, tokenizer, params, ("prompt",), reads, "cpu")


def strip_scores(answers):
    """Return the mentions of each text without their scores, in which batches of other sizes differ a little."""
    return [strip_row(mentions) for mentions in answers]


def strip_row(mentions):
    return [mention[:4] for mention in mentions]


def check(text, mentions):
    for mention in mentions:
        assert mention.text == text[mention.start : mention.end] != ""
        assert regex.match(r"\S", mention.text)  # Unicode's white space: Python counts U+001C to U+001F in
        assert 0 <= mention.score <= 1
    assert all(a.end <= b.start for a, b in itertools.pairwise(mentions))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts)
def test_offsets_are_those_of_the_text_as_it_was_given(student, rows):
    answers = list(student.predict(rows, batch_size=2))

    for text, mentions in zip(rows, answers, strict=True):
        check(text, mentions)


@pytest.mark.parametrize(
    ("text", "has_mentions"),
    [
        ("", False),
        (" \t\n\x85\u2003", False),
        ("ann", None),
        ("x" * 20_000, None),
        ("ann lives in rome . " * 1000, True),
    ],
)
def test_a_text_of_any_length_is_answered(student, text, has_mentions):
    [mentions] = student.predict([text])

    check(text, mentions)
    if has_mentions is not None:
        assert bool(mentions) == has_mentions
    if has_mentions:
        assert mentions[-1].end > 0.9 * len(text), "the last windows are read as the first ones are"


@pytest.mark.parametrize(("batch_size", "look_ahead"), [(2, 1), (2, 3), (3, 2), (32, 16)])
def test_the_order_and_the_answers_do_not_depend_on_what_is_read_together(student, batch_size, look_ahead):
    rows = ["ann lives in rome " * n for n in (5, 0, 1, 9, 2, 2, 7)]
    alone = strip_scores(student.predict(rows, batch_size=1, look_ahead=1))

    together = strip_scores(student.predict(rows, batch_size, look_ahead))

    assert together == alone


def test_no_more_is_read_ahead_than_was_said(student):
    drawn = []
    source = (drawn.append(n) or f"ann {n}" for n in itertools.count())  # a source without end

    answers = student.predict(source, batch_size=2, look_ahead=3)

    for _ in range(6):
        next(answers)
    assert len(drawn) == 6

    next(answers)

    assert len(drawn) == 12


def test_words_kept_at_hand_are_bounded_and_forgetting_them_changes_nothing(student, monkeypatch):
    rows = [f"ann a{n} in rome" for n in range(60)]
    expected = strip_scores(student.predict(rows, batch_size=2, look_ahead=2))
    monkeypatch.setattr(views, "_CACHED_WORDS", 20)

    answers, sizes = [], []
    for mentions in student.predict(rows, batch_size=2, look_ahead=2):
        answers.append(mentions)
        sizes.append(len(student.example_encoder._subwords))

    assert strip_scores(answers) == expected
    assert max(sizes[4:]) <= 20 + 4 * 4  # as many as there may be before, and those of four posts


def test_long_posts_are_read_some_windows_at_a_time(student):
    sizes = []
    hook = student.model.encoder.register_forward_pre_hook(
        lambda _, __, inputs: sizes.append(inputs["attention_mask"].numel()), with_kwargs=True
    )

    list(student.predict(LONG_POSTS))

    hook.remove()
    assert max(sizes) <= 16_384


def test_long_posts_are_answered_as_if_they_were_read_at_once(student, monkeypatch):
    in_parts = strip_scores(student.predict(LONG_POSTS))
    monkeypatch.setattr("cotpd.student.model._SUBWORDS", 1 << 30)

    at_once = strip_scores(student.predict(LONG_POSTS))

    assert at_once == in_parts
