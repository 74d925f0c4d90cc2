"""Explanations: what is shown stands in the text, and long texts are cut where it does no harm."""

import json
from dataclasses import asdict
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotpd.data.records import Kind
from cotpd.evaluation.explanation import Marked, collect_reasoning, cut_excerpt, explain, shorten
from cotpd.student.examples import Example, build_text_example


@pytest.fixture
def explanations(index):
    """Two posts, their predictions explained by two training posts each."""
    posts = [build_text_example("bob lives in paris ."), build_text_example("ann works at acme . " * 5)]
    predicted = index.student.predict_examples(posts)
    assert any(predicted)
    return explain(index, posts, predicted, 2), predicted


def test_every_prediction_is_a_claim_with_as_many_neighbours_as_were_asked_for(explanations):
    explained, predicted = explanations

    assert [len(explanation.claims) for explanation in explained] == [len(row) for row in predicted]
    for claim in chain.from_iterable(explanation.claims for explanation in explained):
        assert len(claim.neighbours) == 2


def test_every_mark_of_a_claim_stands_in_its_text(explanations):
    explained, _ = explanations

    for explanation in explained:
        marks = list(chain.from_iterable(claim.marks for claim in explanation.claims))
        assert [explanation.text[mark.start : mark.end] for mark in marks] == [mark.text for mark in marks]


def test_every_neighbour_has_the_marks_the_label_and_the_chain_of_its_own_post(explanations, index):
    explained, _ = explanations
    claims = chain.from_iterable(explanation.claims for explanation in explained)
    by_id = {example.id: example for example in index.examples}

    for support in chain.from_iterable(claim.neighbours for claim in claims):
        post = by_id[support.id]
        gold = {(post.tokens[entity.start], entity.type) for entity in post.entities}
        assert support.chain == collect_reasoning(post)
        assert [support.text[mark.start : mark.end] for mark in support.marks] == [support.marks[0].text]
        assert (support.marks[0].text, support.label) in gold


def test_the_attention_over_a_post_sums_to_one(explanations):
    explained, _ = explanations

    for explanation in explained:
        total = sum(word.weight for word in explanation.attention.words) + explanation.attention.elsewhere
        assert total == pytest.approx(1, abs=0.01)


def test_an_explanation_can_be_written_as_json(explanations):
    explained, _ = explanations

    assert json.loads(json.dumps([asdict(explanation) for explanation in explained]))


def test_a_chain_is_what_there_was_in_the_order_it_was_asked():
    answers = {Kind.MULTIMODALITY: "m", Kind.NOUN: "n"}
    example = Example(id="1", text="a", tokens=("a",), offsets=((0, 1),), caption="c", knowledge=answers)

    assert list(collect_reasoning(example).items()) == [("caption", "c"), ("noun", "n"), ("multimodality", "m")]


def test_an_example_without_caption_and_answers_has_no_chain():
    assert collect_reasoning(Example(id="1", text="a", tokens=("a",), offsets=((0, 1),))) == {}


@given(st.text(max_size=300), st.integers(10, 200))
def test_a_shortened_text_fits_on_its_line(text, width):
    short = shorten(text, width)

    assert len(short) <= width + 2
    assert "\n" not in short

    line = " ".join(text.split())

    assert short == line if len(line) <= width else line.startswith(short.removesuffix("…").rstrip())


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("One two three. Four five six seven.", "One two three. …"),
        ("One. Two three four five six seven.", "One. Two three four…"),
    ],
)
def test_a_text_is_cut_at_a_sentence_if_one_ends_late_enough(text, short):
    assert shorten(text, 20) == short


@given(st.text(min_size=1, max_size=600), st.data())
def test_an_excerpt_holds_the_marked_text_and_says_where_it_was_cut(text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    mark = Marked(start, end := data.draw(st.integers(start + 1, len(text))), text[start:end], "PER")

    pieces = cut_excerpt(text, [mark], 100)

    assert (mark.text, "PER") in pieces

    joined = "".join(piece for piece, _ in pieces)

    assert joined.strip("…") in text or joined in text
    if len(text) <= 100:
        assert joined == text
    else:
        assert len(joined) <= max(100, len(mark.text)) + 2


def test_overlapping_marks_lose_no_text():
    marks = [Marked(0, 3, "abc", "head"), Marked(2, 5, "cde", "tail")]

    assert cut_excerpt("abcde f", marks) == [("abc", "head"), ("de f", "")]
