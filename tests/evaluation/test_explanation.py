"""Explanations: what is shown stands in the text, and long texts are cut where it does no harm."""

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotpd.data.records import Kind
from cotpd.evaluation.explanation import Marked, collect_reasoning, cut_excerpt, explain, shorten
from cotpd.student.examples import Example, build_text_example


def test_every_mark_stands_in_its_text_and_every_chain_is_that_of_its_post(index):
    posts = [build_text_example("bob lives in paris ."), build_text_example("ann works at acme . " * 5)]
    predicted = index.student.predict_examples(posts)
    assert any(predicted)
    explained = explain(index, posts, predicted, 2)
    assert [len(explanation.claims) for explanation in explained] == [
        len(predictions) for predictions in predicted
    ]
    by_id = {example.id: example for example in index.examples}
    for explanation in explained:
        for claim in explanation.claims:
            assert [explanation.text[m.start : m.end] for m in claim.marks] == [m.text for m in claim.marks]
            assert len(claim.neighbours) == 2
            for support in claim.neighbours:
                assert support.chain == collect_reasoning(by_id[support.id])
                assert [support.text[m.start : m.end] for m in support.marks] == [m.text for m in support.marks]
                assert (support.marks[0].text, support.label) in {
                    (by_id[support.id].tokens[e.start], e.type) for e in by_id[support.id].entities
                }
        total = sum(word.weight for word in explanation.attention.words) + explanation.attention.elsewhere
        assert total == pytest.approx(1, abs=0.01)
    assert json.loads(json.dumps([asdict(explanation) for explanation in explained]))


def test_a_chain_is_what_there_was_in_the_order_it_was_asked():
    row = {"id": "1", "text": "a", "tokens": ("a",), "offsets": ((0, 1),)}
    answers = {Kind.MULTIMODALITY: "m", Kind.NOUN: "n"}
    assert collect_reasoning(Example(**row, caption="c", knowledge=answers)) == {
        "caption": "c",
        "noun": "n",
        "multimodality": "m",
    }
    assert collect_reasoning(Example(**row)) == {}


@given(st.text(max_size=300), st.integers(10, 200))
def test_a_shortened_text_fits_on_its_line(text, width):
    short = shorten(text, width)
    assert len(short) <= width + 2
    assert "\n" not in short
    line = " ".join(text.split())
    assert short == line if len(line) <= width else line.startswith(short.removesuffix("…").rstrip())


def test_a_text_is_cut_at_a_sentence_if_one_ends_late_enough():
    assert shorten("One two three. Four five six seven.", 20) == "One two three. …"
    assert shorten("One. Two three four five six seven.", 20) == "One. Two three four…"


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
