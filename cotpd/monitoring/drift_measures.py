"""Six measures of a window against its reference: how far it moved (PSI), and whether chance moves it that far.

With thousands of posts everything is significant, and with a hundred the PSI of two draws of one distribution is
0.1. So a measure worries only if its PSI is above a bound and its p-value, corrected for all measures by Holm's
method, is below the level.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, NamedTuple

import numpy as np

from cotpd.evaluation.significance import apply_holm
from cotpd.monitoring.observations import FIRST_WORDS, Observation
from cotpd.monitoring.shift_statistics import (
    compare_counts,
    compute_cramers_v,
    compute_permutation_p_value,
    compute_psi,
    compute_shares,
)

WATCH, WORRY = 0.1, 0.25  # PSI: the usual bounds of a moderate and of a major shift
LEVEL = 0.01  # of the corrected p-values
_BINS = 10  # of a figure: deciles of the reference


@dataclass(frozen=True)
class Definition:
    """A measure.

    Attributes:
        name: In JSON.
        title: For people.
        read: Returns the figure of a post; None leaves the post out.
        bins: Whether the figure is a number that is cut into deciles ("number"), or a small count ("count").
        advice: What to do if it has moved.
    """

    name: str
    title: str
    read: Callable[[Observation], float | None]
    bins: str
    advice: str


class Bin(NamedTuple):
    """A bin with the share of each side that lies in it."""

    name: str
    reference: float
    window: float


@dataclass(frozen=True)
class Measured:
    """A measure of the window beside its reference, and how far it has moved.

    Attributes:
        name, title, advice: As in its definition.
        reference, window: Means, or 0 for the mix of types.
        psi: The population stability index.
        test: The name of the test.
        p_value: Corrected for all measures.
        effect: Kolmogorov-Smirnov's D, or Cramér's V: 0 none, 1 complete.
        bins: What the PSI was computed from.
    """

    name: str
    title: str
    advice: str
    reference: float
    window: float
    psi: float
    test: str
    p_value: float
    effect: float
    bins: tuple[Bin, ...]

    @property
    def state(self) -> str:
        """Return worry, watch or fine."""
        if self.p_value >= LEVEL or self.psi < WATCH:
            return "fine"
        return "worry" if self.psi >= WORRY else "watch"


DEFINITIONS = (
    Definition(
        "unseen_words",
        f"words among the first {FIRST_WORDS} that no training post has",
        lambda post: None if post.unseen is None else float(min(post.unseen, 4)),
        "count",
        "The posts speak of new things: annotate some of them and train again.",
    ),
    Definition(
        "scores",
        "lowest score of a post",
        lambda post: post.score,
        "number",
        "The student is less, or otherwise, sure than it was: look at posts with low scores, and annotate some.",
    ),
    Definition(
        "mentions",
        "predictions of a post",
        lambda post: float(min(post.mentions, 5)),
        "count",
        "More or fewer mentions than before: look whether posts changed, or the student misses some.",
    ),
    Definition(
        "length",
        "words of a post",
        lambda post: float(post.words),
        "number",
        "Posts are longer or shorter: look whether another source, or a cut text, comes in.",
    ),
    Definition(
        "no_prediction",
        "posts without a prediction",
        lambda post: float(not post.mentions),
        "count",
        "More or fewer posts without any prediction: look at some of them by hand.",
    ),
)
TYPES = Definition(
    "types",
    "mix of types",
    lambda _: None,
    "types",
    "Other types than before: look whether the topic changed, or one type is taken for another.",
)


def measure_drift(reference: Sequence[Observation], window: Sequence[Observation]) -> list[Measured]:
    """Return every measure that can be compared, p-values corrected for their number."""
    results = [_measure_figure(definition, reference, window) for definition in DEFINITIONS]
    results.append(_measure_types(reference, window))
    measured = [result for result in results if result is not None]
    corrected = apply_holm([result.p_value for result in measured])
    return [
        Measured(**{**vars(result), "p_value": p_value})
        for result, p_value in zip(measured, corrected, strict=True)
    ]


def _measure_figure(
    definition: Definition, reference: Sequence[Observation], window: Sequence[Observation]
) -> Measured | None:
    """Measure a figure of posts; None if one side has none, or all have the same."""
    from scipy import stats  # noqa: PLC0415  takes a second to import, and is of an extra

    before, after = _read_figures(definition, reference), _read_figures(definition, window)
    if not len(before) or not len(after) or len(np.unique(np.concatenate([before, after]))) < 2:
        return None
    if definition.bins == "count":
        names, counts = _count_values(before, after)
        test, p_value, effect = compare_counts(counts)
    else:
        names, counts = _count_deciles(before, after)
        result = stats.ks_2samp(before, after)
        test, p_value, effect = "Kolmogorov-Smirnov", float(result.pvalue), float(result.statistic)
    return _describe(definition, float(before.mean()), float(after.mean()), test, p_value, effect, names, counts)


def _read_figures(definition: Definition, posts: Sequence[Observation]) -> np.ndarray:
    figures = map(definition.read, posts)
    return np.array([figure for figure in figures if figure is not None], dtype=float)


def _count_values(before: np.ndarray, after: np.ndarray) -> tuple[list[str], np.ndarray]:
    values = np.unique(np.concatenate([before, after]))
    counts = np.array([(side[:, None] == values).sum(0) for side in (before, after)])
    return [f"{value:g}" for value in values], counts


def _count_deciles(before: np.ndarray, after: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Count both sides in bins that hold a tenth of the reference each, fewer where many figures are equal."""
    edges = np.unique(np.quantile(before, np.linspace(0, 1, _BINS + 1)[1:-1]))
    counts = np.array(
        [np.bincount(np.searchsorted(edges, side, "left"), minlength=len(edges) + 1) for side in (before, after)]
    )
    bounds = [f"{edge:.3g}" for edge in edges]
    return [f"to {bounds[0]}", *(f"to {bound}" for bound in bounds[1:]), f"above {bounds[-1]}"], counts


def _measure_types(reference: Sequence[Observation], window: Sequence[Observation]) -> Measured | None:
    """Measure the mix of types; None with fewer than two.

    The mentions of one post are not independent, so whole posts change sides in the permutations.
    """
    observations = [*reference, *window]
    names = sorted(set(chain.from_iterable(post.types for post in observations)))
    if len(names) < 2:
        return None
    posts = np.array([[*map(post.types.get, names, repeat(0))] for post in observations])
    size = len(reference)
    counts = np.array([posts[:size].sum(0), posts[size:].sum(0)])
    if not counts.sum(1).all():
        return None
    p_value = compute_permutation_p_value(posts, size)
    return _describe(TYPES, 0.0, 0.0, "permutation of posts", p_value, compute_cramers_v(counts), names, counts)


def _describe(
    definition: Definition,
    reference: float,
    window: float,
    test: str,
    p_value: float,
    effect: float,
    names: Sequence[str],
    counts: np.ndarray,
) -> Measured:
    shares = compute_shares(counts)
    bins = tuple(Bin(name, *map(float, pair)) for name, pair in zip(names, shares.T, strict=True))
    psi = compute_psi(counts)
    return Measured(
        definition.name, definition.title, definition.advice, reference, window, psi, test, p_value, effect, bins
    )


def as_json(measured: Measured) -> dict[str, Any]:
    """Return a measure as a JSON value."""
    values = {**vars(measured), "state": measured.state}
    values["bins"] = [item._asdict() for item in measured.bins]
    return values
