"""What learning curves say: trained too long, or too short. They are of valid, which chooses the best epoch.

A curve's rise or fall counts once it exceeds half of the interval of that model's F1 on valid. This is cautious,
since epochs are scored on the same posts, but a curve holds no more than one figure an epoch.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cotpd.evaluation.diagnoses.diagnosis import Diagnosis, build_diagnosis
from cotpd.evaluation.diagnoses.run_evidence import RunEvidence

_SPLIT = "valid"
_ROWS = {"baseline": "baseline", "control": "control", "student": "student", "teacher": "knowledge"}
_SECTIONS = {"baseline": "baseline", "control": "train", "student": "train", "teacher": "teach"}


class Curve(NamedTuple):
    """The score on valid by epoch, in points, the loss by epoch, and half of the interval of the score."""

    model: str
    scores: Sequence[float]
    losses: Sequence[float]
    half_width: float
    score_name: str

    @property
    def best(self) -> int:
        """The best epoch, from 0; the last of several, as training keeps it."""
        return max(range(len(self.scores)), key=lambda epoch: (self.scores[epoch], epoch))


def detect_curve_faults(run: RunEvidence) -> Iterator[Diagnosis]:
    """Yield what the learning curves of the run's models show."""
    for model, epochs in run.histories.items():
        half_width = run.estimate_half_width(_SPLIT, _ROWS[model])
        scores = _read_scores(epochs)
        if half_width is None or len(scores) < 2:
            continue
        losses = [float(epoch["loss"]) for epoch in epochs if "loss" in epoch]
        curve = Curve(model, scores, losses, 100 * half_width, run.score_name)
        yield from _detect_overfitting(curve)
        yield from _detect_rising_curve(curve)


def _read_scores(epochs: Sequence[Mapping[str, Any]]) -> list[float]:
    """Return F1 on valid by epoch, in the view by which the best epoch is chosen; none if valid has no labels."""
    names = [name for name in (epochs[0] if epochs else {}) if name.startswith("valid.") and name.endswith(".f1")]
    return [float(epoch[names[0]]) for epoch in epochs if names and names[0] in epoch]


def _detect_overfitting(curve: Curve) -> Iterator[Diagnosis]:
    """Yield that F1 falls after the best epoch while the loss goes on falling."""
    best, section = curve.best, _SECTIONS[curve.model]
    fall = curve.scores[best] - curve.scores[-1]
    is_learning = len(curve.losses) == len(curve.scores) and curve.losses[-1] < curve.losses[best]
    if fall > curve.half_width and is_learning:
        yield build_diagnosis(
            "overfitting",
            _SPLIT,
            f"The {curve.model} over-fits",
            f"{curve.score_name} on valid falls by {fall:.2f} points, from {curve.scores[best]:.2f} after epoch "
            f"{best + 1} to {curve.scores[-1]:.2f} after epoch {len(curve.scores)}, while the loss falls from "
            f"{curve.losses[best]:.3f} to {curve.losses[-1]:.3f}. {_describe_width(curve)}",
            f"The best epoch is kept, so only time is lost. Set {section}.patience or lower {section}.epochs; "
            "for a better best epoch raise student.dropout, or add labelled or augmented posts.",
        )


def _detect_rising_curve(curve: Curve) -> Iterator[Diagnosis]:
    """Yield that the last epoch is the best one, and that F1 rose plainly in the second half."""
    middle, section = (len(curve.scores) - 1) // 2, _SECTIONS[curve.model]
    rise = curve.scores[-1] - curve.scores[middle]
    if curve.best == len(curve.scores) - 1 and rise > curve.half_width:
        yield build_diagnosis(
            "still_rising",
            _SPLIT,
            f"The {curve.model} was still learning when its training ended",
            f"The last of {len(curve.scores)} epochs is the best: {curve.score_name} on valid rose by {rise:.2f} "
            f"points, from {curve.scores[middle]:.2f} after epoch {middle + 1} to {curve.scores[-1]:.2f}. "
            f"{_describe_width(curve)}",
            f"Train longer: raise {section}.epochs.",
        )


def _describe_width(curve: Curve) -> str:
    return f"The 95 % interval of its {curve.score_name} on valid is ± {curve.half_width:.2f}."
