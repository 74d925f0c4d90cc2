"""Find the mentions of a post again in a rewrite of it, to the letter, or say why that cannot be done safely.

The rule is strict: every surface form must stand in the rewrite exactly as often as it is annotated, and a post on
which the search does not even find its own annotation again is left alone. That loses rewrites that a person could
label, and never invents a label.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from cotpd.data.records import Entity, Post
from cotpd.data.tokenization import Token, tokenize

Span = tuple[int, int]
LONGEST_STRANGER = 6  # tokens


class ProjectionError(Exception):
    """The labels cannot be carried over; the message says why."""


@dataclass(frozen=True)
class Layout:
    """A text, its tokens, and where tokens begin and end."""

    text: str
    tokens: Sequence[Token]

    @classmethod
    def of(cls, text: str) -> "Layout":
        """Split a text as the tokenizer does."""
        return cls(text, tokenize(text))

    @classmethod
    def of_post(cls, post: Post) -> "Layout":
        """The tokens that a post came with."""
        joined = zip(post.tokens, post.offsets, strict=True)
        return cls(post.text, [Token(token, start, end) for token, (start, end) in joined])


def project(post: Post, rewrite: str, strangers: Container[str] = frozenset()) -> Post:
    """The rewrite as a post with the same entities, in the same order, and so with the same relations.

    Args:
        post: The annotated post.
        rewrite: Its text in other words.
        strangers: Known mentions of other posts; one that the rewrite brings in would go unlabelled.

    Returns:
        A post with the id and picture of the old one; its tokens are those of the tokenizer.

    Raises:
        ProjectionError: A mention is lost, repeated, ambiguous or overlaps another, or a stranger came in.
    """
    layout = Layout.of(rewrite)
    if not layout.tokens:
        raise ProjectionError("the rewrite is empty")
    own = _annotated(post)
    if own != find(own, Layout.of_post(post)):
        raise ProjectionError("the post marks a mention at one place and not at another, or two overlap")
    found = find(own, layout)
    for surface, spans in own.items():
        _refuse_other_count(surface, len(spans), len(found.get(surface, [])))
    _refuse_strangers(post, layout, strangers)
    return post.model_copy(
        update={
            "text": rewrite,
            "tokens": tuple(token.text for token in layout.tokens),
            "offsets": tuple((token.start, token.end) for token in layout.tokens),
            "entities": tuple(_moved(post, entity, own, found) for entity in post.entities),
        }
    )


def find(surfaces: Iterable[str], layout: Layout) -> dict[str, list[Span]]:
    """Where surface forms stand, as token spans from left to right.

    Case counts, borders are token borders, and a longer form is looked for first and keeps its characters: the
    "York" in "New York" is not found if both are looked for.
    """
    starts = {token.start: index for index, token in enumerate(layout.tokens)}
    ends = {token.end: index + 1 for index, token in enumerate(layout.tokens)}
    taken: set[int] = set()
    found: dict[str, list[Span]] = defaultdict(list)
    for surface in sorted(set(surfaces), key=lambda form: (-len(form), form)):
        at = layout.text.find(surface) if surface else -1
        while at >= 0:
            end = at + len(surface)
            if at in starts and end in ends and taken.isdisjoint(range(at, end)):
                found[surface].append((starts[at], ends[end]))
                taken.update(range(at, end))
            at = layout.text.find(surface, at + 1)
    return dict(found)


def _annotated(post: Post) -> dict[str, list[Span]]:
    """Spans of each surface form, from left to right; one form with two types cannot be told apart again."""
    types: dict[str, set[str | None]] = defaultdict(set)
    spans: dict[str, list[Span]] = defaultdict(list)
    for entity in post.entities:
        surface = post.get_mention(entity)
        types[surface].add(entity.type)
        spans[surface].append((entity.start, entity.end))
    for surface, names in types.items():
        if len(names) > 1:
            raise ProjectionError(f"{surface!r} has two types in the post")
    return {surface: sorted(found) for surface, found in spans.items()}


def _refuse_other_count(surface: str, wanted: int, there: int) -> None:
    if there < wanted:
        raise ProjectionError(f"the rewrite loses {surface!r}")
    if there > wanted:
        raise ProjectionError(f"the rewrite says {surface!r} {there} times, the post {wanted} times")


def _moved(post: Post, entity: Entity, own: dict[str, list[Span]], found: dict[str, list[Span]]) -> Entity:
    """The entity where the rewrite has it: the second of one form in the post is the second in the rewrite."""
    surface = post.get_mention(entity)
    start, end = found[surface][own[surface].index((entity.start, entity.end))]
    return entity.model_copy(update={"start": start, "end": end})


def _refuse_strangers(post: Post, layout: Layout, strangers: Container[str]) -> None:
    for first in range(len(layout.tokens)):
        for last in layout.tokens[first : first + LONGEST_STRANGER]:
            words = layout.text[layout.tokens[first].start : last.end]
            if words in strangers and words not in post.text:
                raise ProjectionError(f"the rewrite brings in {words!r}, which would go unlabelled")
