"""From annotated posts to examples: one a post or a pair, with the knowledge that holds for it."""

import pytest

from cotpd.data.records import Augmented, Kind
from cotpd.errors import DataError
from cotpd.student.examples import build_augmented_examples, build_examples
from tests.builders import build_post


def test_a_relation_post_gives_one_example_a_pair_and_none_without_pairs():
    related = build_post("[ann](PER) lives in [rome](LOC)", id="p0", relations=[(0, 1, "lives_in")])
    plain = build_post("[bob](PER) works", id="p1")

    [example] = build_examples([related, plain], "re", {"p0": "a city"}, {})

    assert (example.id, example.head, example.tail, example.label) == ("p0#0", (0, 1), (3, 4), "lives_in")
    assert example.caption == "a city"


def test_overlapping_mentions_are_refused_with_their_post():
    post = build_post("[ann](PER) lives in [rome](LOC)", id="p0", file="posts.jsonl", line=1)
    overlap = post.model_copy(update={"entities": (*post.entities, post.entities[0])})

    with pytest.raises(DataError, match=r"posts.jsonl:1: post p0: 'ann' and 'ann' overlap"):
        build_examples([overlap], "ner", {}, {})


def test_a_mention_without_a_type_is_refused_with_its_post():
    untyped = build_post("[ann]() lives in rome", id="p0")

    with pytest.raises(DataError, match="p0: the mention 'ann' has no type"):
        build_examples([untyped], "ner", {}, {})


def test_an_augmented_post_keeps_only_the_knowledge_that_holds_and_its_own_caption():
    source = build_post("[ann](PER) lives in rome", id="p0")
    changed = build_post("[bob](PER) lives in rome", id="p7")
    knowledge = {"p0": {Kind.NOUN: "rome is a city", Kind.SENTENCE: "ann moved"}}
    row = Augmented(post=changed, of="p0", kind=Kind.ENTITY, keep_knowledge=(Kind.NOUN,))
    captioned = row.model_copy(update={"caption": "a house"})
    pictured = row.model_copy(update={"post": changed.model_copy(update={"image": "1.jpg"})})

    examples = build_augmented_examples([row, captioned, pictured], "ner", {source.id: "a city"}, knowledge)

    assert [example.knowledge for example in examples] == [{Kind.NOUN: "rome is a city"}] * 3
    assert [example.caption for example in examples] == [None, "a house", "a city"]
