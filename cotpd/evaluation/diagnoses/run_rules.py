"""What the rows of one run say of it: their gains, errors that two rows share, scores that promise too much."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from cotpd.evaluation.diagnoses.diagnosis import Diagnosis, build_diagnosis
from cotpd.evaluation.diagnoses.gain_rules import Gain, detect_gain_faults, detect_open_questions
from cotpd.evaluation.diagnoses.run_evidence import RunEvidence
from cotpd.student.tasks import Prediction

QUESTIONS = (("student", "baseline"), ("student", "control"), ("knowledge", "baseline"))
SHARED = 0.8  # of the errors of either row, beyond which both make the same ones
GAP = 0.05  # between mean score and share right, beyond which scores mislead
MINIMUM_COUNT = 30  # errors, or scored predictions, below which their shares say nothing
_SEEDS_REMEDY = "train two more seeds (dvc exp run -S seed=1, ...), and `cotpd compare` says whether they agree"
_RIGHT = 0.9  # share right at the threshold that is named


def detect_run_faults(run: RunEvidence) -> Iterator[Diagnosis]:
    """Yield the faults that predictions on the last split show."""
    questions = [gain for pair in QUESTIONS if (gain := run.compare(*pair))]
    gap = run.compare("knowledge", "student")
    yield from detect_gain_faults([*questions, *([gap] if gap else [])], has_generator=run.has_generator)
    yield from detect_open_questions(questions, seeds_remedy=_SEEDS_REMEDY)
    yield from _detect_single_seed(questions)
    yield from _detect_shared_errors(run)
    yield from _detect_misleading_scores(run)


def _detect_single_seed(gains: Sequence[Gain]) -> Iterator[Diagnosis]:
    """Yield that a shown gain rests on one training: its interval draws posts, and no seeds."""
    certain = [gain for gain in gains if gain.is_shown and gain.first == "student"]
    if certain:
        figures = "; ".join(gain.describe() for gain in certain)
        yield build_diagnosis(
            "one_seed",
            certain[0].split,
            "The gain rests on one training",
            f"{figures}. The interval draws the posts of one seed; another seed may take the gain back.",
            "Train three seeds or more (dvc exp run -S seed=1, ...) and let `cotpd compare` draw the seeds, too.",
        )


def _detect_shared_errors(run: RunEvidence) -> Iterator[Diagnosis]:
    """Yield that baseline and student make the same errors."""
    rows = run.rows.get(run.last_split, {})
    if not {"baseline", "student"} <= rows.keys() or run.has_few_posts(run.last_split):
        return
    pairs = zip(rows["baseline"], rows["student"], strict=True)
    errors = [(_list_errors(first), _list_errors(second)) for first, second in pairs]
    counts = np.array([(len(first & second), len(first | second)) for first, second in errors])  # (examples, 2)
    shared, both = counts.sum(0).tolist()
    low, high = run.estimate_interval(rows["student"], counts, _divide_columns)
    if both >= MINIMUM_COUNT and low > SHARED:
        yield build_diagnosis(
            "shared_errors",
            run.last_split,
            "Baseline and student make the same errors",
            f"Of {both:,} missed or spurious labels of either row on {run.last_split}, {shared:,} are of both: "
            f"{100 * shared / both:.1f} % (95 % interval {100 * low:.1f} to {100 * high:.1f}).",
            "More teaching will hardly move these. Look through the suspected errors of the annotation "
            "(`cotpd data suspects`), and try another encoder (student.encoder).",
        )


def _list_errors(prediction: Prediction) -> set[Any]:
    """Return the missed and the spurious labels of an example."""
    return prediction.list_counted_gold() ^ prediction.list_counted_predictions()


def _divide_columns(sums: np.ndarray) -> np.ndarray:
    """Return the first column of some sums divided by the second, (n,)."""
    shares: np.ndarray = sums[..., 0] / np.maximum(sums[..., 1], 1)
    return shares


def _detect_misleading_scores(run: RunEvidence) -> Iterator[Diagnosis]:
    """Yield that the student's scores promise more, or less, than its predictions hold."""
    predictions = run.rows.get(run.last_split, {}).get("student", ())
    judged = [prediction.list_judged_scores() for prediction in predictions]
    if sum(map(len, judged)) < MINIMUM_COUNT or run.has_few_posts(run.last_split):
        return
    counts = np.array(list(map(_sum_gaps, judged)), np.float64)  # (examples, 2)
    low, high = run.estimate_interval(predictions, counts, _divide_columns)
    if low <= GAP and high >= -GAP:
        return
    scores, right = np.array(list(chain.from_iterable(judged)), np.float64).T
    yield build_diagnosis(
        "misleading_scores",
        run.last_split,
        f"The student's scores are too {'high' if low > GAP else 'low'}",
        f"On {run.last_split} the mean score is {100 * scores.mean():.1f} % and {100 * right.mean():.1f} % are "
        f"right: a gap of {100 * counts[:, 0].sum() / len(scores):+.1f} points (95 % interval {100 * low:+.1f} to "
        f"{100 * high:+.1f}, {len(scores):,} predictions). {_describe_threshold(scores, right)}",
        "Scores are fitted on valid: label more posts there, of the kind that is predicted on. Until then choose "
        "thresholds on labelled posts, and not by the score alone.",
    )


def _sum_gaps(judged: Sequence[tuple[float, bool]]) -> tuple[float, int]:
    """Return how much more the scores of an example promise than its predictions hold, and how many these are."""
    return sum(score - is_right for score, is_right in judged), len(judged)


def _describe_threshold(scores: np.ndarray, right: np.ndarray) -> str:
    """Return from which score on nine in ten predictions are right, as a sentence."""
    order = np.argsort(-scores, kind="stable")
    shares = right[order].cumsum() / np.arange(1, len(order) + 1)
    scores = scores[order]
    is_last = np.append(scores[1:] != scores[:-1], True)  # a threshold takes all predictions of a score, or none
    enough = np.flatnonzero((shares >= _RIGHT) & is_last)
    if not len(enough):
        return "At no threshold are nine in ten right."
    return f"From a score of {scores[enough[-1]]:.2f} on, nine in ten are right."
