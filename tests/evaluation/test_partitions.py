"""Which bucket a label falls into, by what training showed and by the post it stands in."""

import pytest

from cotpd.data.records import NO_RELATION, Kind
from cotpd.evaluation.partitions import (
    AMBIGUOUS,
    LONG_POST,
    MIDDLE_POST,
    NEW_PAIR,
    SEEN,
    SHORT_POST,
    UNSEEN,
    WITH,
    WITHOUT,
    PostLengths,
    Subject,
    list_members,
    list_partitions,
)
from tests.builders import build_post

TRAINING = [
    build_post("[Ada Lovelace](PER) lives in [Paris](LOC)", id="a"),
    build_post("[Paris](PER) sings in [Paris](LOC)", id="b"),
    build_post("[Rome](LOC)", id="c"),
    build_post("[Rome](LOC) and [ROME](LOC) and [rome](LOC) and [Rome](LOC)", id="d"),
]


def find_bucket(by, post, label, *spans, task="ner", training=TRAINING, knowledge=None):
    partitions = {partition.by: partition for partition in list_partitions(task, training, knowledge or {})}
    return partitions[by].find_bucket(Subject.build(post, label, spans))


@pytest.mark.parametrize(
    ("text", "label", "bucket"),
    [
        ("ada  lovelace", "PER", SEEN),
        ("Ada Lovelace", "LOC", AMBIGUOUS),
        ("Paris", "LOC", AMBIGUOUS),
        ("Paris", "PER", AMBIGUOUS),
        ("Rome", "LOC", SEEN),
        ("Ada", "PER", UNSEEN),
    ],
)
def test_a_mention_is_seen_with_its_type_ambiguous_or_unseen(text, label, bucket):
    post = build_post(f"[{text}](PER)")

    assert find_bucket("seen in training", post, label, (0, len(post.tokens))) == bucket


@pytest.mark.parametrize(
    ("text", "bucket"),
    [("Oslo", "never"), ("Ada Lovelace", "once"), ("Paris", "2 to 4 times"), ("Rome", "5 to 19 times")],
)
def test_a_mention_counts_as_often_as_training_annotates_it(text, bucket):
    post = build_post(f"[{text}](PER)")

    assert find_bucket("frequency in training", post, "PER", (0, len(post.tokens))) == bucket


@pytest.mark.parametrize(("length", "bucket"), [(1, "1 token"), (3, "3 tokens"), (7, "4 tokens or more")])
def test_a_mention_is_as_long_as_its_tokens(length, bucket):
    post = build_post("a b c d e f g h")

    assert find_bucket("mention length", post, "PER", (1, 1 + length)) == bucket


PAIRS = [
    build_post("[ann](PER) married [bob](PER)", id="a", relations=[(0, 1, "couple")]),
    build_post("[ann](PER) met [joe](PER)", id="b", relations=[(0, 1, NO_RELATION)]),
]


@pytest.mark.parametrize(
    ("pair", "label", "bucket"),
    [
        ("[Ann](PER) and [Bob](PER)", "couple", SEEN),
        ("[Ann](PER) and [Bob](PER)", "friends", AMBIGUOUS),
        ("[bob](PER) and [joe](PER)", "couple", NEW_PAIR),
        ("[bob](PER) and [eve](PER)", "couple", UNSEEN),
    ],
)
def test_a_relation_is_about_its_pair(pair, label, bucket):
    post = build_post(pair)

    assert find_bucket("seen in training", post, label, (0, 1), (2, 3), task="re", training=PAIRS) == bucket


def test_a_pair_is_as_frequent_as_its_rarer_mention_and_as_far_apart_as_the_tokens_between():
    post = build_post("[bob](PER) a b c d e [ann](PER)")

    spans = [(6, 7), (0, 1)]

    assert find_bucket("frequency in training", post, "x", *spans, task="re", training=PAIRS) == "once"
    assert find_bucket("distance of the pair", post, "x", *spans, task="re", training=PAIRS) == "4 to 9 tokens"


@pytest.mark.parametrize(
    ("size", "bucket"), [(10, SHORT_POST), (11, MIDDLE_POST), (20, MIDDLE_POST), (21, LONG_POST)]
)
def test_a_long_post_is_longer_than_three_quarters_of_the_training_posts(size, bucket):
    lengths = PostLengths.measure([5, 10, 15, 20, 25])

    assert lengths.find_bucket(build_post(" ".join("a" * size))) == bucket


def test_pictures_and_answers_by_kind_divide_posts():
    knowledge = {"1": {Kind.NOUN: "a city"}, "2": {Kind.SENTENCE: "a trip"}}
    post = build_post("[Rome](LOC)", id="1", image="a.jpg")

    buckets = {
        partition.by: partition.find_bucket(Subject(post))
        for partition in list_partitions("ner", TRAINING, knowledge)
        if partition.is_of_post
    }

    assert buckets == {
        "post length": SHORT_POST,
        "picture": WITH,
        "knowledge": WITH,
        "knowledge: noun": WITH,
        "knowledge: sentence": WITHOUT,
    }


def test_an_example_belongs_to_each_bucket_that_one_of_its_labels_is_in_and_to_those_of_its_post():
    posts = [build_post("[Rome](LOC) meets [Bo](PER)", id="x"), build_post("nothing here", id="y", image="a.jpg")]
    partitions = list_partitions("ner", TRAINING, {"y": {Kind.NOUN: "a"}})

    members = list_members("ner", posts, partitions)

    assert members[f"seen in training: {SEEN}"] == {"x"}
    assert members[f"seen in training: {UNSEEN}"] == {"x"}
    assert members[f"seen in training: {AMBIGUOUS}"] == frozenset()
    assert (members[f"picture: {WITH}"], members[f"picture: {WITHOUT}"]) == ({"y"}, {"x"})
    assert (members[f"knowledge: {WITH}"], members[f"knowledge: {WITHOUT}"]) == ({"y"}, {"x"})


def test_a_pair_without_a_relation_is_in_no_bucket_of_labels():
    post = build_post("[Rome](LOC) meets [Bo](PER)", id="x", relations=[(0, 1, NO_RELATION)])

    members = list_members("re", [post], list_partitions("re", [post], {}))

    assert members[f"picture: {WITHOUT}"] == {"x#0"}
    assert not any(ids for name, ids in members.items() if name.startswith("seen in training"))
