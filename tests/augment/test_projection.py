"""Labels are carried over to the letter or not at all."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotpd.augment.projection import Layout, ProjectionError, find_surfaces, project_labels
from cotpd.data.records import Entity, Post
from cotpd.data.tokenization import join_tokens
from tests.builders import build_post

POST = build_post("[Ada Lovelace](PER) meets [Grace](PER) in [New York](LOC), not in York", id="a")


def list_mentions(post: Post) -> list[tuple[str, str | None]]:
    return [(post.get_mention(entity), entity.type) for entity in post.entities]


def test_mentions_are_found_again_in_any_order_and_keep_their_index() -> None:
    rewrite = project_labels(POST, "In New York, Grace says hi to Ada Lovelace!")

    assert list_mentions(rewrite) == list_mentions(POST)
    assert rewrite.entities[0].start > rewrite.entities[2].start
    assert rewrite.id == POST.id


def test_relations_stay_between_the_same_two() -> None:
    post = build_post("[Ada](PER) of [Acme](ORG)", id="a", relations=((0, 1, "/per/org/member_of"),))

    rewrite = project_labels(post, "Acme has Ada")

    relation = rewrite.relations[0]
    assert rewrite.get_mention(rewrite.entities[relation.head]) == "Ada"
    assert rewrite.get_mention(rewrite.entities[relation.tail]) == "Acme"


@pytest.mark.parametrize(
    ("markup", "rewrite", "reason"),
    [
        ("[Ada](PER) is here", "she is here", "loses 'Ada'"),
        ("[Ada](PER) is here", "ada is here", "loses 'Ada'"),
        ("[Ada](PER) is here", "Adamant and Canada", "loses 'Ada'"),
        ("[Ada](PER) is here", "Ada is Ada", "'Ada' 2 times"),
        ("[Ada](PER) and [Ada](PER)", "one Ada", "loses 'Ada'"),
        ("[Ada](PER) uses [Ada](MISC)", "Ada uses Ada", "two types"),
        ("[Ada](PER) uses Ada", "Ada uses Ada", "at one place and not at another"),
        ("[Ada](PER) is here", " ", "empty"),
        ("[Ada](PER) is here", "Ada is with Grace Hopper", "brings in 'Grace Hopper'"),
        ("[York](LOC) wins", "New York wins", "brings in 'New York'"),
    ],
)
def test_what_cannot_be_carried_over_safely_is_refused(markup: str, rewrite: str, reason: str) -> None:
    with pytest.raises(ProjectionError, match=reason):
        project_labels(
            build_post(markup, id="a"), rewrite, foreign_mentions=frozenset({"Grace Hopper", "New York"})
        )


def test_a_name_that_the_post_has_unmarked_is_not_foreign() -> None:
    post = build_post("[Ada](PER) in rome", id="a")
    assert project_labels(post, "rome, Ada!", foreign_mentions=frozenset({"rome"})).text == "rome, Ada!"


def test_overlapping_mentions_are_refused() -> None:
    overlap = POST.model_copy(
        update={"entities": (Entity(start=0, end=2, type="PER"), Entity(start=1, end=2, type="PER"))}
    )
    with pytest.raises(ProjectionError, match="overlap"):
        project_labels(overlap, overlap.text)


def test_the_longer_form_keeps_its_characters() -> None:
    layout = Layout.from_text("York, New York and New York City")

    spans = find_surfaces(["York", "New York", "New York City"], layout)

    assert {surface: len(positions) for surface, positions in spans.items()} == {
        "York": 1,
        "New York": 1,
        "New York City": 1,
    }


words = st.lists(
    st.sampled_from(["Ada", "Bo", "ada", "New", "York", "@x", "#", "!", "😀", "na-na", "don't"]),
    min_size=1,
    max_size=9,
)


@st.composite
def posts(draw: st.DrawFn) -> Post:
    tokens = draw(words)
    text, offsets = join_tokens(tokens)
    borders = sorted(draw(st.sets(st.integers(0, len(tokens)), max_size=6)))
    pairs = list(zip(borders[::2], borders[1::2], strict=False))
    entities = [Entity(start=a, end=b, type=draw(st.sampled_from(["PER", "LOC"]))) for a, b in pairs]
    return Post(id="p", text=text, tokens=tuple(tokens), offsets=tuple(offsets), entities=tuple(entities))


@given(posts(), words)
def test_whatever_is_projected_says_the_same_mentions_in_the_same_order(post: Post, rewrite: list[str]) -> None:
    try:
        projected = project_labels(post, " ".join(rewrite))
    except ProjectionError:
        return

    assert projected.text == " ".join(rewrite)
    assert list_mentions(projected) == list_mentions(post)
    covered = list(chain.from_iterable(range(entity.start, entity.end) for entity in projected.entities))
    assert len(covered) == len(set(covered)), "no two overlap"
    Post.model_validate(projected.model_dump())


@given(posts(), st.randoms())
def test_a_shuffled_post_is_projected_whole_or_refused(post: Post, rng) -> None:
    segments, position = [], 0
    for entity in post.entities:
        segments += [*post.tokens[position : entity.start], post.get_mention(entity)]
        position = entity.end
    segments += post.tokens[position:]
    rng.shuffle(segments)

    try:
        projected = project_labels(post, " ".join(segments))
    except ProjectionError:
        return

    assert list_mentions(projected) == list_mentions(post)
