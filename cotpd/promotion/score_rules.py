"""The rules that compare two models on the held-out posts: score, types, slices and calibration."""

import math
from collections.abc import Iterator, Mapping, Sequence

from cotpd.counts import format_count
from cotpd.evaluation.slices import Slices
from cotpd.promotion.gate_verdict import RuleResult, Status, skip
from cotpd.promotion.paired_intervals import Bootstrap, Difference, PartName, compare_calibration, compare_f1
from cotpd.promotion.rules import CalibrationRule, FallRule, FirstChampionRule, GateRules, ScoreRule
from cotpd.student.tasks import Prediction

OFF = "switched off in the rules"
DIGITS = 6


def judge_scores(
    challenger: Sequence[Prediction],
    champion: Sequence[Prediction],
    slices: Slices | None,
    rules: GateRules,
    score_rule: ScoreRule | FirstChampionRule,
    score_name: str = "F1",
) -> Iterator[RuleResult]:
    """Yield the result of each rule that compares the two models.

    Args:
        challenger, champion: Their predictions on the same examples, in the same order.
        slices: Example ids by the name of the slice; None if the slices cannot be formed.
        rules: The rules of the gate.
        score_rule: For the leading score, which equals micro-F1.
        score_name: What the task calls it.
    """
    bootstrap = Bootstrap(rules.confidence, rules.resamples, rules.seed)
    differences = compare_f1(challenger, champion, slices or {}, bootstrap)
    yield judge_score(differences["all", ""], score_rule, score_name)
    yield from _judge_parts("types", "type", differences, rules.types, "F1")
    if slices is None and rules.slices is not None:
        yield skip("slices", "the hashes of the training posts are missing, which say what is unseen and long")
    else:
        yield from _judge_parts("slices", "slice", differences, rules.slices, score_name)
    yield _judge_calibration(challenger, champion, rules.calibration, bootstrap)


def judge_score(difference: Difference, rule: ScoreRule | FirstChampionRule, name: str = "F1") -> RuleResult:
    """Judge the leading score: its interval lies above minus the margin, or above 0 if `better` is required."""
    if rule.require == "better":
        passed, bound, demand = difference.low > 0, 0.0, "better"
    else:
        passed, bound = difference.low >= -rule.margin, -rule.margin
        demand = f"not worse by more than {100 * rule.margin:g} points"
    explanation = f"{name} {_describe(difference)}; required: {demand}"
    if not passed and difference.value > bound:
        explanation += (
            f". These posts are too few to show it: {_estimate_support(difference, bound):,} gold labels would"
        )
    return _make_result("score", "", "passed" if passed else "failed", difference, bound, explanation)


def _judge_parts(
    rule_name: str, kind: str, differences: Mapping[PartName, Difference], rule: FallRule | None, score_name: str
) -> Iterator[RuleResult]:
    """Yield a result for each type, or for each slice."""
    if rule is None:
        yield skip(rule_name, OFF)
        return
    parts = {name: difference for (part, name), difference in differences.items() if part == kind}
    for name, difference in parts.items():
        yield judge_part(rule_name, name, difference, rule, score_name)


def judge_part(
    rule_name: str, name: str, difference: Difference, rule: FallRule, score_name: str = "F1"
) -> RuleResult:
    """Judge a type or slice: refused if the whole interval lies below minus the bound, and it has the support."""
    if difference.support < rule.min_support:
        labels = format_count(difference.support, "gold label")
        explanation = f"{labels}, fewer than the {rule.min_support} that are tested"
        return _make_result(rule_name, name, "skipped", difference, -rule.bound, explanation)
    passed = difference.high >= -rule.bound
    fall = f"a certain fall by more than {100 * rule.bound:g} points"
    explanation = f"{score_name} {_describe(difference)}; refused: {fall}"
    return _make_result(rule_name, name, "passed" if passed else "failed", difference, -rule.bound, explanation)


def _judge_calibration(
    challenger: Sequence[Prediction],
    champion: Sequence[Prediction],
    rule: CalibrationRule | None,
    bootstrap: Bootstrap,
) -> RuleResult:
    """Judge the expected calibration error by its difference alone: a small sample overstates both errors."""
    if rule is None:
        return skip("calibration", OFF)
    difference = compare_calibration(challenger, champion, bootstrap)
    if difference is None or difference.support < rule.min_support:
        support = difference.support if difference else 0
        return skip("calibration", f"{support} scored predictions, fewer than the {rule.min_support} needed")
    passed = difference.value <= rule.bound
    explanation = f"ECE {_describe(difference)}; allowed: a rise by {100 * rule.bound:g} points"
    return _make_result("calibration", "", "passed" if passed else "failed", difference, rule.bound, explanation)


def _describe(difference: Difference) -> str:
    """Return both figures in percent, their difference with its interval, and the support."""
    figures = f"{100 * difference.challenger:.2f} against {100 * difference.champion:.2f}"
    interval = f"{100 * difference.low:+.2f} to {100 * difference.high:+.2f}"
    return f"{figures}: {100 * difference.value:+.2f} ({interval}; support {difference.support})"


def _estimate_support(difference: Difference, bound: float) -> int:
    """Return about how many gold labels would show the difference if it stayed; intervals shrink by the root."""
    share = (difference.value - difference.low) / (difference.value - bound)
    return 100 * math.ceil(difference.support * share**2 / 100)


def _make_result(
    rule: str, subject: str, status: Status, difference: Difference, bound: float, explanation: str
) -> RuleResult:
    return RuleResult(
        rule=rule,
        subject=subject,
        status=status,
        challenger=round(difference.challenger, DIGITS),
        champion=round(difference.champion, DIGITS),
        difference=round(difference.value, DIGITS),
        low=round(difference.low, DIGITS),
        high=round(difference.high, DIGITS),
        bound=bound,
        support=difference.support,
        explanation=explanation,
    )
