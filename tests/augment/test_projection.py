"""Labels are carried over to the letter or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotpd.augment.projection import Layout, ProjectionError, find, project
from cotpd.data.records import Entity, Post
from cotpd.data.tokenization import join_tokens

from .conftest import marked

POST = marked("a", "[Ada Lovelace](PER) meets [Grace](PER) in [New York](LOC), not in York")


def spans(post: Post) -> list[tuple[str, str | None]]:
    return [(post.get_mention(entity), entity.type) for entity in post.entities]


def test_mentions_are_found_again_in_any_order_and_keep_their_index() -> None:
    rewrite = project(POST, "In New York, Grace says hi to Ada Lovelace!")
    assert spans(rewrite) == spans(POST)
    assert rewrite.entities[0].start > rewrite.entities[2].start
    assert rewrite.id == POST.id


def test_relations_stay_between_the_same_two() -> None:
    post = marked("a", "[Ada](PER) of [Acme](ORG)", ((0, 1, "/per/org/member_of"),))
    rewrite = project(post, "Acme has Ada")
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
        project(marked("a", markup), rewrite, strangers=frozenset({"Grace Hopper", "New York"}))


def test_a_name_that_the_post_has_unmarked_is_no_stranger() -> None:
    post = marked("a", "[Ada](PER) in rome")
    assert project(post, "rome, Ada!", strangers=frozenset({"rome"})).text == "rome, Ada!"


def test_overlapping_mentions_are_refused() -> None:
    overlap = POST.model_copy(
        update={"entities": (Entity(start=0, end=2, type="PER"), Entity(start=1, end=2, type="PER"))}
    )
    with pytest.raises(ProjectionError, match="overlap"):
        project(overlap, overlap.text)


def test_the_longer_form_keeps_its_characters() -> None:
    layout = Layout.of("York, New York and New York City")
    found = find(["York", "New York", "New York City"], layout)
    assert {form: len(places) for form, places in found.items()} == {"York": 1, "New York": 1, "New York City": 1}


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
        made = project(post, " ".join(rewrite))
    except ProjectionError:
        return
    assert made.text == " ".join(rewrite)
    assert spans(made) == spans(post)
    places = {token for entity in made.entities for token in range(entity.start, entity.end)}
    assert len(places) == sum(entity.end - entity.start for entity in made.entities), "no two overlap"
    Post.model_validate(made.model_dump())


@given(posts(), st.randoms())
def test_a_shuffled_post_is_projected_whole_or_refused(post: Post, rng) -> None:
    segments, at = [], 0
    for entity in post.entities:
        segments += [*post.tokens[at : entity.start], post.get_mention(entity)]
        at = entity.end
    segments += post.tokens[at:]
    rng.shuffle(segments)
    try:
        made = project(post, " ".join(segments))
    except ProjectionError:
        return
    assert spans(made) == spans(post)
