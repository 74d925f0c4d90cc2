"""Whether to worry about a window, why, and what to do."""

from dataclasses import dataclass
from typing import Any

from cotpd.counts import format_count
from cotpd.errors import DataError
from cotpd.monitoring.drift_measures import LEVEL, WATCH, WORRY, Measured, as_json, measure_drift
from cotpd.monitoring.reference_profile import ReferenceProfile
from cotpd.monitoring.scored_window import Window

LEAST_WINDOW, LEAST_REFERENCE = 200, 30  # posts
_MOST_UNREADABLE = 0.05  # of the rows


@dataclass(frozen=True)
class Verdict:
    """A comparison.

    Attributes:
        measures: Those that worry first.
        warnings: What makes the comparison weaker, as sentences.
        posts: Compared ones of the window.
        rows: All of the window.
        unreadable: Rows without a post or prediction.
        reference_posts: Posts of the reference.
        window_model, reference_model: As far as they are known.
    """

    measures: tuple[Measured, ...]
    warnings: tuple[str, ...]
    posts: int
    rows: int
    unreadable: int
    reference_posts: int
    window_model: dict[str, Any]
    reference_model: dict[str, Any]

    @property
    def worries(self) -> list[Measured]:
        """Return the measures that worry."""
        return [measure for measure in self.measures if measure.state == "worry"]

    @property
    def headline(self) -> str:
        """Return the answer in one sentence."""
        if self.worries:
            return f"Worry: {_join(self.worries)} moved."
        watched = [measure for measure in self.measures if measure.state == "watch"]
        if watched:
            return f"No need to worry; watch {_join(watched)}."
        return "No need to worry: the window looks like the reference."

    def as_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return {
            "worry": bool(self.worries),
            "headline": self.headline,
            "why": [measure.name for measure in self.worries],
            "do": [measure.advice for measure in self.worries],
            "warnings": list(self.warnings),
            "posts": self.posts,
            "rows": self.rows,
            "unreadable": self.unreadable,
            "reference_posts": self.reference_posts,
            "window_model": self.window_model,
            "reference_model": self.reference_model,
            "bounds": {"watch": WATCH, "worry": WORRY, "level": LEVEL},
            "measures": [as_json(measure) for measure in self.measures],
        }


def judge_window(window: Window, profile: ReferenceProfile) -> Verdict:
    """Compare a window with a reference.

    Raises:
        DataError: One of them has too few posts to tell a shift from chance.
    """
    for side, posts, least in (
        ("window", window.observations, LEAST_WINDOW),
        ("reference", profile.observations, LEAST_REFERENCE),
    ):
        if len(posts) < least:
            count = format_count(len(posts), "post")
            problem = f"the {side} has {count}; below {least} a shift cannot be told from chance"
            raise DataError(problem, "Gather more posts, for example of a longer time.")
    order = {"worry": 0, "watch": 1, "fine": 2}
    measures = sorted(
        measure_drift(profile.observations, window.observations),
        key=lambda measure: (order[measure.state], -measure.psi),
    )
    return Verdict(
        tuple(measures),
        tuple(_list_warnings(window, profile)),
        len(window.observations),
        window.rows,
        window.unreadable,
        len(profile.observations),
        window.notes,
        profile.model,
    )


def _list_warnings(window: Window, profile: ReferenceProfile) -> list[str]:
    warnings = []
    if window.notes.get("digest", profile.model.get("digest")) != profile.model.get("digest"):
        warnings.append(
            "The window was scored by another model than the reference: scores and types may differ by that."
        )
    if window.unreadable > _MOST_UNREADABLE * max(1, window.rows):
        share = window.unreadable / window.rows
        warnings.append(f"{share:.0%} of the rows could not be read: look at their quarantine first.")
    if all(post.score is None for post in window.observations):
        warnings.append("The window has no scores, so they are not compared.")
    if len(profile.observations) < LEAST_WINDOW:
        warnings.append(f"The reference has {len(profile.observations)} posts alone: small shifts stay unseen.")
    return warnings


def _join(measures: list[Measured]) -> str:
    titles = [measure.title for measure in measures]
    return " and ".join([", ".join(titles[:-1]), titles[-1]] if len(titles) > 1 else titles)
