"""Every post of the scored splits as data for the page's list: text, annotation, predictions, evidence.

Trade-off: the page holds all posts at once, so that it is one file and every filter is instant; it costs some
1.5 KB a post, most of it the language model's answers. Where a page would become too large for a mail or a phone,
answers are cut, and the page says to which length.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from cotpd.data.records import SPLITS, Kind, Post
from cotpd.escaping import embed_json
from cotpd.evaluation.partitions import list_members, list_partitions
from cotpd.evaluation.results_table import ROWS, group_predictions
from cotpd.evaluation.slices import Slices
from cotpd.report.evidence import NearestRow, NearPost
from cotpd.student.tasks import Prediction, TaskName, find_task
from cotpd.student.tasks.base import NO_SCORE, Marking

LARGEST = 11_000_000  # bytes of the posts; the page stays below 15 MB with its plots and tables
_LENGTHS = (None, 1000, 500, 250, 120, 60, 0)  # characters of an answer, tried in this order
Mark = list[Any]  # start and end in UTF-16 units, index of the label, score or None


@dataclass
class PostTables:
    """The posts that were prepared, and what is known about them.

    Attributes:
        posts: By split.
        captions: Checked ones, by post id.
        knowledge: Checked answers, by post id and kind.
        slices: Ids of examples by split and slice.
    """

    posts: Mapping[str, Sequence[Post]] = field(default_factory=dict)
    captions: Mapping[str, str] = field(default_factory=dict)
    knowledge: Mapping[str, Mapping[Kind, str]] = field(default_factory=dict)
    slices: Mapping[str, Slices] = field(default_factory=dict)


def list_browsable(
    task: TaskName, tables: PostTables, predictions: Sequence[Prediction], nearest: Sequence[NearestRow]
) -> dict[str, Any]:
    """Return the posts of every split that was scored, as the page's script reads them.

    Returns:
        rows, splits, labels and slices by name, which the others name by index; ``posts`` with their texts;
        ``examples`` (a post, or a pair of it); ``train``, the training posts that are named; ``cut``, the length
        to which answers were cut, or None.
    """
    for length in _LENGTHS:
        listing = _Listing(task, tables, nearest, length).build(predictions)
        if len(embed_json(listing).encode("utf-8", "replace")) <= LARGEST:
            break
    return listing


class _Listing:
    """The posts of one page, while they are gathered."""

    def __init__(
        self, task: TaskName, tables: PostTables, nearest: Sequence[NearestRow], length: int | None
    ) -> None:
        self.task, self.tables, self.length = task, tables, length
        self.labels: dict[str, int] = {}
        self.train: dict[str, int] = {}
        self.posts: list[dict[str, Any]] = []
        self.examples: list[dict[str, Any]] = []
        self.members = _list_members(task, tables)
        self.slices = list(dict.fromkeys(chain.from_iterable(self.members.values())))
        self.training_posts = {post.id: post for post in tables.posts.get("train", ())}
        self.nearest: dict[tuple[str, str], list[NearestRow]] = {}
        for row in nearest:
            self.nearest.setdefault((row.split, row.id), []).append(row)

    def build(self, predictions: Sequence[Prediction]) -> dict[str, Any]:
        groups = group_predictions(predictions)
        present = set(chain.from_iterable(groups.values()))
        for split, rows in groups.items():
            by_id = {name: _map_by_id(members) for name, members in rows.items()}
            for post in self.tables.posts.get(split, ()):
                self._add_post(split, post, by_id)
        return {
            "rows": [[name, title] for name, title in ROWS.items() if name in present],
            "splits": list(SPLITS),
            "pairs": find_task(self.task).reads_pair,
            "labels": list(self.labels),
            "slices": self.slices,
            "posts": self.posts,
            "examples": self.examples,
            "train": self._list_training_posts(),
            "cut": self.length,
        }

    def _add_post(self, split: str, post: Post, by_id: Mapping[str, Mapping[str, Prediction]]) -> None:
        """Add a post and its examples; one without an example is shown without a prediction."""
        self.posts.append(self._describe_post(post))
        ids = [annotation.id for annotation in find_task(self.task).read_gold(post)]
        for key in ids or [post.id]:
            rows = {name: members[key] for name, members in by_id.items() if key in members}
            self.examples.append(self._describe_example(split, post, key, rows))

    def _describe_post(self, post: Post) -> dict[str, Any]:
        answers = self.tables.knowledge.get(post.id, {})
        described: dict[str, Any] = {"id": post.id, "text": post.text, "words": len(post.tokens)}
        if post.id in self.tables.captions:
            described["caption"] = self._cut(self.tables.captions[post.id])
        if answers and self.length != 0:
            described["answers"] = [[kind.value, self._cut(text)] for kind, text in answers.items()]
        return described

    def _cut(self, text: str) -> str:
        return text if self.length is None or len(text) <= self.length else text[: self.length] + "…"

    def _describe_example(
        self, split: str, post: Post, key: str, rows: Mapping[str, Prediction]
    ) -> dict[str, Any]:
        described: dict[str, Any] = {
            "id": key,
            "post": len(self.posts) - 1,
            "split": SPLITS.index(split),
            "slices": [
                number
                for number, name in enumerate(self.slices)
                if key in self.members.get(split, {}).get(name, ())
            ],
            "rows": {name: self._describe_prediction(row, post) for name, row in rows.items()},
        }
        if rows:
            described["gold"] = self._describe_marking(next(iter(rows.values())).mark_gold(post), post)
        evidence = [self._describe_nearest(row, post) for row in self.nearest.get((split, key), ())]
        return described | ({"near": evidence} if evidence else {})

    def _describe_prediction(self, row: Prediction, post: Post) -> dict[str, Any]:
        described = self._describe_marking(row.mark_predicted(post), post)
        scores = {(label.span, label.label): label.score for label, _ in row.match_gold()}
        marking = row.mark_predicted(post)
        for mark, (start, end, label) in zip(described["marks"], marking.marks, strict=True):
            mark.append(_get_score(scores.get(((start, end), label))))
        described["score"] = _get_score(scores.get((None, marking.label)))
        described["right"] = row.is_right
        described["pairs"] = [list(map(self._find_label, pair)) for pair in row.pair_labels()]
        return described

    def _describe_marking(self, marking: Marking, post: Post) -> dict[str, Any]:
        marks = []
        for start, end, label in marking.marks:
            marks.append([*_find_units(post, (start, end)), self._find_label(label)])
        return {"marks": marks, "label": self._find_label(marking.label) if marking.label else None}

    def _describe_nearest(self, row: NearestRow, post: Post) -> dict[str, Any]:
        posts = list(map(self._describe_near_post, row.posts))
        span = None if row.span is None else _find_units(post, row.span)
        return {"span": span, "posts": [described for described in posts if described is not None]}

    def _describe_near_post(self, neighbour: NearPost) -> list[Any] | None:
        """Return index, similarity, label and marked span; None if the training post is not at hand any more."""
        key = neighbour.id if neighbour.id in self.training_posts else neighbour.id.rpartition("#")[0]
        if key not in self.training_posts:
            return None
        number = self.train.setdefault(key, len(self.train))
        span = None if neighbour.span is None else _find_units(self.training_posts[key], neighbour.span)
        return [number, neighbour.similarity, self._find_label(neighbour.label), span]

    def _list_training_posts(self) -> list[list[str]]:
        return [[key, self.training_posts[key].text] for key in self.train]

    def _find_label(self, label: str) -> int:
        """Return the number of a label; a new one gets the next."""
        return self.labels.setdefault(label, len(self.labels))


def _list_members(task: TaskName, tables: PostTables) -> dict[str, Slices]:
    """Return the ids of the examples in each slice, and in each bucket that holds any, by split."""
    partitions = list_partitions(task, tables.posts.get("train", ()), tables.knowledge)
    members = {split: dict(slices) for split, slices in tables.slices.items()}
    for split in members:
        buckets = list_members(task, tables.posts.get(split, ()), partitions)
        members[split] |= {name: ids for name, ids in buckets.items() if ids}
    return members


def _map_by_id(rows: Sequence[Prediction]) -> dict[str, Prediction]:
    return {row.id: row for row in rows}


def _get_score(score: float | None) -> float | None:
    """Return a score; None for a prediction without one."""
    return None if score in (None, NO_SCORE) else score


def _find_units(post: Post, span: tuple[int, int]) -> Mark:
    """Return where a span of tokens begins and ends in UTF-16 units, as JavaScript counts."""
    first, last = post.offsets[span[0]][0], post.offsets[span[1] - 1][1]
    before, inside = post.text[:first], post.text[first:last]
    start = _count_units(before)
    return [start, start + _count_units(inside)]


def _count_units(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)
