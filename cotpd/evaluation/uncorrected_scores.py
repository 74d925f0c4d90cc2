"""Scores on the labels that the data set came with, beside those on corrected labels (data.corrections).

Figures on corrected labels compare with nothing published, so a split that has any shows both.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cotpd.counts import format_count
from cotpd.data.records import Post
from cotpd.evaluation.results_table import format_percent, group_predictions
from cotpd.evaluation.scores import score
from cotpd.student.examples import Example, build_examples
from cotpd.student.tasks import Prediction, TaskName, find_task

CORRECTED_LABELS = "corrected_labels.json"  # in the folder of an evaluation


def compare_label_versions(
    predictions: Sequence[Prediction],
    posts: Mapping[str, Sequence[Post]],
    originals: Mapping[str, Sequence[Post]],
    task: TaskName,
) -> dict[str, Any]:
    """Score each row on both versions of the labels, on every split that has corrected ones.

    Args:
        predictions: Predictions of every row, with the corrected gold.
        posts: By split, with corrected labels.
        originals: By split, the posts whose labels are corrected, as the data set labels them.
        task: The task.

    Returns:
        ``{split: {"posts", "left_out", "score_name", "before": {row: scores}, "after": ...}}``. Left out of both
        are examples that one of the versions does not have, such as a relation that was taken out, or a post that
        had no label.
    """
    versions: dict[str, Any] = {}
    for split, rows in group_predictions(predictions).items():
        if not originals.get(split):
            continue
        before, missing = _match_originals(posts[split], originals[split], task)
        versions[split] = {"posts": len(originals[split]), "left_out": len(missing), "before": {}, "after": {}}
        versions[split]["score_name"] = find_task(task).score_name
        for name, row_predictions in rows.items():
            comparable = [row for row in row_predictions if row.id not in missing]
            restored = [_restore_gold(row, before, task) for row in comparable]
            versions[split]["before"][name] = score(restored, task).as_dict()
            versions[split]["after"][name] = score(comparable, task).as_dict()
    return versions


def describe_versions(versions: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each split with corrected labels: scores on the data set's own labels and on these."""
    lines = []
    for split, version in versions.items():
        scores = [
            f"{name} {format_percent(version['before'][name]['f1'])} -> {format_percent(row['f1'])}"
            for name, row in version["after"].items()
        ]
        posts = format_count(version["posts"], "post has", "posts have")
        lines.append(
            f"{split}: {posts} corrected labels, so its scores do not compare with published"
            f" ones; {version.get('score_name', 'F1')} on the data set's own labels -> on the corrected ones: "
            f"{', '.join(scores)}"
        )
    return lines


def _match_originals(
    posts: Sequence[Post], originals: Sequence[Post], task: TaskName
) -> tuple[dict[str, Example], set[str]]:
    """Return the examples of the original posts by id, and the ids of examples that only one version has."""
    ids = {post.id for post in originals}
    before = {example.id: example for example in build_examples(originals, task, {}, {})}
    corrected = build_examples([post for post in posts if post.id in ids], task, {}, {})
    after = {example.id: example for example in corrected}
    missing = before.keys() ^ after.keys()
    for name in before.keys() & after.keys():
        is_unlabelled = before[name].label is None and after[name].label is not None
        if is_unlabelled or _get_pair(before[name]) != _get_pair(after[name]):
            missing.add(name)
    return before, missing


def _get_pair(example: Example) -> tuple[Any, Any]:
    return example.head, example.tail


def _restore_gold(row: Prediction, before: Mapping[str, Example], task: TaskName) -> Prediction:
    """Return a prediction with the gold of the original labels, if its example has others now."""
    if row.id not in before:
        return row
    predicted = row.predicted if isinstance(row.predicted, list) else [row.predicted]
    return find_task(task).build_prediction(before[row.id], predicted, row.split, row.model)
