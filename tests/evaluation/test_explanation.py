"""Explanations: what is shown stands in the text, and long texts are cut where it does no harm."""

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotpd.data.records import Kind
from cotpd.evaluation.explanation import Marked, chain, excerpt, explain, shorten
from cotpd.student.examples import Example, text_example


def test_every_mark_stands_in_its_text_and_every_chain_is_that_of_its_post(index):
    posts = [text_example("bob lives in paris ."), text_example("ann works at acme . " * 5)]
    found = index.student.predict_examples(posts)
    assert any(found)
    explained = explain(index, posts, found, 2)
    assert [len(one.claims) for one in explained] == [len(some) for some in found]
    by_id = {example.id: example for example in index.examples}
    for one in explained:
        for claim in one.claims:
            assert [one.text[m.start : m.end] for m in claim.marks] == [m.text for m in claim.marks]
            assert len(claim.neighbours) == 2
            for near in claim.neighbours:
                assert near.chain == chain(by_id[near.id])
                assert [near.text[m.start : m.end] for m in near.marks] == [m.text for m in near.marks]
                assert (near.marks[0].text, near.label) in {
                    (by_id[near.id].tokens[e.start], e.type) for e in by_id[near.id].entities
                }
        total = sum(word.weight for word in one.attention.words) + one.attention.elsewhere
        assert total == pytest.approx(1, abs=0.01)
    assert json.loads(json.dumps([asdict(one) for one in explained]))


def test_a_chain_is_what_there_was_in_the_order_it_was_asked():
    row = {"id": "1", "text": "a", "tokens": ("a",), "offsets": ((0, 1),)}
    said = {Kind.MULTIMODALITY: "m", Kind.NOUN: "n"}
    assert chain(Example(**row, caption="c", knowledge=said)) == {
        "caption": "c",
        "noun": "n",
        "multimodality": "m",
    }
    assert chain(Example(**row)) == {}


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
    pieces = excerpt(text, [mark], 100)
    assert (mark.text, "PER") in pieces
    joined = "".join(piece for piece, _ in pieces)
    assert joined.strip("…") in text or joined in text
    if len(text) <= 100:
        assert joined == text
    else:
        assert len(joined) <= max(100, len(mark.text)) + 2


def test_overlapping_marks_lose_no_text():
    marks = [Marked(0, 3, "abc", "head"), Marked(2, 5, "cde", "tail")]
    assert excerpt("abcde f", marks) == [("abc", "head"), ("de f", "")]
