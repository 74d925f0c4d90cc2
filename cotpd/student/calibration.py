"""The temperature at which a model's scores mean what they say: of those near 0.9, nine in ten are right.

Trade-off: one number, so it changes no prediction and little can go wrong with few posts; it evens out confidence
that is too high or too low all over and not what is wrong with single labels (Guo et al. 2017, arXiv 1706.04599).
What is fitted is the score that is shown, a mention's probability, and not that of whole tag sequences.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cotpd.student.batches import collate, reading_order, sizes
from cotpd.student.examples import Example, without_labels
from cotpd.student.scoring import gold

if TYPE_CHECKING:
    from cotpd.student.student import Student

_LOWEST, _HIGHEST = 0.25, 8.0
_FINE = 0.01  # of the logarithm
_SPREAD = 0.3  # of the logarithm before anything is seen: with few predictions the temperature stays near 1
_SURE = 1e-6  # no score counts as surer than this


def fit_temperature(learner: "Student", examples: Sequence[Example], batch_size: int = 32) -> float:
    """The temperature at which a model's scores tell its right predictions from its wrong ones best.

    Least log loss, with a normal prior on the temperature's logarithm.

    Args:
        learner: The model, read in its own view.
        examples: Labelled ones that it was not trained on; without a prediction on them the answer is 1.
        batch_size: Examples at a time.
    """
    from scipy.optimize import minimize_scalar

    batches = list(_read(learner, examples, batch_size))

    def loss(logarithm: float) -> float:
        return _log_loss(learner, batches, math.exp(logarithm)) + (logarithm / _SPREAD) ** 2 / 2

    if not batches or math.isnan(loss(0.0)):
        return 1.0
    bounds = (math.log(_LOWEST), math.log(_HIGHEST))
    return round(math.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": _FINE}).x), 4)


Read = tuple[Tensor, Tensor, list[set[tuple[int, int, str]]]]


def _read(learner: "Student", examples: Sequence[Example], batch_size: int) -> "list[Read]":
    encoded = learner.tokens.encode([without_labels(example) for example in examples])
    read = []
    for chosen in reading_order(sizes(encoded, learner.tokens), batch_size):
        batch = collate([encoded[i] for i in chosen], learner.views[0], learner.tokens).to(learner.device)
        with torch.inference_mode():
            scores = learner.model(batch, learner.views[0])
        read.append((scores, batch.mask, [gold(examples[i]) for i in chosen]))
    return read


def _log_loss(learner: "Student", batches: "list[Read]", temperature: float) -> float:
    """Summed log loss of the predictions' scores; not a number where nothing is predicted."""
    losses = []
    for scores, mask, wanted in batches:
        for found, truth in zip(learner.model.head.decode(scores, mask, temperature), wanted, strict=True):
            for one in found:
                right = (one.start, one.end, one.label) in truth
                chance = min(max(one.score if right else 1 - one.score, _SURE), 1.0)
                losses.append(-math.log(chance))
    return sum(losses) if losses else math.nan
