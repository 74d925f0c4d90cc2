"""Whether a graph predicts what torch predicts: the verdict that an export carries.

The exact graph must give the same predictions, scores within a thousandth. The int8 graph may differ post by post,
and must not lose more than 0.3 points of F1.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from cotpd.counts import format_count
from cotpd.inference.export_record import ExportedBackend, Verdict
from cotpd.student.examples import Example
from cotpd.student.scoring import compute_micro_f1
from cotpd.student.tasks import Predicted, Task

LARGEST_GAP = 1e-3  # of a score, for the exact graph
LARGEST_LOSS = 0.3  # of F1 in percent, for int8
# On the posts that choose, since others will judge: half of that loss, and F1 against torch's own predictions.
_CHOSEN_LOSS, _CHOSEN_AGREEMENT = LARGEST_LOSS / 2, 98.0


class Reference(NamedTuple):
    """Held-out examples and what torch predicts for them."""

    examples: Sequence[Example]
    predictions: Sequence[Sequence[Predicted]]
    has_gold: bool
    task: Task

    def list_gold(self) -> list[set[tuple[Any, ...]]]:
        """Return what F1 is computed against: the labels, or torch's predictions where there are none."""
        if self.has_gold:
            return [self.task.select_counted_gold(example) for example in self.examples]
        return [self.task.select_counted(predictions) for predictions in self.predictions]

    def compute_f1(self, predictions: Sequence[Sequence[Predicted]]) -> float:
        """Return the F1 of predictions for the same examples, in percent."""
        counted = [self.task.select_counted(labels) for labels in predictions]
        return compute_micro_f1(self.list_gold(), counted)["f1"]


def judge(backend: ExportedBackend, predictions: Sequence[Sequence[Predicted]], reference: Reference) -> Verdict:
    """Compare a graph's predictions with torch's on the same examples."""
    pairs = list(zip(predictions, reference.predictions, strict=True))
    agreeing = [pair for pair in pairs if _list_targets(pair[0]) == _list_targets(pair[1])]
    gaps = [_find_largest_gap(*pair) for pair in agreeing]
    verdict = Verdict(
        passed=True,
        examples=len(pairs),
        same=round(len(agreeing) / len(pairs), 6),
        score_gap=max(gaps, default=0.0),
        has_gold=reference.has_gold,
        f1=reference.compute_f1(predictions),
        torch_f1=reference.compute_f1(reference.predictions),
    )
    reason = _explain_difference(verdict) if backend == "onnx" else _explain_loss(verdict, reference.task)
    return verdict.model_copy(update={"passed": not reason, "reason": reason})


def is_close(predictions: Sequence[Sequence[Predicted]], reference: Reference) -> bool:
    """Whether int8 may pass on other posts, too: as good as torch, and nearly torch's own predictions.

    With few posts F1 alone would be a matter of luck: two errors cancel each other.
    """
    loss = reference.compute_f1(reference.predictions) - reference.compute_f1(predictions)
    agreement = reference._replace(has_gold=False).compute_f1(predictions)
    return loss <= _CHOSEN_LOSS and agreement >= _CHOSEN_AGREEMENT


def _explain_difference(verdict: Verdict) -> str:
    """Return why a graph is not exact; nothing if it is."""
    if verdict.same < 1:
        different = verdict.examples - round(verdict.same * verdict.examples)
        posts = format_count(different, "post has", "posts have")
        return f"{posts} other predictions than with torch, of {verdict.examples:,}"
    if not verdict.score_gap <= LARGEST_GAP:  # NaN is refused too
        return f"a score differs by {verdict.score_gap:.4f} from torch's, more than {LARGEST_GAP}"
    return ""


def _explain_loss(verdict: Verdict, task: Task) -> str:
    """Return why a graph is too coarse; nothing if it is not."""
    loss = verdict.torch_f1 - verdict.f1
    if loss <= LARGEST_LOSS:
        return ""
    against = "" if verdict.has_gold else " against torch's own predictions, as the posts have no labels"
    return f"{task.score_name} falls by {loss:.2f} points to {verdict.f1:.2f}{against}, more than {LARGEST_LOSS}"


def _list_targets(predictions: Sequence[Predicted]) -> list[tuple[Any, ...]]:
    return [prediction.target for prediction in predictions]


def _find_largest_gap(left: Sequence[Predicted], right: Sequence[Predicted]) -> float:
    """Return the largest difference of scores of the same predictions; NaN if a score is none."""
    gaps = [abs(first.score - second.score) for first, second in zip(left, right, strict=True)]
    return max(gaps, default=0.0)
