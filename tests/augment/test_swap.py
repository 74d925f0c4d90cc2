"""A swap changes the mention and nothing else, to the byte."""

import random
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotpd.augment.mentions import Mentions
from cotpd.augment.swap import Swap, draw_swap, replace_mention
from cotpd.data.records import Entity, Post
from cotpd.data.tokenization import tokenize
from tests.builders import build_post


def swap_mention(post: Post, *neighbours: Post, seed: object = 1) -> Swap | None:
    return draw_swap(post, Mentions.from_posts([post, *neighbours]), random.Random(str(seed)))


def test_the_mention_is_swapped_and_the_rest_stays_byte_for_byte() -> None:
    post = build_post("so,  [Ada](PER)'s   car (in [Rome](LOC)) 😀", id="a", relations=((0, 1, "at"),))

    swap = swap_mention(post, build_post("[Grace Brewster Hopper](PER)", id="b"))

    assert swap.post.text == "so,  Grace Brewster Hopper's   car (in Rome) 😀"
    assert [swap.post.get_mention(entity) for entity in swap.post.entities] == ["Grace Brewster Hopper", "Rome"]
    assert swap.post.relations == post.relations
    assert (swap.old, swap.new, swap.group) == ("Ada", "Grace Brewster Hopper", ("PER",))


def test_every_annotated_mention_of_the_form_is_swapped() -> None:
    swap = swap_mention(build_post("[Ada](PER) & [Ada](PER)", id="a"), build_post("[Bo](PER)", id="b"))

    assert swap.post.text == "Bo & Bo"


@pytest.mark.parametrize(
    ("markup", "neighbour"),
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
def test_without_another_name_of_its_kind_nothing_is_swapped(markup: str, neighbour: str) -> None:
    assert swap_mention(build_post(markup, id="a"), build_post(neighbour, id="b")) is None


def test_untyped_entities_are_swapped_within_their_role_and_never_within_none() -> None:
    post = build_post("[Ada]() of [Acme]()", id="a", relations=((0, 1, "/per/org/member_of"),))
    same = build_post("[Bo]() at [Zoo Inc]()", id="b", relations=((0, 1, "/per/org/member_of"),))
    unrelated = build_post("[Rome]() and [May]()", id="c", relations=((0, 1, "None"),))

    swaps = [swap_mention(post, same, unrelated, seed=seed) for seed in range(40)]

    assert {(swap.old, swap.new) for swap in swaps if swap} == {("Ada", "Bo"), ("Acme", "Zoo Inc")}
    assert swap_mention(unrelated, same) is None


def test_a_draw_depends_on_the_seed_alone() -> None:
    neighbours = [build_post(f"[Name{number}](PER)", id=str(number)) for number in range(30)]
    post = build_post("[Ada](PER) and [Bo](PER)", id="a")

    texts_in_order = [swap_mention(post, *neighbours, seed=seed).post.text for seed in range(10)]
    texts_in_reverse = [swap_mention(post, *reversed(neighbours), seed=seed).post.text for seed in range(10)]

    assert texts_in_order == texts_in_reverse
    assert len(set(texts_in_order)) > 3


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

    changed = replace_mention(post, old, new)

    assert changed.text == replace_text(post, old, new)
    for before, after in zip(post.entities, changed.entities, strict=True):
        assert after.type == before.type
        assert changed.get_mention(after) == (new if post.get_mention(before) == old else post.get_mention(before))
    assert list_tokens_outside(changed, post, old) == list_tokens_outside(post, post, old)


def replace_text(post: Post, old: str, new: str) -> str:
    """Return the text with a mention replaced, put together from the characters between the mentions."""
    text, position = "", 0
    for entity in post.entities:
        if post.get_mention(entity) == old:
            start, end = post.offsets[entity.start][0], post.offsets[entity.end - 1][1]
            text += post.text[position:start] + new
            position = end
    return text + post.text[position:]


def list_tokens_outside(post: Post, original: Post, old: str) -> list[str]:
    """Return the tokens of a post outside the entities that have the mention ``old`` in the original."""
    pairs = zip(original.entities, post.entities, strict=True)
    swapped = [entity for before, entity in pairs if original.get_mention(before) == old]
    inside = set(chain.from_iterable(range(entity.start, entity.end) for entity in swapped))
    return [token for index, token in enumerate(post.tokens) if index not in inside]
