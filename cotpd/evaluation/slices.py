"""Slices of held-out posts that a model may be worse on than on average: unseen mentions, no picture, long posts.

A slice is a set of example ids, so that any model's predictions on the posts can be cut by it. Which examples
belong to it depends on the annotated posts alone, never on a prediction: two models are compared on the same ones.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import chain

import numpy as np

from cotpd.data.records import Entity, Post
from cotpd.student.tasks import Prediction, TaskName, find_task
from cotpd.student.tasks.base import Annotation

UNSEEN, NO_PICTURE, LONG = "unseen mentions", "no picture", "long posts"
Slices = dict[str, frozenset[str]]  # example ids by the slice's name
MINIMUM_SUPPORT = 30  # gold labels below which a score says next to nothing
_LONG_SHARE = 75  # percent of the training posts that a long post exceeds in words


def build_slices(task: TaskName, posts: Sequence[Post], training_posts: Iterable[Post]) -> Slices:
    """Return the ids of each slice's examples; a slice may be empty, or hold every example.

    - unseen mentions: a mention of the example is annotated in no training post (letter case and spaces aside);
    - no picture: the post came without one;
    - long posts: the post has more words than three quarters of the training posts.

    Args:
        task: Says which examples a post gives, and their ids.
        posts: The annotated held-out posts.
        training_posts: Those that the data set holds, without the augmented ones.
    """
    training_posts = list(training_posts)
    seen = set(chain.from_iterable(_list_annotated(post) for post in training_posts))
    longest = _compute_length_bound(training_posts or posts)
    ids: dict[str, set[str]] = {UNSEEN: set(), NO_PICTURE: set(), LONG: set()}
    for post in posts:
        annotations = find_task(task).read_gold(post)
        examples = {annotation.id for annotation in annotations}
        ids[UNSEEN] |= {gold.id for gold in annotations if not _list_mentions(post, gold) <= seen}
        ids[NO_PICTURE] |= examples if post.image is None else set()
        ids[LONG] |= examples if len(post.tokens) > longest else set()
    return {name: frozenset(members) for name, members in ids.items()}


def select_examples(predictions: Iterable[Prediction], ids: Collection[str]) -> list[Prediction]:
    """Return the predictions on a slice's examples, in their order."""
    return [prediction for prediction in predictions if prediction.id in ids]


def count_support(predictions: Iterable[Prediction]) -> int:
    """Return the number of gold labels that F1 counts, which :data:`MINIMUM_SUPPORT` is compared with."""
    return sum(len(prediction.list_counted_gold()) for prediction in predictions)


def _compute_length_bound(posts: Sequence[Post]) -> float:
    """Return the number of words that a long post exceeds."""
    return float(np.percentile([len(post.tokens) for post in posts], _LONG_SHARE)) if posts else 0.0


def _list_annotated(post: Post) -> set[str]:
    """Return the mentions of a training post."""
    return {_normalize(post.get_mention(entity)) for entity in post.entities}


def _list_mentions(post: Post, gold: Annotation) -> set[str]:
    """Return the mentions of an example: all of the post (NER), or head and tail (RE)."""
    pair = [Entity(start=span[0], end=span[1]) for span in (gold.head, gold.tail) if span is not None]
    return {_normalize(post.get_mention(entity)) for entity in (*gold.entities, *pair)}


def _normalize(mention: str) -> str:
    return " ".join(mention.casefold().split())
