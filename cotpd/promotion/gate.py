"""The gate: judge a challenger against the champion, now, on the same held-out posts.

What cannot be measured about the challenger itself (its files are gone, say) is an error. What cannot be measured
about the champion is a failed rule, so that a broken champion can still be replaced, by force and on the record.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cotpd.counts import format_count
from cotpd.data.post_hashes import PostHashes
from cotpd.errors import CotpdError, DataError, ModelError
from cotpd.evaluation.slices import Slices, build_slices_by_hashes
from cotpd.progress import Progress
from cotpd.promotion.contenders import Contender, Runner, load_contender
from cotpd.promotion.cost import judge_memory, judge_time, measure_costs
from cotpd.promotion.gate_verdict import RuleResult, Verdict, fail, has_passed, skip
from cotpd.promotion.held_out import HeldOut
from cotpd.promotion.origin_rules import (
    judge_card,
    judge_data,
    judge_labels,
    judge_leak,
    judge_posts,
    list_warnings,
    read_training_posts,
)
from cotpd.promotion.rules import GateRules, RulesFile
from cotpd.promotion.score_rules import OFF, judge_scores
from cotpd.registry.versions import Version
from cotpd.student.examples import Example

COMPARISONS = ("score", "types", "slices", "calibration", "time", "memory")


@dataclass(frozen=True)
class Case:
    """The versions to compare, the posts to compare them on, and the rules.

    Attributes:
        challenger: The version to promote.
        folder: The folder of all its files, compared with their digests.
        champion: The version that the alias is on; None if there is none.
        held_out: The posts to compare on.
        is_named: Whether the user named the posts.
        rules_file: The rules.
        runner: The library and the device that run the models.
    """

    challenger: Version
    folder: Path
    champion: Version | None
    held_out: HeldOut
    is_named: bool
    rules_file: RulesFile
    runner: Runner = field(default_factory=Runner)

    @property
    def rules(self) -> GateRules:
        """The rules."""
        return self.rules_file.rules

    @property
    def reference(self) -> str:
        """The address of what the challenger is compared with."""
        return self.rules.first_champion.reference if self.champion is None else self.champion.address


def judge(case: Case) -> Verdict:
    """Judge a challenger by every rule.

    Raises:
        ModelError: The challenger cannot be loaded.
        DataError: The held-out posts are not annotated for its task, or evidence in its files is damaged.
        ConfigError: The device does not exist.
    """
    challenger = load_contender(case.challenger.address, case.runner)
    results = [*_judge_against_reference(case, challenger), *_judge_origin(case)]
    rules_file, held_out = case.rules_file, case.held_out
    return Verdict(
        name=case.challenger.name,
        challenger=case.challenger.number,
        champion=None if case.champion is None else case.champion.number,
        reference=case.reference,
        passed=has_passed(results),
        results=tuple(results),
        confidence=rules_file.rules.confidence,
        posts=held_out.source,
        posts_sha256=held_out.sha256,
        posts_count=len(held_out.posts),
        rules_source=rules_file.source,
        rules_sha256=rules_file.sha256,
        rules=rules_file.rules.model_dump(mode="json"),
        backend=challenger.backend,
        notes=tuple(_list_notes(case)),
        score_name=challenger.labels.definition.score_name,
    )


def _judge_against_reference(case: Case, challenger: Contender) -> Iterator[RuleResult]:
    """Yield the results of the rules that compare two models; skipped ones where there is nothing to compare."""
    try:
        reference = load_contender(case.reference, case.runner)
    except (ModelError, DataError) as error:
        yield _explain_missing_reference(case, error)
        yield from _skip_comparisons("there is nothing to compare with", COMPARISONS[1:])
        return
    yield judge_labels(challenger.labels, reference.labels, "champion" if case.champion else "baseline")
    if challenger.labels.task != reference.labels.task or not case.held_out.posts:
        yield from _skip_comparisons("models of two tasks do not compare" if case.held_out.posts else "no posts")
        return

    examples = case.held_out.build_examples(challenger.labels.task)
    with Progress("scoring challenger and champion", 2) as bar:
        predicted = challenger.predict(examples, challenger.labels.task)
        bar.advance(1)
        reference_predicted = reference.predict(examples, challenger.labels.task, challenger.words)
        bar.advance(1)
    rules = case.rules
    score_rule = rules.first_champion if case.champion is None else rules.score
    slices = _build_slices(case, challenger, read_training_posts(case.folder))
    score_name = challenger.labels.definition.score_name
    yield from judge_scores(predicted, reference_predicted, slices, rules, score_rule, score_name)
    yield from _judge_costs(case, examples)


def _build_slices(case: Case, challenger: Contender, training_posts: PostHashes | None) -> Slices | None:
    if training_posts is None:
        return None
    return build_slices_by_hashes(challenger.labels.task, case.held_out.posts, training_posts)


def _explain_missing_reference(case: Case, error: CotpdError) -> RuleResult:
    if case.champion is None:
        remedy = "train it (dvc repro baseline), name it in first_champion.reference, or force the promotion"
        return fail("score", f"there is no champion yet, and no baseline to beat: {error.problem}: {remedy}")
    remedy = f"roll back (cotpd registry rollback --name {case.champion.name}), or force the promotion"
    return fail("score", f"the champion cannot be loaded: {error.problem}: {remedy}")


def _skip_comparisons(reason: str, rules: Sequence[str] = COMPARISONS) -> Iterator[RuleResult]:
    yield from (skip(rule, reason) for rule in rules)


def _judge_costs(case: Case, examples: list[Example]) -> Iterator[RuleResult]:
    rule = case.rules.cost
    if rule is None or case.champion is None:
        reason = OFF if rule is None else "there is no champion yet, whose cost could be compared"
        yield from (skip(name, reason) for name in ("time", "memory"))
        return
    try:
        costs = measure_costs(case.challenger.address, case.reference, examples, case.runner, rule)
    except ModelError as error:
        yield fail("time", f"{error.problem}. {error.remedy}")
        yield skip("memory", "not measured")
        return
    yield judge_time(costs, rule, min(rule.posts, len(examples)))
    yield judge_memory(costs, rule)


def _judge_origin(case: Case) -> Iterator[RuleResult]:
    """Yield the results of the rules on what the challenger was made from."""
    rules = case.rules
    yield judge_posts(case.challenger, case.held_out, is_named=case.is_named)
    if rules.data is None:
        yield skip("data", OFF)
    else:
        yield from judge_data(case.folder, rules.data)
    if rules.leak is None or not case.held_out.posts:
        yield skip("leak", OFF if rules.leak is None else "there are no held-out posts")
    else:
        yield from judge_leak(read_training_posts(case.folder), case.held_out, rules.leak)
    yield skip("card", OFF) if rules.card is None else judge_card(case.folder)


def _list_notes(case: Case) -> Iterator[str]:
    yield from list_warnings(case.folder)
    if case.held_out.refused:
        rows = format_count(case.held_out.refused, "row")
        yield f"posts: {rows} of {case.held_out.source} could not be read: cotpd data check"
