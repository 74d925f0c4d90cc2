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
FEW_POSTS = 20  # below which a bootstrap says little: that of one post has an interval of no width
_GENERATOR_REMEDY = (
    "The prompt generator may over-fit: lower student.prompt_length (0 leaves it out), raise student.dropout, "
    "or set train.patience. `cotpd study run ablation` compares."
)
_TEACHERS_REMEDY = (
    "The teachers mislead it: lower distil.alpha, raise distil.gold, or teach longer (teach.epochs)."
)


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
    name: str = ""
    """What the difference is called; "first over second" if it has no name of its own."""

    @property
    def has_few_posts(self) -> bool:
        """Whether the posts are too few for any interval to be believed."""
        return self.posts < FEW_POSTS

    @property
    def is_open(self) -> bool:
        """Whether the posts cannot tell a gain of one point from none."""
        return self.has_few_posts or (self.low <= 0 and self.high >= WORTH_HAVING)

    @property
    def is_shown(self) -> bool:
        """Whether the first row is shown to be better."""
        return self.low > 0 and not self.has_few_posts

    @property
    def is_none(self) -> bool:
        """Whether a gain of one point is excluded, and a loss is not shown."""
        return not self.has_few_posts and self.high < WORTH_HAVING and not self.is_loss and self.low <= 0

    @property
    def is_loss(self) -> bool:
        """Whether the first row is shown to be worse."""
        return self.high < 0 and not self.has_few_posts

    @property
    def needed_posts(self) -> int:
        """The posts that would show a gain of one point four times in five, rounded to two digits."""
        error = (self.high - self.low) / 2 / _HALF_WIDTH
        posts = self.posts * (_POWER * error / WORTH_HAVING) ** 2
        return int(float(f"{posts:.2g}"))

    def describe(self) -> str:
        """Return the figures as a phrase."""
        name = self.name or f"{self.first} over {self.second}"
        interval = f"95 % interval {format_points(self.low)} to {format_points(self.high)}"
        return (
            f"{name}: {format_points(self.value)} points of {self.score_name} on {self.split} "
            f"({interval}, {self.posts:,} post{'s' * (self.posts != 1)})"
        )


def detect_gain_faults(gains: Sequence[Gain], *, has_generator: bool) -> Iterator[Diagnosis]:
    """Yield what is wrong by the differences between rows.

    Args:
        gains: Differences on one split, each pair of rows at most once.
        has_generator: Whether the student reads generated prompt vectors.
    """
    by_pair = {(gain.first, gain.second): gain for gain in gains}
    over_baseline, worth = by_pair.get(("student", "baseline")), by_pair.get(("knowledge", "baseline"))
    if over_baseline is not None:
        yield from _detect_student_faults(over_baseline, worth, has_generator)
    if gap := by_pair.get(("knowledge", "student")):
        yield from _detect_alignment(gap, over_baseline)
    if worth is not None:
        yield from _detect_useless_knowledge(worth)
    if over_control := by_pair.get(("student", "control")):
        yield from _detect_lost_knowledge(over_control, over_baseline)


def detect_open_questions(gains: Iterable[Gain], *, seeds_remedy: str = "") -> Iterator[Diagnosis]:
    """Yield that the test posts are too few to tell, with the number that would do; nothing if they tell.

    Args:
        gains: The differences that are asked about.
        seeds_remedy: How to train more seeds; "" if there are several.
    """
    pending = [gain for gain in gains if gain.is_open]
    if not pending:
        return
    widest = max(pending, key=lambda gain: gain.needed_posts)
    figures = "; ".join(gain.describe() for gain in pending)
    yield build_diagnosis(
        "too_few_posts",
        widest.split,
        "Too few test posts to tell",
        f"{figures}. {_describe_doubt(widest)}",
        _propose_seeds(pending, seeds_remedy)
        + "Label more posts of this split before believing or discarding the gain (data.path).",
    )


def _describe_doubt(widest: Gain) -> str:
    """Return why the posts cannot tell, and how many would; a bootstrap of very few posts cannot even say that."""
    if widest.has_few_posts:
        return f"A bootstrap of fewer than {FEW_POSTS} posts says little, however narrow its interval."
    return (
        "Each interval holds both no gain and a gain of one point. "
        f"About {widest.needed_posts:,} posts would show a gain of one point four times in five."
    )


def _propose_seeds(pending: Sequence[Gain], seeds_remedy: str) -> str:
    """Return what to do first where an estimate is a loss that a shown gain of one point would not make up for."""
    if not seeds_remedy or not any(gain.value < -WORTH_HAVING for gain in pending):
        return ""
    return f"An estimate is a loss, which may be this seed's alone: {seeds_remedy}. "


def _detect_student_faults(gain: Gain, worth: Gain | None, has_generator: bool) -> Iterator[Diagnosis]:
    """Yield that the student is worse than the baseline, or no better."""
    if gain.is_loss:
        evidence, remedy = f"{gain.describe()}.", _GENERATOR_REMEDY if has_generator else _TEACHERS_REMEDY
        if worth is not None and worth.value <= 0:
            evidence += f" Its source has nothing to give either: {worth.describe()}."
            remedy = (
                f"Better answers come first: other prompts (ask.prompts) or another model (llm.model). {remedy}"
            )
        title = "The student is worse than the baseline"
        yield build_diagnosis("student_below_baseline", gain.split, title, evidence, remedy)
    elif gain.is_none:
        yield build_diagnosis(
            "no_gain",
            gain.split,
            "The student is no better than the baseline",
            f"{gain.describe()}: a gain of one point is excluded.",
            "Give the teachers more to teach: with distil.way: frozen, teach on unlabelled posts "
            "(data.unlabelled) and average more teachers (teach.count).",
        )


def _detect_alignment(gap: Gain, over_baseline: Gain | None) -> Iterator[Diagnosis]:
    """Yield that the student stays far below the knowledge view."""
    if gap.has_few_posts or gap.low <= WORTH_HAVING:
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
        "Align the two views better: raise distil.alpha or distil.temperature; with distil.way: frozen also "
        "average more teachers (teach.count) and teach on unlabelled posts (data.unlabelled). "
        "`cotpd study run alignment` compares.",
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
    if over_baseline is not None and over_baseline.is_shown:
        evidence += f" What it gains, {over_baseline.describe()}, is distillation without knowledge."
    yield build_diagnosis(
        "lost_knowledge",
        gain.split,
        "The student is no better than the control: the knowledge did not arrive",
        evidence,
        "If the knowledge view beats the text, give it a better way to the student: raise distil.alpha or "
        "distil.temperature; with distil.way: frozen also teach.count, and unlabelled posts with answers "
        "(data.unlabelled). If not, better answers come first: other prompts (ask.prompts) or another model "
        "(llm.model).",
    )
