"""Suspected gold errors: where readings that do not depend on one another agree against the gold label, ranked.

A suspect is one change of the gold: a stretch of mentions, or one label. The rows of a result are grouped into
families that may err together. The text family (baseline, control) has the same encoder and reads the same words;
the knowledge family (student, knowledge view) has read the caption and the answers, the student through its
teachers; the language model has seen no label at all. A change is suspected if two families predict it, or all
there are, and its score is above one half.

The parts are known from the literature: agreement of models against the gold (Reiss et al. 2020, for CoNLL-2003),
out-of-sample probabilities of the gold and of another label, set against what a model usually does with the class
(confident learning, Northcutt et al. 2021), annotators weighted by how often they are right (CROWDLAB, Goh et al.
2022), and the worst stretch instead of a mean over the post (Wang and Mueller 2022). docs/gold-errors.md measures
them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import Field

from cotpd.data.label_format import format_labels
from cotpd.data.records import Post, Record
from cotpd.evaluation.gold_error_score import (
    Habits,
    compute_score,
    count_families,
    exclude_each_other,
    judge_unscored,
)
from cotpd.evaluation.labelling_odds import Reader, compute_shares
from cotpd.evaluation.results_table import ROWS
from cotpd.student.tasks import Prediction, Task
from cotpd.student.tasks.base import Change

SUSPECTED_ERRORS = "suspected_errors.jsonl"  # in the folder of an evaluation
LEAST_SCORE = 0.5  # below it the readings hold the gold for the more probable labelling after all
DIGITS = 4


class Suspect(Record):
    """One suspected error of the gold; offsets count characters of the text, end exclusive.

    ``id`` is the post's, ``example`` that of the example: a post may have several relations. ``gold`` and
    ``suggested`` are all mentions of the post, or a label each; ``removed`` and ``added`` are the difference.
    ``pair`` holds head and tail of a relation. ``shares`` is each row's p(suggested) / (p(suggested) + p(gold)).
    """

    id: str
    split: str
    rank: int
    score: float
    text: str
    gold: list[Any]
    suggested: list[Any]
    agreeing: list[str]
    reason: str
    example: str
    removed: list[Any] = Field(default_factory=list)
    added: list[Any] = Field(default_factory=list)
    pair: list[Any] = Field(default_factory=list)
    shares: dict[str, float] = Field(default_factory=dict)


def find_label_key(task: Task) -> str:
    """Return the key under which a file holds the labels of a task."""
    return _choose_label_key(reads_pair=task.reads_pair, has_extents=task.has_extents)


def name_label_key(suspect: Suspect) -> str:
    """Return the key under which a file holds the labels that a suspect is about: entities, relations or label."""
    has_label = any(isinstance(label, str) for label in (*suspect.gold, *suspect.suggested))
    return _choose_label_key(reads_pair=bool(suspect.pair), has_extents=not has_label)


def _choose_label_key(*, reads_pair: bool, has_extents: bool) -> str:
    if has_extents:
        return "entities"
    return "relations" if reads_pair else "label"


class Candidate(NamedTuple):
    """A change of one example's gold, with the rows that predict it."""

    example_id: str
    post: Post
    changed: Post
    change: Change
    agreeing: tuple[str, ...]


_Rows = Mapping[str, Mapping[str, Prediction]]  # by row and example id


@dataclass(frozen=True)
class Evidence:
    """The posts and predictions among which suspected gold errors are looked for.

    Attributes:
        task: The task.
        predictions: Predictions of every row on every split.
        posts: Posts by split.
        readers: Rows whose model gives probabilities.
        least_score: Changes with this score or less are no suspects.
    """

    task: Task
    predictions: Sequence[Prediction]
    posts: Mapping[str, Sequence[Post]]
    readers: Sequence[Reader] = ()
    least_score: float = LEAST_SCORE


def find_suspects(evidence: Evidence) -> list[Suspect]:
    """Return the suspected gold errors of every split, split by split, the most probable of each first."""
    suspects: list[Suspect] = []
    for split in evidence.posts:
        rows = _group_rows(row for row in evidence.predictions if row.split == split)
        habits = {name: Habits.measure(predictions.values()) for name, predictions in rows.items()}
        candidates = _list_candidates(evidence, split, rows)
        shares = compute_shares(evidence.readers, candidates, evidence.task.name)
        scored = []
        for candidate, model_shares in zip(candidates, shares, strict=True):
            row_shares = _complete_shares(candidate, model_shares, rows, habits)
            scored.append(
                (compute_score(row_shares, candidate.change, candidate.agreeing, habits), candidate, row_shares)
            )
        ordered = sorted((row for row in scored if row[0] > evidence.least_score), key=lambda row: -row[0])
        for rank, (score, candidate, row_shares) in enumerate(ordered, 1):
            described = _describe(candidate, row_shares, evidence.task)
            suspects.append(Suspect(split=split, rank=rank, score=round(score, DIGITS), **described))
    return suspects


def _list_candidates(evidence: Evidence, split: str, rows: _Rows) -> list[Candidate]:
    """List the changes that enough families of rows predict, in the order of the predictions."""
    post_by_id = {post.id: post for post in evidence.posts[split]}
    least = min(2, count_families(rows))
    candidates = []
    for example_id, predictions in _group_by_example(rows).items():
        post = post_by_id.get(next(iter(predictions.values())).post_id)
        if post is None:
            continue
        for change, agreeing in _choose_changes(predictions, least):
            changed = evidence.task.apply_change(post, example_id, change)
            candidates.append(Candidate(example_id, post, changed, change, agreeing))
    return candidates


def _group_rows(predictions: Iterable[Prediction]) -> _Rows:
    """Return predictions by row, in the order of the results table, and example id."""
    rows: dict[str, dict[str, Prediction]] = {}
    for prediction in predictions:
        rows.setdefault(prediction.model, {})[prediction.id] = prediction
    order = [*ROWS, *rows]
    return {name: rows[name] for name in sorted(rows, key=order.index)}


def _group_by_example(rows: _Rows) -> dict[str, dict[str, Prediction]]:
    """Return predictions by example id and row."""
    examples: dict[str, dict[str, Prediction]] = {}
    for name, predictions in rows.items():
        for example_id, prediction in predictions.items():
            examples.setdefault(example_id, {})[name] = prediction
    return examples


def _choose_changes(predictions: Mapping[str, Prediction], least: int) -> list[tuple[Change, tuple[str, ...]]]:
    """Return the changes of one example that enough families predict, each with its rows.

    Of changes that exclude each other the one with most families is chosen, then the one with most rows.
    """
    agreeing: dict[Change, list[str]] = {}
    for name, prediction in predictions.items():
        for change in prediction.list_changes():
            agreeing.setdefault(change, []).append(name)
    ordered = sorted(agreeing.items(), key=lambda item: (-count_families(item[1]), -len(item[1])))
    chosen: dict[Change, tuple[str, ...]] = {}
    for change, names in ordered:
        is_excluded = any(exclude_each_other(change, rival) for rival in chosen)
        if count_families(names) >= least and not is_excluded:
            chosen[change] = tuple(names)
    return list(chosen.items())


def _complete_shares(
    candidate: Candidate, shares: Mapping[str, float], rows: _Rows, habits: Mapping[str, Habits]
) -> dict[str, float]:
    """Return the share of each row that read the example; a row that does not know one of the labels has none."""
    completed = {}
    for name, predictions in rows.items():
        prediction = predictions.get(candidate.example_id)
        if name in shares:
            completed[name] = shares[name]
        elif prediction is not None and not habits[name].has_scores:
            changes = prediction.list_changes()
            completed[name] = judge_unscored(changes, candidate.change, habits[name].precision)
    return completed


def _describe(candidate: Candidate, shares: Mapping[str, float], task: Task) -> dict[str, Any]:
    """Return the fields of a suspect that a reader sees."""
    post, example_id = candidate.post, candidate.example_id
    gold, suggested = (show_labels(version, example_id, task) for version in (post, candidate.changed))
    removed = [label for label in gold if label not in suggested]
    added = [label for label in suggested if label not in gold]
    return {
        "id": post.id,
        "text": post.text,
        "gold": gold,
        "suggested": suggested,
        "agreeing": list(candidate.agreeing),
        "reason": _explain(candidate, shares, removed, added),
        "example": example_id,
        "removed": removed,
        "added": added,
        "pair": _locate_pair(post, example_id, task),
        "shares": {name: round(share, DIGITS) for name, share in shares.items()},
    }


def show_labels(post: Post, example_id: str, task: Task) -> list[Any]:
    """Return the labels of one example of a post: its mentions, or one label."""
    gold = next(gold for gold in task.read_gold(post) if gold.id == example_id)
    mentions: list[Any] = format_labels(post)["entities"]
    return mentions if gold.label is None else [gold.label]


def _locate_pair(post: Post, example_id: str, task: Task) -> list[dict[str, int]]:
    """Return the characters of head and tail, if the example is a pair."""
    gold = next(gold for gold in task.read_gold(post) if gold.id == example_id)
    spans = [span for span in (gold.head, gold.tail) if span is not None]
    return [{"start": post.offsets[start][0], "end": post.offsets[end - 1][1]} for start, end in spans]


def _explain(
    candidate: Candidate, shares: Mapping[str, float], removed: Sequence[Any], added: Sequence[Any]
) -> str:
    """Say which rows put what in the place of the gold, in one sentence."""
    suggested, gold = (_join_names(candidate.post, labels) for labels in (added, removed))
    agreeing = count_families(candidate.agreeing)
    total = count_families({*shares, *candidate.agreeing})
    rows = ", ".join(candidate.agreeing)
    return f"{suggested} instead of {gold}: {rows} ({agreeing} of {total} independent readings)"


def _join_names(post: Post, labels: Sequence[Any]) -> str:
    return " and ".join(_name(post, label) for label in labels) or "nothing"


def _name(post: Post, label: Any) -> str:
    """Return a mention's words and type, or the label."""
    if isinstance(label, Mapping):
        return f"“{post.text[label['start'] : label['end']]}” {label['type']}"
    return str(label)
