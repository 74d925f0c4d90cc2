"""BIO tags and spans: the reading is seqeval's default one, and what can be written is read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from cotpd.data.bio import TypedSpan, decode_tags, encode_spans, split_tag

EVERY_TAG = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-MISC", "I-MISC")
TAGS = st.lists(st.sampled_from(EVERY_TAG), max_size=12)


@st.composite
def span_lists(draw: st.DrawFn) -> tuple[list[TypedSpan], int]:
    borders = sorted(draw(st.sets(st.integers(0, 15), max_size=10)))
    pairs = list(zip(borders[::2], borders[1::2], strict=False))
    labels = draw(st.lists(st.sampled_from(["PER", "B-ORG", "LOC"]), min_size=len(pairs), max_size=len(pairs)))
    return [TypedSpan(start, end, label) for (start, end), label in zip(pairs, labels, strict=True)], 15


@given(TAGS)
def test_any_tags_are_read_as_seqeval_reads_them(tags: list[str]) -> None:
    expected = [(start, last + 1, label) for label, start, last in get_entities(tags)]

    spans, _ = decode_tags(tags)

    assert spans == expected


@given(span_lists())
def test_spans_survive_being_written_as_tags(case: tuple[list[TypedSpan], int]) -> None:
    spans, length = case

    tags = encode_spans(spans, length)

    assert len(tags) == length
    assert decode_tags(tags) == (spans, 0)


@given(TAGS)
def test_writing_what_was_read_mends_orphans_and_changes_nothing_else(tags: list[str]) -> None:
    spans, orphans = decode_tags(tags)

    mended = encode_spans(spans, len(tags))

    changed = [(old, new) for old, new in zip(tags, mended, strict=True) if old != new]
    assert len(changed) == orphans
    assert all(old == "I" + new[1:] and new.startswith("B-") for old, new in changed)


@pytest.mark.parametrize(
    ("tags", "spans", "orphans"),
    [
        (["I-PER", "I-PER"], [(0, 2, "PER")], 1),
        (["B-PER", "I-LOC"], [(0, 1, "PER"), (1, 2, "LOC")], 1),
        (["B-PER", "B-PER"], [(0, 1, "PER"), (1, 2, "PER")], 0),
        (["B-PER", "O", "I-PER"], [(0, 1, "PER"), (2, 3, "PER")], 1),
        ([], [], 0),
    ],
)
def test_orphans_open_entities_and_are_counted(tags: list[str], spans: list[tuple], orphans: int) -> None:
    assert decode_tags(tags) == (spans, orphans)


@pytest.mark.parametrize("tag", ["", "B", "B-", "S-PER", "PER", "b-PER", "B_PER", "X"])
def test_what_is_no_bio_tag_is_refused_by_name(tag: str) -> None:
    with pytest.raises(ValueError, match="not a BIO tag"):
        decode_tags(["O", tag])


def test_a_type_may_hold_a_dash() -> None:
    assert split_tag("B-per-song") == ("B", "per-song")


@pytest.mark.parametrize("spans", [[(0, 2, "A"), (1, 3, "B")], [(2, 2, "A")], [(3, 5, "A")], [(-1, 1, "A")]])
def test_spans_that_bio_cannot_express_are_refused(spans: list[tuple[int, int, str]]) -> None:
    with pytest.raises(ValueError, match="the entity at tokens"):
        encode_spans(spans, 4)
