"""Posts that came back from an annotation tool, as corrections of the data set that went out."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from cotpd.data.correction_file import Correction
from cotpd.data.corrections import mend_post
from cotpd.data.label_format import compute_text_digest, format_labels
from cotpd.data.load import Dataset
from cotpd.data.readers.values import RowError
from cotpd.data.records import Post
from cotpd.data.split_checks import Inventory


class Imported(NamedTuple):
    """Corrections, how many posts came back as they were, and a line for each that does not fit."""

    corrections: list[Correction]
    unchanged: int
    problems: list[str]


def import_corrections(
    dataset: Dataset, annotated: Iterable[Post], key: str, *, by: str = "", reason: str = ""
) -> Imported:
    """Compare posts with those of a data set, and return the differences as corrections.

    Args:
        dataset: The data set, without corrections.
        annotated: The posts as the annotation tool returned them, found by their ids.
        key: Which labels were looked at: entities, relations or label. The others are not compared.
        by: Who corrected them.
        reason: Why.
    """
    posts: dict[str, tuple[str, Post]] = {}
    for split, rows in dataset.posts.items():
        posts |= {post.id: (split, post) for post in rows}
    inventory = Inventory(dataset.types, dataset.labels, dataset.classes)
    corrections: list[Correction] = []
    problems: list[str] = []
    unchanged = 0
    for row in annotated:
        try:
            split, post = _find_post(row, posts)
            labels = _read_labels(row, post, key)
            if labels is None and post.label is not None:
                raise RowError("it came back without a label", "Label it in the tool, or leave it out.")
            if labels == _sort_labels(format_labels(post)[key]):
                unchanged += 1
                continue
            digest = compute_text_digest(row.text)
            values = {"text_sha256": digest, "by": by, "reason": reason, key: labels}
            correction = Correction(id=row.id, split=split, **values)
            mend_post(post, correction, inventory)
            corrections.append(correction)
        except RowError as error:
            remedy = f" ({error.remedy})" if error.remedy else ""
            problems.append(f"{row.file}:{row.line}: post {row.id}: {error.reason}{remedy}")
    return Imported(corrections, unchanged, problems)


def _find_post(row: Post, posts: dict[str, tuple[str, Post]]) -> tuple[str, Post]:
    """Return the data set's post of the same id, and its split; refuse another text."""
    if row.id not in posts:
        raise RowError("the data set has no such post", "Export it with its id.")
    if posts[row.id][1].text != row.text:
        raise RowError("its text is another than the data set's", "Export the posts anew.")
    return posts[row.id]


def _read_labels(row: Post, post: Post, key: str) -> Any:
    """Return the labels of a row as a correction writes them, the ends of relations among the post's mentions.

    Raises:
        RowError: A relation joins a mention that the post does not have.
    """
    labels = format_labels(row)[key]
    if key != "relations":
        return _sort_labels(labels)
    numbers: dict[tuple[int, int] | None, int] = {
        (entity.start, entity.end): number for number, entity in enumerate(post.entities)
    }
    spans = [_find_tokens(row, number, post) for number in range(len(row.entities))]
    for label in labels:
        for end in ("head", "tail"):
            span = spans[label[end]]
            if span not in numbers:
                mention = row.get_mention(row.entities[label[end]])
                raise RowError(f"the post has no mention {mention!r}", "Correct mentions first (task: ner).")
            label[end] = numbers[span]
    return _sort_labels(labels)


def _find_tokens(row: Post, number: int, post: Post) -> tuple[int, int] | None:
    """Return the tokens of the post that one of the row's mentions covers; None if it cuts a token."""
    entity = row.entities[number]
    start, end = row.offsets[entity.start][0], row.offsets[entity.end - 1][1]
    starts = [index for index, span in enumerate(post.offsets) if span[0] == start]
    ends = [index for index, span in enumerate(post.offsets) if span[1] == end]
    return (starts[0], ends[0] + 1) if starts and ends else None


def _sort_labels(labels: Any) -> Any:
    """Return labels in one order: tools write them in the order in which they were made."""
    if not isinstance(labels, list):
        return labels
    return sorted(labels, key=lambda label: tuple(label.values())[:2])
