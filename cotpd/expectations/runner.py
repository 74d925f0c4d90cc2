"""Check the rows of a table against a suite: return the rows that pass, and every reason why the others fail.

The whole table goes through Great Expectations at once, which takes a fraction of a second for 20,000 rows.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cotpd.data.records import Answer, Caption, Post, Quarantined
from cotpd.errors import ValidationError

if TYPE_CHECKING:
    from great_expectations.data_context import EphemeralDataContext

Row = TypeVar("Row", bound=Answer | Caption)


def check_rows(
    rows: Sequence[Row],
    suite: str,
    posts: Mapping[str, Post],
    *,
    step: str = "validate",
    max_failed_share: float = 1.0,
    folder: Path | None = None,
    context: "EphemeralDataContext | None" = None,
) -> tuple[list[Row], list[Quarantined]]:
    """Split rows into those that pass a suite and those that do not.

    Args:
        rows: Records of the suite's type, each with the id of a post.
        suite: answers, captions or augmented: the name of a suite's file.
        posts: Posts by id; a row fails if its post is missing, or if it is an Answer with a problem.
        step: The pipeline's step, for the quarantined rows.
        max_failed_share: The largest share of rows that may fail.
        folder: Folder of the suites; None takes the project's own or else the package's.
        context: Collects the results for Data Docs; None discards them.

    Returns:
        The rows that pass, and a quarantined row with all its reasons for each row that fails, both in order.

    Raises:
        ConfigError: The suite cannot be loaded, or names a column that the table does not have.
        ValidationError: More than the allowed share of rows fail, or a condition on the whole table does not hold.
    """
    if not rows:
        return [], []

    reasons = {number: _find_prior_reasons(row, posts) for number, row in enumerate(rows)}
    checkable = [number for number, prior in reasons.items() if not prior]
    if checkable:
        from cotpd.expectations.engine import find_failures  # noqa: PLC0415  imports Great Expectations: 3 s

        failures = find_failures([rows[number] for number in checkable], suite, posts, folder, context)
        for index, row_reasons in failures.items():
            reasons[checkable[index]] = row_reasons

    passed = [row for number, row in enumerate(rows) if not reasons[number]]
    quarantined = [
        _build_quarantined_row(row, reasons[number], posts.get(row.id), step)
        for number, row in enumerate(rows)
        if reasons[number]
    ]
    if len(quarantined) > max_failed_share * len(rows):
        raise _report_too_many_failures(suite, len(rows), quarantined, max_failed_share)
    return passed, quarantined


def _find_prior_reasons(row: Answer | Caption, posts: Mapping[str, Post]) -> list[str]:
    """Return why a row fails before any expectation is evaluated."""
    if isinstance(row, Answer) and row.problem:
        return [row.problem]
    return [] if row.id in posts else ["there is no post of this id"]


def _build_quarantined_row(
    row: Answer | Caption, reasons: Sequence[str], post: Post | None, step: str
) -> Quarantined:
    return Quarantined(
        id=row.id,
        step=step,
        reason="; ".join(dict.fromkeys(reasons)),
        file=post.file if post else "",
        line=post.line if post else 0,
        row=row.model_dump(mode="json", exclude_defaults=True),
    )


def _report_too_many_failures(
    suite: str, total: int, failed: Sequence[Quarantined], allowed: float
) -> ValidationError:
    """Return the error that counts the most frequent reasons and names a row for each."""
    counts = Counter(row.reason for row in failed)
    first_id = {row.reason: row.id for row in reversed(failed)}
    top = [f"{count} x {reason} (first: {first_id[reason]})" for reason, count in counts.most_common(5)]
    return ValidationError(
        f"{len(failed)} of {total} {suite} failed their checks, more than the {allowed:.0%} allowed: "
        + "; ".join(top),
        "Mend what wrote them (prompts, model, captioner), or raise validate.max_failed_share.",
        failed,
    )
