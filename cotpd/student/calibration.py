"""The temperature at which a model's scores are honest: of predictions scored near 0.9, nine in ten are right.

Trade-off: one number, so it changes no prediction and little can go wrong with few posts; it evens out confidence
that is too high or too low all over, not the errors of single labels (Guo et al. 2017, arXiv 1706.04599). The
temperature is fitted to the score that is shown, a mention's probability, and not to that of whole tag sequences.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cotpd.student.batches import collate, measure_sizes, order_for_reading
from cotpd.student.examples import Example, remove_labels

if TYPE_CHECKING:
    from cotpd.student.student import Student

_LOWEST, _HIGHEST = 0.25, 8.0
_TOLERANCE = 0.01  # of the logarithm
_PRIOR_DEVIATION = 0.3  # of the logarithm: with few predictions the temperature stays near 1
_LEAST_PROBABILITY = 1e-6  # a score of 0 for a right prediction would make the loss infinite

ScoredBatch = tuple[Tensor, Tensor, list[set[tuple[Any, ...]]]]  # scores, mask, and each example's gold


def fit_temperature(learner: "Student", examples: Sequence[Example], batch_size: int = 32) -> float:
    """Return the temperature whose scores best separate a model's right predictions from its wrong ones.

    It minimises the log loss, with a normal prior on the temperature's logarithm.

    Args:
        learner: The model, read in its own view.
        examples: Labelled examples that the model was not trained on; without a prediction the result is 1.
        batch_size: Examples at a time.
    """
    from scipy.optimize import minimize_scalar  # noqa: PLC0415  the extra pipeline

    batches = _score_batches(learner, examples, batch_size)

    def compute_loss(logarithm: float) -> float:
        penalty = (logarithm / _PRIOR_DEVIATION) ** 2 / 2
        return _compute_log_loss(learner, batches, math.exp(logarithm)) + penalty

    if not batches or math.isnan(compute_loss(0.0)):
        return 1.0
    bounds = (math.log(_LOWEST), math.log(_HIGHEST))
    result = minimize_scalar(compute_loss, bounds=bounds, method="bounded", options={"xatol": _TOLERANCE})
    return round(math.exp(result.x), 4)


def _score_batches(learner: "Student", examples: Sequence[Example], batch_size: int) -> list[ScoredBatch]:
    """Return the head's scores of all examples, in batches: they do not depend on the temperature."""
    encoder, view, task = learner.example_encoder, learner.views[0], learner.labels.definition
    encoded = encoder.encode([remove_labels(example) for example in examples])
    batches = []
    for indices in order_for_reading(measure_sizes(encoded, encoder), batch_size):
        batch = collate([encoded[index] for index in indices], view, encoder).to(learner.device)
        with torch.inference_mode():
            scores = learner.model(batch, view)
        batches.append((scores, batch.mask, [task.list_gold(examples[index]) for index in indices]))
    return batches


def _compute_log_loss(learner: "Student", batches: Sequence[ScoredBatch], temperature: float) -> float:
    """Return the summed log loss of the predictions' scores; NaN if there is no prediction."""
    losses = []
    for scores, mask, golds in batches:
        decoded = learner.model.head.decode(scores, mask, temperature)
        for predictions, gold in zip(decoded, golds, strict=True):
            for prediction in predictions:
                probability = prediction.score if prediction.target in gold else 1 - prediction.score
                losses.append(-math.log(min(max(probability, _LEAST_PROBABILITY), 1.0)))
    return sum(losses) if losses else math.nan
