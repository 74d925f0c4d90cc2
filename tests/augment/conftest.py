"""Annotated posts written in brackets: ``[Ada](PER) likes [Rome](LOC)``."""

import re
from collections.abc import Callable

import pytest

from cotpd.data.records import Entity, Post, Relation
from cotpd.data.tokenization import tokenize

MakePost = Callable[..., Post]
_MENTION = re.compile(r"\[([^\]]+)\]\((\w*)\)")


def marked(name: str, markup: str, relations: tuple[tuple[int, int, str], ...] = (), **more: object) -> Post:
    """A post from markup; an empty pair of brackets is a mention without a type."""
    text, spans, at = "", [], 0
    for match in _MENTION.finditer(markup):
        text += markup[at : match.start()]
        spans.append((len(text), len(text) + len(match[1]), match[2] or None))
        text += match[1]
        at = match.end()
    text += markup[at:]
    tokens = tokenize(text)
    starts = {token.start: index for index, token in enumerate(tokens)}
    ends = {token.end: index + 1 for index, token in enumerate(tokens)}
    return Post(
        id=name,
        text=text,
        tokens=tuple(token.text for token in tokens),
        offsets=tuple((token.start, token.end) for token in tokens),
        entities=tuple(Entity(start=starts[a], end=ends[b], type=kind) for a, b, kind in spans),
        relations=tuple(Relation(head=h, tail=t, label=label) for h, t, label in relations),
        **more,
    )


@pytest.fixture
def post() -> MakePost:
    return marked
