"""What a difference between two rows means, by which rows they are: for a run, and for a study's comparisons.

A gain is *none* if its interval excludes one point of F1, and *open* if it holds both zero and one point. Testing
for zero alone would call every small test set a failure of the method.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from cotpd.evaluation.diagnoses.diagnosis import Diagnosis, build_diagnosis, format_points

WORTH_HAVING = 0.01  # F1: the smallest gain that is worth its answers
_POWER = 1.96 + 0.84  # standard errors between zero and a gain that is seen four times in five
_HALF_WIDTH = 1.96  # standard errors in half an interval


class Gain(NamedTuple):
    """The leading score of one row less that of another, in [0, 1], with its 95 % interval.

    ``first`` and ``second`` are rows: baseline, control, student, knowledge or llm.
    """

    first: str
    second: str
    split: str
    value: float
    low: float
    high: float
    posts: int
    score_name: str = "F1"
    """What the task calls its leading score."""

    @property
    def is_open(self) -> bool:
        """Whether the posts cannot tell a gain of one point from none."""
        return self.low <= 0 and self.high >= WORTH_HAVING

    @property
    def is_none(self) -> bool:
        """Whether a gain of one point is excluded, and a loss is not shown."""
        return self.high < WORTH_HAVING and not self.is_loss and self.low <= 0

    @property
    def is_loss(self) -> bool:
        """Whether the first row is shown to be worse."""
        return self.high < 0

    @property
    def needed_posts(self) -> int:
        """The posts that would show a gain of one point four times in five, rounded to two digits."""
        error = (self.high - self.low) / 2 / _HALF_WIDTH
        posts = self.posts * (_POWER * error / WORTH_HAVING) ** 2
        return int(float(f"{posts:.2g}"))

    def describe(self) -> str:
        """Return the figures as a phrase."""
        interval = f"95 % interval {format_points(self.low)} to {format_points(self.high)}"
        return (
            f"{self.first} over {self.second}: {format_points(self.value)} points of {self.score_name} on "
            f"{self.split} ({interval}, {self.posts:,} posts)"
        )


def detect_gain_faults(gains: Sequence[Gain], *, has_generator: bool) -> Iterator[Diagnosis]:
    """Yield what is wrong by the differences between rows.

    Args:
        gains: Differences on one split, each pair of rows at most once.
        has_generator: Whether the student reads generated prompt vectors.
    """
    by_pair = {(gain.first, gain.second): gain for gain in gains}
    over_baseline = by_pair.get(("student", "baseline"))
    if over_baseline is not None:
        yield from _detect_student_faults(over_baseline, has_generator)
    if gap := by_pair.get(("knowledge", "student")):
        yield from _detect_alignment(gap, over_baseline)
    if worth := by_pair.get(("knowledge", "baseline")):
        yield from _detect_useless_knowledge(worth)
    if worth := by_pair.get(("student", "control")):
        yield from _detect_lost_knowledge(worth, over_baseline)


def detect_open_questions(gains: Iterable[Gain]) -> Iterator[Diagnosis]:
    """Yield that the test posts are too few to tell, with the number that would do; nothing if they tell."""
    pending = [gain for gain in gains if gain.is_open]
    if not pending:
        return
    widest = max(pending, key=lambda gain: gain.needed_posts)
    figures = "; ".join(gain.describe() for gain in pending)
    yield build_diagnosis(
        "too_few_posts",
        widest.split,
        "Too few test posts to tell",
        f"{figures}. Each interval holds both no gain and a gain of one point. About {widest.needed_posts:,} "
        "posts would show a gain of one point four times in five.",
        "Label more posts of this split before believing or discarding the gain (data.path).",
    )


def _detect_student_faults(gain: Gain, has_generator: bool) -> Iterator[Diagnosis]:
    """Yield that the student is worse than the baseline, or no better."""
    if gain.is_loss:
        remedy = (
            "The prompt generator over-fits: lower student.prompt_length (0 leaves it out), raise student.dropout,"
            " or set train.patience; `cotpd study run ablation` compares."
            if has_generator
            else "The teachers mislead it: lower distil.alpha, raise distil.gold, or teach longer (teach.epochs)."
        )
        title = "The student is worse than the baseline"
        yield build_diagnosis("student_below_baseline", gain.split, title, f"{gain.describe()}.", remedy)
    elif gain.is_none:
        yield build_diagnosis(
            "no_gain",
            gain.split,
            "The student is no better than the baseline",
            f"{gain.describe()}: a gain of one point is excluded.",
            "Give the teachers more to teach: unlabelled posts (data.unlabelled), more of them (teach.count), or "
            "distil.way: frozen.",
        )


def _detect_alignment(gap: Gain, over_baseline: Gain | None) -> Iterator[Diagnosis]:
    """Yield that the student stays far below the knowledge view."""
    if gap.low <= WORTH_HAVING:
        return
    evidence = f"{gap.describe()}: more than one point is lost on the way."
    if over_baseline is not None and gap.value + over_baseline.value > 0:
        share = over_baseline.value / (gap.value + over_baseline.value)
        evidence += f" The student brings home {100 * share:.0f} % of the knowledge view's gain."
    yield build_diagnosis(
        "alignment",
        gap.split,
        "The student stays far below the knowledge view",
        evidence,
        "Align the two views better: raise distil.alpha or distil.temperature, average more teachers "
        "(teach.count), teach on unlabelled posts (data.unlabelled); `cotpd study run alignment` compares.",
    )


def _detect_useless_knowledge(gain: Gain) -> Iterator[Diagnosis]:
    """Yield that the knowledge view is no better than text."""
    if gain.is_none or gain.is_loss:
        end = "it is worse" if gain.is_loss else "a gain of one point is excluded"
        yield build_diagnosis(
            "useless_knowledge",
            gain.split,
            "The knowledge view is no better than text: the answers are of no use",
            f"{gain.describe()}: {end}.",
            "Read some answers beside their posts in the report, ask another model (llm.model) or with other "
            "prompts (ask.prompts), and see that the view is long enough for them (student.knowledge_length).",
        )


def _detect_lost_knowledge(gain: Gain, over_baseline: Gain | None) -> Iterator[Diagnosis]:
    """Yield that the student is no better than the control, which was taught without knowledge."""
    if not (gain.is_none or gain.is_loss):
        return
    evidence = f"{gain.describe()}: " + ("it is worse." if gain.is_loss else "a gain of one point is excluded.")
    if over_baseline is not None and over_baseline.low > 0:
        evidence += f" What it gains, {over_baseline.describe()}, is distillation without knowledge."
    yield build_diagnosis(
        "lost_knowledge",
        gain.split,
        "The student is no better than the control: the knowledge did not arrive",
        evidence,
        "If the knowledge view beats the text, give it a better way to the student: distil.alpha, "
        "distil.temperature, teach.count, unlabelled posts with answers. If not, better answers come first.",
    )
