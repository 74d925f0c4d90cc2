"""Find the mentions of a post in a rewrite of it, to the letter, or say why that cannot be done safely.

The rule is strict: every surface form must stand in the rewrite exactly as often as it is annotated. A post in
which the search does not find its own annotation is not projected at all. That loses rewrites that a person
could label, and never invents a label.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cotpd.data.records import Entity, Post, Span, TextRule
from cotpd.data.tokenization import Token, tokenize

_MAX_MENTION_LENGTH = 6  # tokens of a foreign mention that is looked for


class ProjectionError(Exception):
    """The labels cannot be carried over; the message says why."""


@dataclass(frozen=True)
class Layout:
    """A text, its tokens, and where tokens begin and end."""

    text: str
    tokens: Sequence[Token]

    @classmethod
    def from_text(cls, text: str, rule: TextRule = "social") -> "Layout":
        """Split a text into tokens."""
        return cls(text, tokenize(text, rule))

    @classmethod
    def from_post(cls, post: Post) -> "Layout":
        """Take the tokens of a post."""
        pairs = zip(post.tokens, post.offsets, strict=True)
        return cls(post.text, [Token(token, start, end) for token, (start, end) in pairs])


def project_labels(
    post: Post, rewrite: str, foreign_mentions: Container[str] = frozenset(), rule: TextRule = "social"
) -> Post:
    """Return the rewrite as a post with the same entities, in the same order, and so with the same relations.

    Args:
        post: The annotated post.
        rewrite: Its text in other words.
        foreign_mentions: Mentions of other posts; one that the rewrite introduces would have no label.
        rule: The rule by which the rewrite becomes words.

    Returns:
        A post with the id and picture of the old one, and the words that the rule makes.

    Raises:
        ProjectionError: A mention is lost, repeated, ambiguous or overlaps another one, or the rewrite
        introduces a
            foreign mention.
    """
    layout = Layout.from_text(rewrite, rule)
    if not layout.tokens:
        raise ProjectionError("the rewrite is empty")

    annotated = _group_annotated_spans(post)
    if annotated != find_surfaces(annotated, Layout.from_post(post)):
        raise ProjectionError("the post marks a mention at one place and not at another, or two overlap")

    projected = find_surfaces(annotated, layout)
    for surface, spans in annotated.items():
        _refuse_other_count(surface, len(spans), len(projected.get(surface, [])))
    _refuse_foreign_mentions(post, layout, foreign_mentions)
    return post.model_copy(
        update={
            "text": rewrite,
            "tokens": tuple(token.text for token in layout.tokens),
            "offsets": tuple((token.start, token.end) for token in layout.tokens),
            "entities": tuple(_move_entity(post, entity, annotated, projected) for entity in post.entities),
        }
    )


def find_surfaces(surfaces: Iterable[str], layout: Layout) -> dict[str, list[Span]]:
    """Return where each surface form stands, as token spans from left to right.

    Case counts, and borders are token borders. A longer form is found first and keeps its characters: of "York"
    and "New York", the text "New York" contains only the latter.
    """
    starts = {token.start: index for index, token in enumerate(layout.tokens)}
    ends = {token.end: index + 1 for index, token in enumerate(layout.tokens)}
    covered: set[int] = set()  # characters of the forms so far
    spans: dict[str, list[Span]] = defaultdict(list)
    for surface in sorted(set(surfaces), key=lambda form: (-len(form), form)):
        start = layout.text.find(surface) if surface else -1
        while start >= 0:
            end = start + len(surface)
            if start in starts and end in ends and covered.isdisjoint(range(start, end)):
                spans[surface].append((starts[start], ends[end]))
                covered.update(range(start, end))
            start = layout.text.find(surface, start + 1)
    return dict(spans)


def _group_annotated_spans(post: Post) -> dict[str, list[Span]]:
    """Return the annotated token spans of each surface form, from left to right.

    Raises:
        ProjectionError: A surface form has two types, which a search for the form cannot tell apart.
    """
    types: dict[str, set[str | None]] = defaultdict(set)
    spans: dict[str, list[Span]] = defaultdict(list)
    for entity in post.entities:
        surface = post.get_mention(entity)
        types[surface].add(entity.type)
        spans[surface].append((entity.start, entity.end))

    for surface, names in types.items():
        if len(names) > 1:
            raise ProjectionError(f"{surface!r} has two types in the post")
    return {surface: sorted(unsorted) for surface, unsorted in spans.items()}


def _refuse_other_count(surface: str, annotated: int, projected: int) -> None:
    if projected < annotated:
        raise ProjectionError(f"the rewrite loses {surface!r}")
    if projected > annotated:
        raise ProjectionError(f"the rewrite says {surface!r} {projected} times, the post {annotated} times")


def _move_entity(
    post: Post, entity: Entity, annotated: Mapping[str, list[Span]], projected: Mapping[str, list[Span]]
) -> Entity:
    """Return the entity at its position in the rewrite: the n-th of one form in the post is the n-th there too."""
    surface = post.get_mention(entity)
    number = annotated[surface].index((entity.start, entity.end))
    start, end = projected[surface][number]
    return entity.model_copy(update={"start": start, "end": end})


def _refuse_foreign_mentions(post: Post, layout: Layout, foreign_mentions: Container[str]) -> None:
    for index, first in enumerate(layout.tokens):
        for last in layout.tokens[index : index + _MAX_MENTION_LENGTH]:
            phrase = layout.text[first.start : last.end]
            if phrase in foreign_mentions and phrase not in post.text:
                raise ProjectionError(f"the rewrite brings in {phrase!r}, which would go unlabelled")
