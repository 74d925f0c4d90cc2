"""The losses of a data set that is written in a format: a line for each part that the format cannot hold."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cotpd.counts import format_count
from cotpd.data.records import Post
from cotpd.data.tokenization import tokenize
from cotpd.data.word_choice import find_text_rule

_BLANK = re.compile(r"\s")


@dataclass(frozen=True)
class Holds:
    """The parts of a data set that a format can hold.

    Attributes:
        ids: The posts' own ids.
        order: The order of the posts.
        texts: The text between the words.
        tokens: Words that are not those of the rule by which a reader splits the texts.
        images, captions: A picture's name; a caption and an LLM's answers.
        labels: The labels of whole posts.
        relations: Relations between mentions.
        untyped: Mentions without a type, and mentions that overlap.
        blanks: Blanks inside a type, a label or a given word.
    """

    ids: bool = True
    order: bool = True
    texts: bool = True
    tokens: bool = True
    images: bool = True
    captions: bool = True
    labels: bool = True
    relations: bool = True
    untyped: bool = True
    blanks: bool = True


_COUNTS: dict[str, tuple[str, str, Callable[[Post], int]]] = {
    "ids": ("id of a post", "ids of posts", lambda _: 1),
    "order": ("position of a post", "positions of posts: they are read in the order of their ids", lambda _: 1),
    "texts": (
        "text whose words are not joined by single blanks",
        "texts whose words are not joined by single blanks",
        lambda post: post.text != " ".join(post.tokens),
    ),
    "images": ("name of a picture", "names of pictures", lambda post: post.image is not None),
    "captions": (
        "caption or answer",
        "captions and answers",
        lambda post: (post.caption is not None) + len(post.knowledge),
    ),
    "labels": ("label of a post", "labels of posts", lambda post: post.label is not None),
    "relations": ("relation", "relations", lambda post: len(post.relations)),
    "untyped": (
        "mention without a type",
        "mentions without a type",
        lambda post: sum(entity.type is None for entity in post.entities),
    ),
    "blanks": (
        "type, label or word with blanks, for which _ is written",
        "types, labels and words with blanks, for which _ is written",
        lambda post: count_blanks(post),
    ),
}
"""By the field of Holds: one loss in words, several of them, and the number of a post's losses."""


def list_losses(posts: Iterable[Post], holds: Holds) -> list[str]:
    """List what posts lose, a line for each kind of thing; empty if nothing is lost."""
    posts = list(posts)
    counts: Counter[str] = Counter()
    lost = [name for name in _COUNTS if not getattr(holds, name)]
    for post in posts:
        for name in lost:
            counts[name] += int(_COUNTS[name][2](post))
    losses = [format_count(counts[name], *_COUNTS[name][:2]) for name in lost if counts[name]]
    own_words = 0 if holds.tokens else count_own_words(posts)
    return losses + ([f"{format_count(own_words, 'post')} with words of their own"] if own_words else [])


def count_own_words(posts: Sequence[Post]) -> int:
    """Count the posts whose words are not those of the rule by which a reader splits their texts."""
    rule = find_text_rule(posts)
    count = 0
    for post in posts:
        words = tuple(token.text for token in tokenize(post.text, rule))
        count += words != post.tokens
    return count


def count_blanks(post: Post) -> int:
    """Count the types, labels and words of a post that hold a blank."""
    names = [entity.type or "" for entity in post.entities] + [relation.label for relation in post.relations]
    return sum(bool(_BLANK.search(name)) for name in (*names, *post.tokens))


def replace_blanks(name: str) -> str:
    """Return a name as a column holds it, with _ for each blank."""
    return _BLANK.sub("_", name)
