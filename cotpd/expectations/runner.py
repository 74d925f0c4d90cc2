"""Check the rows of a table against a suite: those that hold, and those that do not with every reason why.

The whole table goes through Great Expectations at once (20,000 rows in a fraction of a second, after 3 s for its
import), and comes apart again by row number.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cotpd.data.records import Answer, Post, Quarantined, Record
from cotpd.errors import ConfigError, ValidationError
from cotpd.expectations.docs import NO_TIME, RUN, make_context
from cotpd.expectations.frames import FRAMES
from cotpd.expectations.suites import Suite, load_suite

if TYPE_CHECKING:
    from great_expectations.data_context import EphemeralDataContext

R = TypeVar("R", bound=Record)
_ROW = "row"


def check(
    rows: Sequence[R],
    suite: str,
    posts: Mapping[str, Post],
    *,
    step: str = "validate",
    max_failed_share: float = 1.0,
    folder: Path | None = None,
    context: "EphemeralDataContext | None" = None,
) -> tuple[list[R], list[Quarantined]]:
    """Split rows into those that pass a suite and those that do not.

    Args:
        rows: Records of the suite's type, each with the id of a post.
        suite: answers, captions or augmented: the name of a file in expectations/.
        posts: Posts by id; a row whose post is not among them fails, and so does an answer that is none.
        step: Named in the quarantined rows.
        max_failed_share: Largest share of failing rows that is put up with.
        folder: Where the suites are; None takes the project's own or else the package's.
        context: Takes the results, for Data Docs; None forgets them.

    Returns:
        The rows that pass, and a quarantined row with all its reasons for each other one, both in order.

    Raises:
        ConfigError: The suite cannot be loaded, or names a column that the table does not have.
        ValidationError: More than the allowed share failed, or a condition on the whole table does not hold.
    """
    if not rows:
        return [], []
    reasons = {id(row): ["there is no post of this id"] for row in rows if row.id not in posts}
    reasons |= {id(row): [row.problem] for row in rows if isinstance(row, Answer) and row.problem}
    checkable = [row for row in rows if id(row) not in reasons]
    if checkable:
        loaded = load_suite(suite, folder)
        failed = _failures(checkable, loaded, posts, FRAMES[suite], context or make_context())
        reasons |= {id(checkable[number]): why for number, why in failed.items()}
    passed = [row for row in rows if id(row) not in reasons]
    quarantined = [
        _quarantine(row, reasons[id(row)], posts.get(row.id), step) for row in rows if id(row) in reasons
    ]
    if len(quarantined) > max_failed_share * len(rows):
        raise _too_many(suite, len(rows), quarantined, max_failed_share)
    return passed, quarantined


def _failures(
    rows: Sequence[Record], suite: Suite, posts: Mapping[str, Post], cells: Any, context: "EphemeralDataContext"
) -> dict[int, list[str]]:
    """Reasons by row number, in the order of the suite."""
    import pandas as pd

    frame = pd.DataFrame([cells(row, posts[row.id]) for row in rows], dtype=object)
    frame[_ROW] = range(len(rows))
    found: dict[int, list[str]] = {}
    for result in _validate(frame, suite, context):
        expectation = result.expectation_config
        if result.exception_info and result.exception_info.get("raised_exception", True):
            raise _broken(suite, expectation.type, result.exception_info)
        reason = (expectation.meta or {}).get("reason") or expectation.type
        failing = result.result.get("unexpected_index_list")
        if failing is None and not result.success:
            raise ValidationError(f"{suite.file.stem}: {reason}", f"The condition stands in {suite.file}.")
        for row in failing or []:
            found.setdefault(int(row[_ROW]), []).append(reason)
    return found


def _validate(frame: Any, suite: Suite, context: "EphemeralDataContext") -> list[Any]:
    import great_expectations as gx
    from great_expectations.core.run_identifier import RunIdentifier

    name = suite.file.stem
    asset = context.data_sources.add_or_update_pandas(name).add_dataframe_asset(name)
    rows = asset.add_batch_definition_whole_dataframe("all")
    expected = context.suites.add_or_update(suite.suite)
    checks = gx.ValidationDefinition(name=name, data=rows, suite=expected)
    return (
        context.validation_definitions.add_or_update(checks)
        .run(
            batch_parameters={"dataframe": frame},
            result_format={"result_format": "COMPLETE", "unexpected_index_column_names": [_ROW]},
            run_id=RunIdentifier(run_name=RUN, run_time=NO_TIME),
        )
        .results
    )


def _broken(suite: Suite, name: str, info: Mapping[str, Any]) -> ConfigError:
    # Great Expectations nests the report one level deeper when a metric, not the expectation, failed.
    reports = [info, *(value for value in info.values() if isinstance(value, Mapping))]
    message = next((report["exception_message"] for report in reports if report.get("exception_message")), "")
    return ConfigError(f"{suite.file}: {name} cannot be evaluated: {message}", "Mend its kwargs.")


def _quarantine(row: Record, reasons: list[str], post: Post | None, step: str) -> Quarantined:
    return Quarantined(
        id=row.id,
        step=step,
        reason="; ".join(dict.fromkeys(reasons)),
        file=post.file if post else "",
        line=post.line if post else 0,
        row=row.model_dump(mode="json", exclude_defaults=True),
    )


def _too_many(suite: str, total: int, failed: Sequence[Quarantined], allowed: float) -> ValidationError:
    counts = Counter(row.reason for row in failed)
    first = {row.reason: row.id for row in reversed(failed)}
    top = [f"{count} x {reason} (first: {first[reason]})" for reason, count in counts.most_common(5)]
    return ValidationError(
        f"{len(failed)} of {total} {suite} failed their checks, more than the {allowed:.0%} allowed: "
        + "; ".join(top),
        "Mend what wrote them (prompts, model, captioner), or raise validate.max_failed_share.",
        failed,
    )
