"""The examples that the student is trained and tested on: one a post (NER) or a pair of entities (RE).

Trade-off: an example repeats its post's text for every pair, so that each stands alone and nothing is looked up.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import Field

from cotpd.data.records import Augmented, Entity, Kind, Post, Record, WordSplitting
from cotpd.data.tokenization import tokenize
from cotpd.data.words import SOCIAL, Text, TextInWords, read_text, split_text
from cotpd.errors import DataError
from cotpd.student.tasks import Span, TaskName, find_task


class Example(Record):
    """A text to label. Spans count tokens, end exclusive.

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
    task: TaskName,
    captions: Mapping[str, str],
    knowledge: Mapping[str, Mapping[Kind, str]],
) -> list[Example]:
    """Return the examples of posts, in their order, each with its caption and knowledge, if there are any.

    Args:
        posts: Annotated posts.
        task: ner: one example a post; re: one a relation, so a post without relations gives none.
        captions: Captions by post id.
        knowledge: Checked answers by post id and kind.

    Raises:
        DataError: NER: two mentions overlap, or one has no type.
    """
    examples = []
    for post in posts:
        examples += _build_from_post(post, task, captions.get(post.id), knowledge.get(post.id, {}))
    return examples


def build_augmented_examples(
    augmented: Iterable[Augmented],
    task: TaskName,
    captions: Mapping[str, str],
    knowledge: Mapping[str, Mapping[Kind, str]],
) -> list[Example]:
    """Return the examples of augmented posts.

    The caption is the augmented post's own, or its source's if it still shows the source's picture. Of its
    source's knowledge an augmented post keeps the kinds that still hold for it.

    Raises:
        DataError: As for :func:`build_examples`.
    """
    examples = []
    for row in augmented:
        caption = row.caption or (captions.get(row.of) if row.post.image else None)
        answers = knowledge.get(row.of, {})
        valid_answers = {kind: text for kind, text in answers.items() if kind in row.keep_knowledge}
        examples += _build_from_post(row.post, task, caption, valid_answers)
    return examples


def _build_from_post(
    post: Post, task: TaskName, caption: str | None, knowledge: Mapping[Kind, str]
) -> list[Example]:
    """Return the examples of one post: the post itself (NER), or each of its relations (RE)."""
    return [
        Example(
            id=gold.id,
            text=post.text,
            tokens=post.tokens,
            offsets=post.offsets,
            entities=gold.entities,
            head=gold.head,
            tail=gold.tail,
            label=gold.label,
            caption=caption,
            knowledge=dict(knowledge),
            file=post.file,
            line=post.line,
        )
        for gold in find_task(task).read_gold(post)
    ]


def build_text_example(text: Text, words: WordSplitting = SOCIAL) -> Example | None:
    """Return an example of a text, to be labelled; None if the text has no word.

    Args:
        text: Raw, or its words.
        words: How raw text becomes words.
    """
    text = read_text(text)
    if isinstance(text, TextInWords):
        return Example(id="text", text=text.text, tokens=text.words, offsets=text.offsets)
    tokens = split_text(text, words)
    if not tokens:
        return None
    offsets = tuple((token.start, token.end) for token in tokens)
    return Example(id="text", text=text, tokens=tuple(token.text for token in tokens), offsets=offsets)


def build_pair_example(text: Text, head: Span | str, tail: Span | str, words: WordSplitting = SOCIAL) -> Example:
    """Return an example of a pair, to be labelled.

    Args:
        text: The text that holds both mentions, raw or as words.
        head, tail: The mentions, as they stand in the text, or as offsets in characters of raw text or in words.
        words: How raw text becomes words.

    Raises:
        DataError: The text has no word, or a mention is not in it.
    """
    example = build_text_example(text, words)
    if example is None:
        raise DataError("the text is empty", "Give the text that holds both mentions.")
    if isinstance(read_text(text), TextInWords):
        head, tail = (_find_characters(example, mention) for mention in (head, tail))
    spans = {"head": _find_tokens(example, head), "tail": _find_tokens(example, tail)}
    return example.model_copy(update=spans)


def find_mention(text: str, mention: str, start: int = 0) -> Span | None:
    """Return the characters of a mention's first occurrence from ``start``; None if there is none, or it is blank.

    An occurrence of whole tokens goes before one within a word: "Ann" is not found in "Annual" while there is an
    Ann further on.
    """
    if not mention.strip():
        return None
    tokens = tokenize(text)
    starts, ends = {token.start for token in tokens}, {token.end for token in tokens}
    first = position = text.find(mention, start)

    while position >= 0:
        if position in starts and position + len(mention) in ends:
            return position, position + len(mention)
        position = text.find(mention, position + 1)
    return (first, first + len(mention)) if first >= 0 else None


def _find_characters(example: Example, mention: Span | str) -> Span | str:
    """Return the characters of a span of words; a mention that is spelt out stays.

    Raises:
        DataError: The span is none of the example's words.
    """
    if isinstance(mention, str):
        return mention
    if not 0 <= mention[0] < mention[1] <= len(example.tokens):
        raise DataError(
            f"no words at {mention[0]}:{mention[1]} of {len(example.tokens)}", "With tokens, spans count tokens."
        )
    return example.offsets[mention[0]][0], example.offsets[mention[1] - 1][1]


def _find_tokens(example: Example, mention: Span | str) -> Span:
    """Return the span of the tokens that share a character with a mention.

    Raises:
        DataError: The text does not hold the mention, or no token is at its offsets.
    """
    if isinstance(mention, str):
        span = find_mention(example.text, mention)
        if span is None:
            raise DataError(f"{mention!r} does not stand in {example.text!r}", "Give it as it is written there.")
    else:
        span = mention
    return find_touched(example.offsets, span, example.text)


def find_touched(offsets: Sequence[Span], span: Span, text: str = "") -> Span:
    """Return the words, by their offsets, that share a character with a span.

    Raises:
        DataError: There is none.
    """
    touched = [index for index, (start, end) in enumerate(offsets) if start < span[1] and end > span[0]]
    if not touched:
        raise DataError(f"no word at {span[0]}:{span[1]} of {text!r}", "Count characters from 0.")
    return touched[0], touched[-1] + 1


def split_example(example: Example, words: WordSplitting) -> Example:
    """Return an example without mentions, split by another rule; its pair takes the words that it touches."""
    tokens = split_text(example.text, words)
    offsets = tuple((token.start, token.end) for token in tokens)
    changes: dict[str, Any] = {"tokens": tuple(token.text for token in tokens), "offsets": offsets, "entities": ()}
    for name in ("head", "tail"):
        span = getattr(example, name)
        if span is not None:
            characters = example.offsets[span[0]][0], example.offsets[span[1] - 1][1]
            changes[name] = find_touched(offsets, characters, example.text)
    return example.model_copy(update=changes)


def remove_labels(example: Example) -> Example:
    """Return the example without gold mentions and gold relation; a pair stays."""
    return example.model_copy(update={"entities": (), "label": None})
