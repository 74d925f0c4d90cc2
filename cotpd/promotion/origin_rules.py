"""The rules on what the challenger was made from: its labels, its data, its training posts, its held-out posts."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cotpd.counts import format_count
from cotpd.data.data_checks import DATA_CHECKS, DataChecks
from cotpd.data.post_hashes import TRAINING_POSTS, PostHashes
from cotpd.promotion.gate_verdict import RuleResult, fail, skip
from cotpd.promotion.held_out import HeldOut
from cotpd.promotion.rules import DataRule, LeakRule
from cotpd.registry.model_card import CARD, SECTIONS, list_missing_sections
from cotpd.registry.versions import Version

if TYPE_CHECKING:
    from cotpd.student.labels import LabelSet

_AGAIN = "register the student again (dvc repro -f -s register), or force the promotion"
_SHOWN = 3  # posts that a refusal names


def judge_labels(challenger: "LabelSet", champion: "LabelSet", role: str) -> RuleResult:
    """Judge task and labels: a reader of the predictions relies on them.

    Args:
        challenger, champion: The labels of each.
        role: What the second model is: champion, or baseline.
    """
    if challenger.task != champion.task:
        return fail("labels", f"the challenger is of task {challenger.task}, the {role} of task {champion.task}")
    lost = sorted(set(champion.types) - set(challenger.types))
    gained = sorted(set(challenger.types) - set(champion.types))
    if lost or gained:
        changes = [f"lacks {', '.join(lost)}"] if lost else []
        changes += [f"adds {', '.join(gained)}"] if gained else []
        return fail("labels", f"the challenger has other labels than the {role}: it {' and '.join(changes)}")
    return RuleResult(rule="labels", status="passed", explanation=", ".join(challenger.types))


def judge_posts(version: Version, held_out: HeldOut, *, is_named: bool) -> RuleResult:
    """Judge whether the held-out posts are those that the version was registered with.

    Args:
        version: The challenger.
        held_out: The posts.
        is_named: Whether the user named them, which makes them right by definition.
    """
    if held_out.problem:
        return fail("posts", held_out.problem)
    figures = f"{format_count(len(held_out.posts), 'post')} of {held_out.source}, sha256 {held_out.sha256[:12]}"
    if is_named:
        return skip("posts", f"{figures}, named by --posts")
    tag = version.tags.get(f"sha256.{Path(held_out.source).name}")
    if tag is None:
        return fail("posts", f"{figures}; the version does not say which it was tested on: {_AGAIN}")
    if tag != held_out.sha256:
        explanation = f"{figures}, but the version was registered with posts of sha256 {tag[:12]}"
        return fail("posts", f"{explanation}: register this data's student, or name the posts (--posts PATH)")
    return RuleResult(rule="posts", status="passed", support=len(held_out.posts), explanation=figures)


def judge_data(folder: Path, rule: DataRule) -> Iterator[RuleResult]:
    """Judge the checks of the challenger's data, as they were registered with it.

    Args:
        folder: The folder of all files of the version.
        rule: The failures that are allowed.
    """
    path = folder / "artifacts" / DATA_CHECKS
    if not path.is_file():
        yield fail("data", f"the version holds no {DATA_CHECKS}, so its data cannot be judged: {_AGAIN}")
        return
    checks = DataChecks.read(path)
    for table in checks.tables:
        share = table.failed_share
        yield RuleResult(
            rule="data",
            subject=table.name,
            status="passed" if share <= rule.max_failed_share else "failed",
            challenger=round(share, 6),
            bound=rule.max_failed_share,
            support=table.rows,
            explanation=f"{table.failed} of {table.rows} failed their checks ({share:.1%}); "
            f"allowed: {rule.max_failed_share:.1%}",
        )
    if checks.warnings and rule.warnings == "refuse":
        yield fail("data", "; ".join(checks.warnings), "warnings")


def list_warnings(folder: Path) -> list[str]:
    """Return the warnings about the data that were registered with a version; none if nothing was."""
    path = folder / "artifacts" / DATA_CHECKS
    return [f"data: {warning}" for warning in DataChecks.read(path).warnings] if path.is_file() else []


def read_training_posts(folder: Path) -> PostHashes | None:
    """Return the hashes of the posts that a version was trained on; None if it holds none.

    Raises:
        DataError: They are damaged.
    """
    path = folder / "artifacts" / TRAINING_POSTS
    return PostHashes.read(path) if path.is_file() else None


def judge_leak(training_posts: PostHashes | None, held_out: HeldOut, rule: LeakRule) -> Iterator[RuleResult]:
    """Judge whether held-out posts were trained on: the same words, and near ones."""
    if training_posts is None:
        yield fail("leak", f"the version holds no {TRAINING_POSTS}, so a leak cannot be ruled out: {_AGAIN}")
        return
    overlaps = training_posts.measure_overlaps([post.text for post in held_out.posts])
    exact = [number for number, overlap in enumerate(overlaps) if overlap.is_exact]
    nearby = [
        number
        for number, overlap in enumerate(overlaps)
        if not overlap.is_exact and overlap.similarity >= rule.similarity
    ]
    yield _judge_share("exact", exact, held_out, rule.max_exact_share, "have the words of a training post")
    alike = f"share {rule.similarity:.0%} of their word pairs with a training post"
    yield _judge_share("near", nearby, held_out, rule.max_near_share, alike)


def _judge_share(subject: str, numbers: list[int], held_out: HeldOut, bound: float, matter: str) -> RuleResult:
    total = len(held_out.posts)
    share = len(numbers) / total
    posts = [held_out.posts[number] for number in numbers[:_SHOWN]]
    names = ", ".join(f"{post.file}:{post.line}" if post.file else post.id for post in posts)
    return RuleResult(
        rule="leak",
        subject=subject,
        status="passed" if share <= bound else "failed",
        challenger=round(share, 6),
        bound=bound,
        support=total,
        explanation=f"{len(numbers)} of {format_count(total, 'post')} {matter}; allowed: {bound:.1%}"
        + (f". The first: {names}" if names else ""),
    )


def judge_card(folder: Path) -> RuleResult:
    """Judge whether the model card of a version has every required section.

    Args:
        folder: The folder of all files of the version.
    """
    path = folder / CARD
    text = path.read_text("utf-8", "replace") if path.is_file() else ""
    missing = list_missing_sections(text)
    if not text:
        return fail("card", f"the version has no model card ({CARD}): {_AGAIN}")
    if missing:
        return fail("card", f"the model card says nothing on: {', '.join(missing)}: {_AGAIN}")
    return RuleResult(rule="card", status="passed", support=len(SECTIONS), explanation=f"{CARD} is complete")
