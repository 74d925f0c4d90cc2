"""What a cell changes about the data: each change does what it says, and nothing to the others."""

from itertools import chain
from operator import attrgetter

import pytest

from cotpd.data.records import KNOWLEDGE_KINDS, Augmented, Kind, iterate_posts
from cotpd.pipeline.workspace import UNLABELLED
from cotpd.studies.changes import MASK, Tables, apply_changes, select_data_set
from cotpd.studies.study import Changes, DataSet
from tests.builders import build_post, build_posts


@pytest.fixture
def tables():
    posts = build_posts(40)
    posts = [post.model_copy(update={"image": f"{number % 4}.jpg"}) for number, post in enumerate(posts)]
    splits = {"train": posts[:20], "test": posts[20:30], UNLABELLED: posts[30:]}
    knowledge = {}
    for post in posts:
        knowledge[post.id] = {kind: f"{kind} of {post.id} in four words" for kind in KNOWLEDGE_KINDS}
    augmented = [
        Augmented(post=posts[0].model_copy(update={"id": f"p0~{kind}"}), of="p0", kind=kind, caption="imagined")
        for kind in (Kind.STYLE, Kind.IMAGE)
    ]
    return Tables(("LOC", "ORG", "PER"), splits, {post.id: "a tower" for post in posts}, knowledge, augmented)


def list_ids(posts):
    return {post.id for post in posts}


def test_without_a_change_everything_stays(tables):
    assert apply_changes(tables, Changes()) == tables


def test_a_larger_share_of_labels_holds_the_smaller_one_and_its_augmented_posts(tables):
    shares = [apply_changes(tables, Changes(labels=share)) for share in (0.01, 0.25, 0.5, 1.0)]

    ids = [list_ids(changed.posts["train"]) for changed in shares]
    assert [len(names) for names in ids] == [1, 5, 10, 20]
    assert ids[0] < ids[1] < ids[2] < ids[3]
    for changed, names in zip(shares, ids, strict=True):
        assert {row.of for row in changed.augmented} <= names
    assert all(changed.posts[UNLABELLED] == tables.posts[UNLABELLED] for changed in shares)


def test_the_other_training_posts_may_become_unlabelled_ones(tables):
    changed = apply_changes(tables, Changes(labels=0.25, remainder="unlabelled"))

    labelled, unlabelled = list_ids(changed.posts["train"]), list_ids(changed.posts[UNLABELLED])
    assert labelled | unlabelled == list_ids(tables.posts["train"]) | list_ids(tables.posts[UNLABELLED])
    assert not labelled & unlabelled


def test_captions_go_from_augmented_posts_too(tables):
    changed = apply_changes(tables, Changes(caption=False))

    assert changed.captions == {}
    assert {row.caption for row in changed.augmented} == {None}
    assert changed.knowledge == tables.knowledge


def test_kinds_of_answers_and_of_augmented_posts_are_chosen(tables):
    changed = apply_changes(tables, Changes(kinds=("noun",), augmented=("style",)))

    assert {tuple(row) for row in changed.knowledge.values()} == {(Kind.NOUN,)}
    assert [row.kind for row in changed.augmented] == [Kind.STYLE]


def test_shuffled_answers_stay_together_in_their_split_and_none_is_at_its_own_post(tables):
    changed = apply_changes(tables, Changes(knowledge="shuffled"))

    for posts in tables.posts.values():
        names = list_ids(posts)
        sources = {changed.knowledge[name][Kind.NOUN].split()[2] for name in names}
        assert sources == names
    for name, row in changed.knowledge.items():
        assert len({text.split()[2] for text in row.values()}) == 1
        assert row != tables.knowledge[name]


def test_truncated_answers_have_half_of_their_words(tables):
    changed = apply_changes(tables, Changes(knowledge="truncated"))

    assert changed.knowledge["p0"][Kind.NOUN] == "noun of p0"


def test_one_answer_for_all_is_one_of_each_kind(tables):
    changed = apply_changes(tables, Changes(knowledge="constant"))

    assert len({tuple(row.values()) for row in changed.knowledge.values()}) == 1


def test_masked_answers_lose_the_posts_mentions_as_whole_words_in_any_case():
    labelled = build_post("[Ann](PER) saw [New York](LOC)", id="1")
    bare = build_post("Bob saw Rome today", id="2")
    knowledge = {
        "1": {Kind.NOUN: "ANN is an annual guest of New York, unlike Bob"},
        "2": {Kind.NOUN: "Bob saw the Romeo of Rome"},
    }
    tables = Tables(("PER",), {"train": [labelled], UNLABELLED: [bare]}, {}, knowledge, [])

    changed = apply_changes(tables, Changes(knowledge="masked"))

    assert changed.knowledge["1"][Kind.NOUN] == f"{MASK} is an annual guest of {MASK}, unlike Bob"
    assert changed.knowledge["2"][Kind.NOUN] == f"{MASK} saw the Romeo of {MASK}"


def test_the_two_halves_of_the_topics_share_no_picture_and_no_post(tables):
    halves = [select_data_set(tables, DataSet(topics=topics)) for topics in ("first", "second")]

    pictures = [set(map(attrgetter("image"), iterate_posts(half.posts))) for half in halves]
    assert pictures == [{"0.jpg", "1.jpg"}, {"2.jpg", "3.jpg"}]
    assert sum(len(half.posts["train"]) for half in halves) == 20
    assert [len(half.augmented) for half in halves] == [2, 0]


def test_labels_are_renamed_in_posts_augmented_posts_and_the_inventory(tables):
    renamed = select_data_set(tables, DataSet(types={"ORG": "PER", "lives_in": "at"}))

    assert renamed.types == ("LOC", "PER")
    posts = [*renamed.posts["train"], *(row.post for row in renamed.augmented)]
    entities, relations = (chain.from_iterable(map(attrgetter(name), posts)) for name in ("entities", "relations"))
    assert {entity.type for entity in entities} == {"LOC", "PER"}
    assert {relation.label for relation in relations} == {"at", "None"}


def test_labels_of_posts_are_renamed_and_a_post_without_one_stays_without(tables):
    posts = [post.model_copy(update={"label": label}) for post, label in zip(build_posts(3), "ab ", strict=True)]
    posts[2] = posts[2].model_copy(update={"label": None})
    labelled = Tables(("a", "b"), {"train": posts}, {}, {}, tables.augmented)

    renamed = select_data_set(labelled, DataSet(types={"a": "good"}))

    assert renamed.types == ("good", "b")
    assert [post.label for post in renamed.posts["train"]] == ["good", "b", None]
