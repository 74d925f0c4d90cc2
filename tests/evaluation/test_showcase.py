"""What is shown in the report is chosen by rule, and coloured without losing a character."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotpd.evaluation.explanation import Claim, Explanation, Look, Looks, Marked
from cotpd.evaluation.showcase import choose_picks, explain_picks, shade_text
from cotpd.student.examples import build_examples
from cotpd.student.tasks import NerPrediction, RePrediction
from tests.builders import build_post


def make_row(key, model, *predicted, gold=()):
    return NerPrediction(
        id=key, split="test", model=model, gold=[list(span) for span in gold], predicted=list(predicted)
    )


GOLD = [(0, 1, "PER"), (3, 4, "LOC")]
ROWS = [
    make_row("a", "student", [0, 1, "PER", 0.9], [3, 4, "LOC", 0.6], gold=GOLD),
    make_row("a", "baseline", [0, 1, "PER", 0.8], gold=GOLD),
    make_row("b", "student", [0, 1, "PER", 0.95], [2, 4, "ORG", 0.99], [5, 6, "ORG", 0.7], gold=GOLD),
    make_row("b", "baseline", [0, 1, "PER", 0.8], gold=GOLD),
]


def summarize_picks(chosen):
    summary = {}
    for title, picks in chosen.items():
        summary[title] = [(pick.id, pick.position) for pick in picks]
    return summary


def test_each_sort_is_filled_by_score_and_nothing_is_shown_twice():
    chosen = choose_picks(ROWS, "test", 2)

    assert summarize_picks(chosen) == {
        "Right, where the baseline is not": [("a", 3)],
        "Right, and most certain": [("b", 0), ("a", 0)],
        "Wrong, and most certain": [("b", 2), ("b", 5)],
    }


def test_what_an_earlier_sort_has_no_room_for_is_shown_in_a_later_one():
    chosen = choose_picks(ROWS, "test", 1)

    assert summarize_picks(chosen)["Right, and least certain"] == [("a", 0)]


def test_the_order_of_the_rows_does_not_matter():
    chosen = choose_picks(ROWS[::-1], "test", 2)

    assert summarize_picks(chosen) == summarize_picks(choose_picks(ROWS, "test", 2))


def test_a_relation_is_right_where_the_baseline_is_not():
    rows = [
        RePrediction(id=f"a#{n}", split="test", model=model, gold=["r"], predicted=[label, 0.5 + n / 10])
        for model, labels in (("student", "rrs"), ("baseline", "rss"))
        for n, label in enumerate(labels)
    ]

    assert summarize_picks(choose_picks(rows, "test", 2)) == {
        "Right, where the baseline is not": [("a#1", 0)],
        "Right, and most certain": [("a#0", 0)],
        "Wrong, and most certain": [("a#2", 0)],
    }


@pytest.mark.parametrize("rows", [[], ROWS[1:2], [make_row("a", "student")]])
def test_without_predictions_of_the_student_there_is_nothing_to_show(rows):
    assert choose_picks(rows, "test", 2) == {}


def test_every_pick_is_explained_and_says_what_is_annotated(index):
    examples = build_examples([build_post("[ann](PER) lives in [rome](LOC) now ok", id="a")], "ner", {}, {})
    rows = [make_row("a", "student", [0, 1, "PER", 0.9], [3, 4, "PER", 0.8], [4, 5, "LOC", 0.5], gold=GOLD)]

    chosen = choose_picks(rows, "test", 2)

    explained = explain_picks(index, examples, chosen, 1)

    entries = list(chain.from_iterable(explained.values()))
    assert {(entry.explanation.claims[0].marks[0].text, entry.truth) for entry in entries} == {
        ("ann", "ann PER"),
        ("rome", "rome LOC"),
        ("now", "no entity"),
    }
    assert all(len(entry.explanation.claims[0].neighbours) == 1 for entry in entries)


@given(st.text(min_size=3, max_size=900), st.data())
def test_shades_join_to_the_text_or_to_what_is_near_the_mark(text, data):
    def draw_span():
        start = data.draw(st.integers(0, len(text) - 1))
        return start, data.draw(st.integers(start + 1, len(text)))

    start, end = draw_span()
    words, at = [], 0
    while at < len(text):  # words that do not overlap
        last = data.draw(st.integers(at + 1, len(text)))
        words.append(Look(at, last, text[at:last], data.draw(st.floats(0, 1))))
        at = last + data.draw(st.integers(0, 3))
    claim = Claim("PER", 0.9, [Marked(start, end, text[start:end], "PER")], [])
    pieces = shade_text(Explanation("1", text, [claim], Looks(words, 0.0, [])), claim)
    joined = "".join(piece.text for piece in pieces)
    assert joined == text if len(text) <= 400 else joined in text
    assert "".join(piece.text for piece in pieces if piece.marked) == text[start:end]
    assert all(0 <= piece.strength <= 1 for piece in pieces)
    if len(text) <= 400 and any(word.weight for word in words):
        assert max(piece.strength for piece in pieces) == 1


def test_without_attention_only_the_mark_is_shown():
    claim = Claim("PER", 0.9, [Marked(0, 3, "ann", "PER")], [])

    pieces = shade_text(Explanation("1", "ann lives", [claim], None), claim)

    assert pieces == [("ann", 0.0, True), (" lives", 0.0, False)]
