"""Slices of held-out posts that a model may be worse on than on average: unseen mentions, no picture, long posts.

A slice is a set of example ids, so that any model's predictions on the posts can be cut by it. Which examples
belong to it depends on the annotated posts alone, never on a prediction: two models are compared on the same ones.
Buckets (:mod:`cotpd.evaluation.buckets`) divide single labels by the same rules, and need the training posts; the
gate of a version has no more than their hashes.
"""

from collections.abc import Iterable, Sequence

from cotpd.data.post_hashes import PostHashes
from cotpd.data.records import Entity, Post
from cotpd.evaluation.partitions import LONG_POST, PostLengths, has_picture
from cotpd.student.tasks import TaskName, find_task
from cotpd.student.tasks.base import Annotation

UNSEEN, NO_PICTURE, LONG = "unseen mentions", "no picture", "long posts"
Slices = dict[str, frozenset[str]]  # example ids by the slice's name
MINIMUM_SUPPORT = 30  # gold labels below which a score says next to nothing


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
    return build_slices_by_hashes(task, posts, PostHashes.build(list(training_posts)))


def build_slices_by_hashes(task: TaskName, posts: Sequence[Post], training_posts: PostHashes) -> Slices:
    """Return the slices of :func:`build_slices`, where only the hashes of the training posts are at hand."""
    sizes = training_posts.sizes if len(training_posts.sizes) else [len(post.tokens) for post in posts]
    lengths = PostLengths.measure(sizes)
    ids: dict[str, set[str]] = {UNSEEN: set(), NO_PICTURE: set(), LONG: set()}
    for post in posts:
        annotations = find_task(task).read_gold(post)
        examples = {annotation.id for annotation in annotations}
        ids[UNSEEN] |= {gold.id for gold in annotations if not _is_seen(post, gold, training_posts)}
        ids[NO_PICTURE] |= set() if has_picture(post) else examples
        ids[LONG] |= examples if lengths.find_bucket(post) == LONG_POST else set()
    return {name: frozenset(members) for name, members in ids.items()}


def _is_seen(post: Post, gold: Annotation, training_posts: PostHashes) -> bool:
    """Whether training posts hold each mention of an example: all of the post (NER), or head and tail (RE)."""
    pair = [Entity(start=span[0], end=span[1]) for span in (gold.head, gold.tail) if span is not None]
    mentions = map(post.get_mention, (*gold.entities, *pair))
    return all(map(training_posts.has_mention, mentions))
