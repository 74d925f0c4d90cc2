"""The builders that other tests stand on."""

import pytest

from tests.builders import build_post, build_posts, build_row


def test_markup_becomes_text_and_entities() -> None:
    post = build_post("so, [Ada Lovelace](PER) in [Rome](LOC)!", id="a", relations=[(0, 1, "at")], image="a.jpg")

    mentions = [(post.get_mention(entity), entity.type) for entity in post.entities]
    assert post.text == "so, Ada Lovelace in Rome!"
    assert mentions == [("Ada Lovelace", "PER"), ("Rome", "LOC")]
    assert [(relation.head, relation.tail, relation.label) for relation in post.relations] == [(0, 1, "at")]
    assert (post.id, post.image) == ("a", "a.jpg")


def test_a_mention_without_a_type_has_none() -> None:
    post = build_post("[Ada]() waves")

    assert post.entities[0].type is None


def test_a_mention_that_is_no_whole_token_is_refused() -> None:
    with pytest.raises(KeyError):
        build_post("[Ad](PER)a waves")


def test_posts_to_learn_by_heart_have_one_length_and_ids_of_their_own() -> None:
    posts = build_posts(12)

    assert len({post.id for post in posts}) == 12
    assert {len(post.tokens) for post in posts} == {5}
    assert {post.relations[0].label for post in posts} == {"lives_in", "None"}


def test_a_key_is_taken_out_of_a_row() -> None:
    row = build_row(7, text="Ada", relations=...)

    assert row["id"] == 7
    assert set(row) == {"id", "text", "entities"}
