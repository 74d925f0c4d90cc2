"""What the run's tables say: many rows set aside, or few posts with answers."""

import math
from collections.abc import Iterator

from cotpd.counts import format_count
from cotpd.evaluation.diagnoses.diagnosis import Diagnosis, build_diagnosis
from cotpd.evaluation.diagnoses.run_evidence import RunEvidence, SetAside

HIGH_SHARES = {"prepare": 0.05, "validate": 0.05, "augment": 0.5}
"""Of a step's rows, beyond which many are set aside; an augmented post may well fail its fact check."""
ENOUGH_ANSWERED = 0.5  # of a split's posts
_REMEDIES = {
    "prepare": "Mend the rows of data/prepared/quarantine.jsonl, each of which names file and line.",
    "validate": "Read data/validated/quarantine.jsonl and the Data Docs: another model (llm.model) or other "
    "prompts (ask.prompts), or asking again (validate.reask), may help.",
    "augment": "Read data/augmented/quarantine.jsonl: another model (llm.model) may keep more mentions verbatim, "
    "or leave that kind out (augment.kinds).",
}


def detect_data_faults(run: RunEvidence) -> Iterator[Diagnosis]:
    """Yield the faults that the tables of a run show."""
    for step in run.set_aside:
        yield from _detect_quarantine(step, run.last_split)
    if "knowledge" in run.rows.get(run.last_split, {}):
        yield from _detect_missing_answers(run)


def _detect_quarantine(step: SetAside, split: str) -> Iterator[Diagnosis]:
    """Yield that a step has set many rows aside."""
    low, high = compute_wilson_interval(step.count, step.total)
    if low > HIGH_SHARES.get(step.step, 1.0):
        rows = format_count(step.total, "row")
        yield build_diagnosis(
            "quarantine",
            split,
            f"The step {step.step} sets many rows aside",
            f"{step.count:,} of {rows}: {_format_share(step.count, step.total, low, high)}. "
            f"Most often: {step.reason}.",
            _REMEDIES[step.step],
        )


def _detect_missing_answers(run: RunEvidence) -> Iterator[Diagnosis]:
    """Yield that most posts have no answer, so that the knowledge view reads what the text view does."""
    answered, posts = run.answered.get(run.last_split, (0, 0))
    low, high = compute_wilson_interval(answered, posts)
    if posts and high < ENOUGH_ANSWERED:
        yield build_diagnosis(
            "missing_answers",
            run.last_split,
            "Most posts have no answers: the knowledge view has little to read",
            f"{answered:,} of {posts:,} posts of {run.last_split} have an answer: "
            f"{_format_share(answered, posts, low, high)}.",
            "Ask for them (ask.kinds, llm.model) and look at what was set aside; `cotpd plan` says what it costs.",
        )


def compute_wilson_interval(count: int, total: int, width: float = 1.96) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927); from 0 to 1 where there is nothing to count."""
    if not total:
        return 0.0, 1.0
    share, spread = count / total, width**2 / total
    centre = (share + spread / 2) / (1 + spread)
    half = width * math.sqrt(share * (1 - share) / total + spread / 4 / total) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def _format_share(count: int, total: int, low: float, high: float) -> str:
    return f"{100 * count / total:.1f} % (95 % interval {100 * low:.1f} to {100 * high:.1f})"
