"""What the student is trained and tested on: one example a post (NER) or a pair of entities (RE).

Trade-off: an example repeats its post's text for every pair, so that each stands alone and nothing is looked up.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Literal

from pydantic import Field

from cotpd.data.records import Augmented, Entity, Kind, Post, Record
from cotpd.data.text import tokenize
from cotpd.errors import DataError

Task = Literal["ner", "re"]
Span = tuple[int, int]


class Example(Record):
    """One thing to label. Spans count tokens, end exclusive.

    ``id`` is the post's id (NER) or ``<post>#<index of the relation>`` (RE). ``entities`` holds the gold mentions
    (NER); ``head``, ``tail`` and ``label`` the pair and its gold relation (RE; no label when predicting). ``file``
    and ``line`` say where the post was read, for messages.
    """

    id: str
    text: str
    tokens: tuple[str, ...]
    offsets: tuple[Span, ...]
    entities: tuple[Entity, ...] = ()
    head: Span | None = None
    tail: Span | None = None
    label: str | None = None
    caption: str | None = None
    knowledge: dict[Kind, str] = Field(default_factory=dict)
    file: str = ""
    line: int = 0


def build_examples(
    posts: Iterable[Post],
    task: Task,
    captions: Mapping[str, str],
    knowledge: Mapping[str, Mapping[Kind, str]],
) -> list[Example]:
    """Examples of posts, in their order, with whatever caption and knowledge there is for each.

    Args:
        posts: Annotated posts.
        task: ner: one example a post; re: one a relation, so a post without relations gives none.
        captions: Captions by post id.
        knowledge: Checked answers by post id and kind.

    Raises:
        DataError: NER: two mentions overlap, or one has no type.
    """
    return [
        example
        for post in posts
        for example in _examples(post, task, captions.get(post.id), knowledge.get(post.id, {}))
    ]


def augmented_examples(
    augmented: Iterable[Augmented],
    task: Task,
    captions: Mapping[str, str],
    knowledge: Mapping[str, Mapping[Kind, str]],
) -> list[Example]:
    """Examples of augmented posts; each keeps of its source's knowledge only the kinds that still hold for it.

    The caption is the augmented post's own, or its source's if it still shows the source's picture.

    Raises:
        DataError: As for :func:`build_examples`.
    """
    examples = []
    for row in augmented:
        caption = row.caption or (captions.get(row.of) if row.post.image else None)
        kept = {k: text for k, text in knowledge.get(row.of, {}).items() if k in row.keep_knowledge}
        examples += _examples(row.post, task, caption, kept)
    return examples


def text_example(text: str) -> Example | None:
    """An example of raw text, to be labelled; None if there is no word in it."""
    tokens = tokenize(text)
    if not tokens:
        return None
    return Example(
        id="text", text=text, tokens=tuple(t.text for t in tokens), offsets=tuple((t.start, t.end) for t in tokens)
    )


def pair_example(text: str, head: Span | str, tail: Span | str) -> Example:
    """An example of a pair in raw text, the mentions as character offsets or as they stand in the text.

    Raises:
        DataError: The text is empty, or a mention is not in it.
    """
    example = text_example(text)
    if example is None:
        raise DataError("the text is empty", "Give the text that holds both mentions.")
    return example.model_copy(update={"head": _tokens_of(example, head), "tail": _tokens_of(example, tail)})


def find_mention(text: str, mention: str, start: int = 0) -> Span | None:
    """Where a mention first stands in a text, in characters; None for a blank one and where it does not stand.

    An occurrence that begins and ends with a token goes before one within a word: "Ann" is not in "Annual" while
    there is an Ann.
    """
    if not mention.strip():
        return None
    tokens = tokenize(text)
    starts, ends = {token.start for token in tokens}, {token.end for token in tokens}
    first = at = text.find(mention, start)
    while at >= 0:
        if at in starts and at + len(mention) in ends:
            return at, at + len(mention)
        at = text.find(mention, at + 1)
    return (first, first + len(mention)) if first >= 0 else None


def _tokens_of(example: Example, mention: Span | str) -> Span:
    """The tokens that a mention touches."""
    if isinstance(mention, str):
        found = find_mention(example.text, mention)
        if found is None:
            raise DataError(f"{mention!r} does not stand in {example.text!r}", "Give it as it is written there.")
        mention = found
    touched = [i for i, (a, b) in enumerate(example.offsets) if a < mention[1] and b > mention[0]]
    if not touched:
        raise DataError(f"no word at {mention[0]}:{mention[1]} of {example.text!r}", "Count characters from 0.")
    return touched[0], touched[-1] + 1


def without_labels(example: Example) -> Example:
    """The same example, its gold mentions or relation left out."""
    return example.model_copy(update={"entities": (), "label": None})


def _examples(post: Post, task: Task, caption: str | None, knowledge: Mapping[Kind, str]) -> list[Example]:
    shared = {
        "text": post.text,
        "tokens": post.tokens,
        "offsets": post.offsets,
        "caption": caption,
        "knowledge": dict(knowledge),
        "file": post.file,
        "line": post.line,
    }
    if task == "ner":
        return [Example(id=post.id, entities=_flat(post), **shared)]
    return [
        Example(
            id=f"{post.id}#{index}",
            head=_span(post.entities[relation.head]),
            tail=_span(post.entities[relation.tail]),
            label=relation.label,
            **shared,
        )
        for index, relation in enumerate(post.relations)
    ]


def _span(entity: Entity) -> Span:
    return (entity.start, entity.end)


def _flat(post: Post) -> tuple[Entity, ...]:
    """The mentions in order, once it is sure that BIO tags can express them."""
    entities = tuple(sorted(post.entities, key=_span))
    for entity in entities:
        if entity.type is None:
            raise DataError(
                f"{post.file}:{post.line}: post {post.id}: the mention {post.mention(entity)!r} has no type",
                "Give it one, or use task: re.",
            )
    for left, right in pairwise(entities):
        if right.start < left.end:
            raise DataError(
                f"{post.file}:{post.line}: post {post.id}: {post.mention(left)!r} and"
                f" {post.mention(right)!r} overlap",
                "BIO tags know no overlap: keep one of the two.",
            )
    return entities
