"""Ways to divide held-out labels into buckets: by what training showed of a mention, length, picture, knowledge.

A label falls into a bucket by its own properties. For a gold label these are the gold mention's, for a false
positive the predicted mention's: the predicted span is looked up in the training posts, with the predicted type.
So each right label counts in one bucket, a missed one where it stands in the gold, a spurious one where the model
put it; a mention found with the wrong type may miss in one bucket and be spurious in another.

Trade-off: precision of a bucket is then about predictions that look like the bucket, not about posts that belong
there. Dividing posts instead would blame a bucket for the spurious mentions beside its own.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np

from cotpd.data.post_hashes import hash_mention, normalize_words
from cotpd.data.records import KNOWLEDGE_KINDS, Entity, Kind, Post, Span
from cotpd.student.tasks import TaskName, find_task
from cotpd.student.tasks.base import Annotation

SEEN, AMBIGUOUS = "seen with this label", "seen with other or several labels"
NEW_PAIR, UNSEEN = "mentions seen, not as a pair", "unseen"
WITH, WITHOUT = "with", "without"
SHORT_POST, MIDDLE_POST, LONG_POST = "short", "middle", "long"
_FREQUENCIES = ((0, "never"), (1, "once"), (4, "2 to 4 times"), (19, "5 to 19 times"), (None, "20 times or more"))
_TOKENS = ((1, "1 token"), (2, "2 tokens"), (3, "3 tokens"), (None, "4 tokens or more"))
_DISTANCES = ((3, "up to 3 tokens"), (9, "4 to 9 tokens"), (None, "10 tokens or more"))
_UNSEEN_SHARES = ((0, "all"), (0.2, "at least four in five"), (None, "fewer"))
_Steps = Sequence[tuple[float | None, str]]


class Subject(NamedTuple):
    """A label that is put into a bucket, with the tokens that it is about and the hashes of these mentions."""

    post: Post
    label: str = ""
    spans: Sequence[Span] = ()
    mentions: tuple[int, ...] = ()

    @classmethod
    def build(cls, post: Post, label: str, spans: Sequence[Span]) -> "Subject":
        """Return a label of a post with the hashes of its mentions."""
        mentions = (hash_mention(post.get_mention(Entity(start=start, end=end))) for start, end in spans)
        return cls(post, label, spans, tuple(mentions))


@dataclass(frozen=True)
class Partition:
    """One way to divide labels, and the names of its buckets in their order."""

    by: str
    buckets: tuple[str, ...]
    find_bucket: Callable[[Subject], str]
    is_of_post: bool = False
    """Whether the post alone decides, so that one without labels has a bucket, too."""


class PostLengths(NamedTuple):
    """The lengths, in words, up to which a post is short, and beyond which it is long."""

    short: float
    long: float

    @classmethod
    def measure(cls, sizes: Sequence[int] | np.ndarray) -> "PostLengths":
        """Return the quartiles of the training posts' lengths; any post is long where there are none."""
        return cls(*np.percentile(sizes, [25, 75]).tolist()) if len(sizes) else cls(0.0, 0.0)

    def find_bucket(self, post: Post) -> str:
        """Return short, middle or long."""
        if len(post.tokens) > self.long:
            return LONG_POST
        return SHORT_POST if len(post.tokens) <= self.short else MIDDLE_POST


class TrainingLabels(NamedTuple):
    """Counts of the training posts: the labels of each mention or pair, each mention's number, the words."""

    labels: Mapping[tuple[int, ...], Counter[str]]
    mentions: Counter[int]
    words: frozenset[str]
    lengths: PostLengths

    @classmethod
    def build(cls, task: TaskName, posts: Sequence[Post]) -> "TrainingLabels":
        """Count the labels of training posts; letter case and spaces of a mention do not count."""
        labels: dict[tuple[int, ...], Counter[str]] = {}
        for subject in chain.from_iterable(_list_subjects(task, post) for post in posts):
            labels.setdefault(subject.mentions, Counter())[subject.label] += 1
        mentions = Counter(chain.from_iterable(map(_hash_mentions, posts)))
        words = chain.from_iterable(normalize_words(post.text) for post in posts)
        return cls(labels, mentions, frozenset(words), PostLengths.measure([len(post.tokens) for post in posts]))

    def find_seen_bucket(self, subject: Subject) -> str:
        """Return whether training showed a mention, or a pair, and with which label."""
        labels = self.labels.get(subject.mentions)
        if labels:
            return SEEN if set(labels) == {subject.label} else AMBIGUOUS
        is_new_pair = len(subject.mentions) > 1 and all(self.mentions[mention] for mention in subject.mentions)
        return NEW_PAIR if is_new_pair else UNSEEN

    def find_frequency_bucket(self, subject: Subject) -> str:
        """Return how often training showed the mention; of a pair, the rarer one."""
        return _find_step(min(self.mentions[mention] for mention in subject.mentions), _FREQUENCIES)

    def find_word_bucket(self, subject: Subject) -> str:
        """Return how many of a post's words training showed."""
        words = normalize_words(subject.post.text)
        return _find_step(sum(word not in self.words for word in words) / len(words), _UNSEEN_SHARES)


def list_partitions(
    task: TaskName, training_posts: Sequence[Post], knowledge: Mapping[str, Mapping[Kind, str]]
) -> list[Partition]:
    """Return the partitions of a task's labels: those of mentions where its labels are about mentions.

    Args:
        task: Says which labels a post has, and whether each is about a mention, a pair, or the post as a whole.
        training_posts: Those of the data set, without the augmented ones.
        knowledge: Checked answers by post id and kind.
    """
    training = TrainingLabels.build(task, training_posts)
    most_mentions = max(map(len, training.labels), default=0)
    partitions = list(_list_mention_partitions(training, most_mentions))
    lengths = training.lengths
    partitions.append(_divide_posts("post length", lengths.find_bucket, (SHORT_POST, MIDDLE_POST, LONG_POST)))
    if not most_mentions:
        buckets = tuple(name for _, name in _UNSEEN_SHARES)
        partitions.append(Partition("words seen", buckets, training.find_word_bucket, is_of_post=True))
    partitions.append(_divide_posts("picture", has_picture))
    partitions.append(_divide_posts("knowledge", lambda post: bool(knowledge.get(post.id))))
    answered = set(chain.from_iterable(knowledge.values()))
    kinds = [kind for kind in KNOWLEDGE_KINDS if kind in answered]
    return [*partitions, *(_divide_by_kind(kind, knowledge) for kind in kinds)]


def list_members(
    task: TaskName, posts: Sequence[Post], partitions: Sequence[Partition]
) -> dict[str, frozenset[str]]:
    """Return the ids of the examples that hold a gold label of each bucket, by partition and bucket.

    Where the post alone decides, all of its examples belong to the bucket, those without a label as well.
    """
    ids: dict[str, set[str]] = {}
    uncounted = find_task(task).uncounted
    for post in posts:
        for annotation in find_task(task).read_gold(post):
            labelled = ((label, spans) for label, spans in _list_labelled_spans(annotation) if label != uncounted)
            subjects = [Subject.build(post, *pair) for pair in labelled]
            for partition in partitions:
                members = [Subject(post)] if partition.is_of_post else subjects
                for bucket in map(partition.find_bucket, members):
                    ids.setdefault(f"{partition.by}: {bucket}", set()).add(annotation.id)
    names = chain.from_iterable(map(_name_buckets, partitions))
    return {name: frozenset(ids.get(name, ())) for name in names}


def _name_buckets(partition: Partition) -> list[str]:
    return [f"{partition.by}: {bucket}" for bucket in partition.buckets]


def has_picture(post: Post) -> bool:
    """Whether a post came with a picture."""
    return post.image is not None


def _list_mention_partitions(training: TrainingLabels, most_mentions: int) -> Iterator[Partition]:
    """Yield the partitions of labels that are about mentions; none if no label is."""
    if not most_mentions:
        return
    seen = (SEEN, AMBIGUOUS, NEW_PAIR, UNSEEN) if most_mentions > 1 else (SEEN, AMBIGUOUS, UNSEEN)
    yield Partition("seen in training", seen, training.find_seen_bucket)
    yield Partition("frequency in training", _list_names(_FREQUENCIES), training.find_frequency_bucket)
    yield Partition("mention length", _list_names(_TOKENS), _find_mention_length)
    if most_mentions > 1:
        yield Partition("distance of the pair", _list_names(_DISTANCES), _find_distance)


def _divide_posts(
    by: str, decide: Callable[[Post], bool | str], buckets: tuple[str, ...] = (WITH, WITHOUT)
) -> Partition:
    """Return a partition by the post alone, from a function that returns the bucket, or whether it is WITH."""

    def find_bucket(subject: Subject) -> str:
        bucket = decide(subject.post)
        return bucket if isinstance(bucket, str) else (WITH if bucket else WITHOUT)

    return Partition(by, buckets, find_bucket, is_of_post=True)


def _divide_by_kind(kind: Kind, knowledge: Mapping[str, Mapping[Kind, str]]) -> Partition:
    return _divide_posts(f"knowledge: {kind}", lambda post: kind in knowledge.get(post.id, {}))


def _list_subjects(task: TaskName, post: Post) -> Iterator[Subject]:
    """Yield the gold labels of a post, each with what it is about."""
    for annotation in find_task(task).read_gold(post):
        for label, spans in _list_labelled_spans(annotation):
            if spans:
                yield Subject.build(post, label, spans)


def _list_labelled_spans(annotation: Annotation) -> Iterable[tuple[str, list[Span]]]:
    """Return the labels of an example with their spans: a mention's own, or head and tail of a pair."""
    if annotation.label is None:
        return [(str(entity.type), [(entity.start, entity.end)]) for entity in annotation.entities]
    pair = [span for span in (annotation.head, annotation.tail) if span is not None]
    return [(annotation.label, pair)]


def _hash_mentions(post: Post) -> list[int]:
    """Return the hash of each annotated mention, one that has two types once."""
    spans = {(entity.start, entity.end): entity for entity in post.entities}
    return [hash_mention(post.get_mention(entity)) for entity in spans.values()]


def _find_mention_length(subject: Subject) -> str:
    return _find_step(max(end - start for start, end in subject.spans), _TOKENS)


def _find_distance(subject: Subject) -> str:
    """Return how many tokens lie between the mentions of a pair."""
    first, second = sorted(subject.spans)
    return _find_step(second[0] - first[1], _DISTANCES)


def _find_step(value: float, steps: _Steps) -> str:
    """Return the name of the first step that a value does not exceed; the last step has no bound."""
    return next(name for bound, name in steps if bound is None or value <= bound)


def _list_names(steps: _Steps) -> tuple[str, ...]:
    return tuple(name for _, name in steps)
