"""A swap changes the mention and nothing else, to the byte."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotpd.augment.mentions import Mentions
from cotpd.augment.swap import draw_swap, replace
from cotpd.data.records import Entity, Post
from cotpd.data.tokenization import tokenize

from .conftest import marked


def swap(post: Post, *others: Post, seed: object = 1):
    return draw_swap(post, Mentions.of([post, *others]), random.Random(str(seed)))


def test_the_mention_is_swapped_and_the_rest_stays_byte_for_byte() -> None:
    post = marked("a", "so,  [Ada](PER)'s   car (in [Rome](LOC)) 😀", ((0, 1, "at"),))
    made = swap(post, marked("b", "[Grace Brewster Hopper](PER)"))
    assert made.post.text == "so,  Grace Brewster Hopper's   car (in Rome) 😀"
    assert [made.post.get_mention(entity) for entity in made.post.entities] == ["Grace Brewster Hopper", "Rome"]
    assert made.post.relations == post.relations
    assert (made.old, made.new, made.group) == ("Ada", "Grace Brewster Hopper", ("PER",))


def test_every_annotated_mention_of_the_form_is_swapped() -> None:
    made = swap(marked("a", "[Ada](PER) & [Ada](PER)"), marked("b", "[Bo](PER)"))
    assert made.post.text == "Bo & Bo"


@pytest.mark.parametrize(
    ("markup", "other"),
    [
        ("[Ada](PER) waves", "[Rome](LOC)"),
        ("[Ada](PER) waves", "[Ada](PER)"),
        ("[Ada](PER) waves", "[ADA](PER)"),
        ("[Ada](PER) and bo", "[Bo](PER)"),
        ("no names", "[Bo](PER)"),
        ("[Ada](PER) uses [Ada](MISC)", "[Bo](PER)"),
        ("#[Ada](PER)", "[Bo Ek](PER)"),
        ("[Ada]() likes it", "[Bo]()"),
    ],
)
def test_without_another_name_of_its_kind_nothing_is_swapped(markup: str, other: str) -> None:
    assert swap(marked("a", markup), marked("b", other)) is None


def test_untyped_entities_are_swapped_within_their_role_and_never_within_none() -> None:
    post = marked("a", "[Ada]() of [Acme]()", ((0, 1, "/per/org/member_of"),))
    same = marked("b", "[Bo]() at [Zoo Inc]()", ((0, 1, "/per/org/member_of"),))
    unrelated = marked("c", "[Rome]() and [May]()", ((0, 1, "None"),))
    found = {(made.old, made.new) for seed in range(40) if (made := swap(post, same, unrelated, seed=seed))}
    assert found == {("Ada", "Bo"), ("Acme", "Zoo Inc")}
    assert swap(unrelated, same) is None


def test_a_draw_depends_on_the_seed_alone() -> None:
    others = [marked(str(number), f"[Name{number}](PER)") for number in range(30)]
    post = marked("a", "[Ada](PER) and [Bo](PER)")
    first = [swap(post, *others, seed=seed).post.text for seed in range(10)]
    assert first == [swap(post, *reversed(others), seed=seed).post.text for seed in range(10)]
    assert len(set(first)) > 3


texts = st.text(st.sampled_from("aB3 .,-'#@😀é\u0301\n\t"), min_size=1, max_size=25).filter(tokenize)
names = texts.map(str.strip).filter(tokenize)


@st.composite
def posts(draw: st.DrawFn) -> Post:
    text = draw(texts)
    tokens = tokenize(text)
    borders = sorted(draw(st.sets(st.integers(0, len(tokens)), max_size=6)))
    entities = [Entity(start=a, end=b, type="PER") for a, b in zip(borders[::2], borders[1::2], strict=False)]
    return Post(
        id="p",
        text=text,
        tokens=tuple(token.text for token in tokens),
        offsets=tuple((token.start, token.end) for token in tokens),
        entities=tuple(entities),
    )


@given(posts().filter(lambda post: post.entities), names, st.data())
def test_spans_give_the_new_mention_and_nothing_else_changes(post: Post, new: str, data: st.DataObject) -> None:
    old = post.get_mention(data.draw(st.sampled_from(post.entities)))
    made = replace(post, old, new)
    expected, at = "", 0
    for entity in post.entities:
        if post.get_mention(entity) == old:
            start, end = post.offsets[entity.start][0], post.offsets[entity.end - 1][1]
            expected += post.text[at:start] + new
            at = end
    assert made.text == expected + post.text[at:]
    for before, after in zip(post.entities, made.entities, strict=True):
        assert after.type == before.type
        assert made.get_mention(after) == (new if post.get_mention(before) == old else post.get_mention(before))
    kept = [token for index, token in enumerate(post.tokens) if not _within(index, post, old)]
    assert [token for index, token in enumerate(made.tokens) if not _moved(index, post, made, old)] == kept


def _within(index: int, post: Post, old: str) -> bool:
    return any(e.start <= index < e.end for e in post.entities if post.get_mention(e) == old)


def _moved(index: int, post: Post, made: Post, old: str) -> bool:
    pairs = zip(post.entities, made.entities, strict=True)
    return any(after.start <= index < after.end for before, after in pairs if post.get_mention(before) == old)
