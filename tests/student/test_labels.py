"""The label inventory: its order, tags to spans and back, and what lies outside it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotpd.data.records import Entity
from cotpd.errors import DataError
from cotpd.student.examples import Example
from cotpd.student.labels import LabelSet

NER = LabelSet.build("ner", ["PER", "LOC", "PER"])


def make_example(size: int, entities=()) -> Example:
    return Example(id="x", text="a" * size, tokens=("a",) * size, offsets=((0, 1),) * size, entities=entities)


def test_tags_are_ordered_whatever_the_order_given():
    assert NER.names == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


def test_relations_are_ordered_whatever_the_order_given_none_first():
    assert LabelSet.build("re", ["z", "None", "a"]).names == ("None", "a", "z")


def test_the_types_of_an_inventory_are_those_of_its_tags():
    assert NER.types == ("LOC", "PER")


@given(st.data())
def test_spans_survive_the_way_through_tags(data):
    cuts = sorted(data.draw(st.sets(st.integers(0, 12), max_size=8)))
    spans = [(a, b, data.draw(st.sampled_from(NER.types))) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    entities = tuple(Entity(start=a, end=b, type=kind) for a, b, kind in spans)

    assert NER.decode_spans(NER.encode_gold(make_example(12, entities))) == spans


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ([2, 2, 0], [(0, 2, "LOC")]),  # I- without B-, as conlleval counts it
        ([1, 4, 2], [(0, 1, "LOC"), (1, 2, "PER"), (2, 3, "LOC")]),
        ([1, 1, 2], [(0, 1, "LOC"), (1, 3, "LOC")]),
        ([1, 0, 2], [(0, 1, "LOC"), (2, 3, "LOC")]),
    ],
)
def test_irregular_tags_are_read_as_conlleval_reads_them(tags, spans):
    assert NER.decode_spans(tags) == spans


def test_a_label_outside_the_inventory_names_its_post_and_file():
    odd = make_example(3, (Entity(start=0, end=1, type="ORG"),)).model_copy(update={"file": "t.txt", "line": 9})

    with pytest.raises(DataError, match=r"t\.txt:9: post x: label 'ORG' is none of LOC, PER"):
        NER.encode_gold(odd)


def test_an_inventory_without_labels_is_refused():
    with pytest.raises(DataError, match="no relation labels"):
        LabelSet.build("re", [])


def test_bio_lets_inside_follow_only_its_own_kind():
    allowed = NER.list_successors()

    forbidden = set()
    for before, row in zip((*NER.names, "^"), allowed, strict=True):
        forbidden |= {(before, tag) for tag, is_allowed in zip(NER.names, row, strict=True) if not is_allowed}
    assert forbidden == {
        *((before, "I-LOC") for before in ("O", "B-PER", "I-PER", "^")),
        *((before, "I-PER") for before in ("O", "B-LOC", "I-LOC", "^")),
    }
