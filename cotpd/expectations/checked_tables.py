"""The results of each table's checks, read out of Great Expectations' own for a person to read."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult
    from great_expectations.data_context import EphemeralDataContext
    from great_expectations.expectations.expectation import Expectation

ROW = "row"  # column with the row's number, by which a failure finds its row again
NAMES = ("id", "kind", "draw", "backend")  # columns that name a row to a reader, as far as its table has them
_MOST_ROWS = 200  # that a page shows of one check
_LONGEST_VALUE = 600  # characters of a value
_LONGEST_IN_HEADING = 60  # characters of a value in a sentence
_PARAMETER = re.compile(r"\$(\w+)")  # in the template of a sentence


@dataclass(frozen=True)
class FailingRow:
    """A row that fails a check: the columns that name it (post id, kind), and the values that were looked at."""

    names: Mapping[str, str]
    values: Mapping[str, str]


@dataclass(frozen=True)
class Check:
    """One expectation on one table.

    Attributes:
        sentence: What is expected, as pieces of text; those with True are values of the suite.
        reason: What is said of a row that fails.
        checked: Rows that were looked at; None for a condition on the whole table.
        failed: Rows that fail.
        rows: The first of them.
        observed: The value that a condition on the whole table looked at.
        holds: Whether none fails, or the condition holds.
        problem: Why it could not be evaluated.
    """

    sentence: tuple[tuple[str, bool], ...]
    reason: str
    checked: int | None
    failed: int
    rows: tuple[FailingRow, ...]
    observed: str
    holds: bool
    problem: str

    @property
    def names(self) -> list[str]:
        """The columns that name the failing rows, those that only some of them have included."""
        present = set(chain.from_iterable(row.names for row in self.rows))
        return [name for name in NAMES if name in present]

    @property
    def columns(self) -> list[str]:
        """The columns of the failing rows' values, in the order in which they first occur."""
        return list(dict.fromkeys(chain.from_iterable(row.values for row in self.rows)))

    @property
    def long_values(self) -> list[str]:
        """The values of the suite that are too long for a heading, such as regular expressions."""
        return [text for text, is_value in self.sentence if is_value and len(text) > _LONGEST_IN_HEADING]

    @property
    def heading(self) -> list[tuple[str, bool]]:
        """The sentence with a number in place of each long value."""
        number_of = {text: number for number, text in enumerate(self.long_values, 1)}
        return [
            (f"({number_of[text]})" if text in number_of else text, is_value) for text, is_value in self.sentence
        ]


@dataclass(frozen=True)
class CheckedTable:
    """One table's checks, in the order of its suite; ``failing_rows`` fail at least one of them."""

    name: str
    about: str
    when: datetime
    rows: int
    failing_rows: int
    checks: tuple[Check, ...]

    @property
    def failing_checks(self) -> int:
        """The number of checks that do not hold."""
        return sum(not check.holds for check in self.checks)


def list_checked_tables(context: "EphemeralDataContext") -> list[CheckedTable]:
    """Return the checks of every table that was checked within a context, by name."""
    store = context.validation_results_store
    results = [cast("ExpectationSuiteValidationResult", store.get(key)) for key in store.list_keys()]
    tables = [_read_table(validation, context) for validation in results]
    return sorted(tables, key=lambda table: table.name)


def _read_table(validation: "ExpectationSuiteValidationResult", context: "EphemeralDataContext") -> CheckedTable:
    checks = tuple(_read_check(result) for result in validation.results)
    counts = [(result.result or {}).get("element_count") for result in validation.results]
    failing = chain.from_iterable(map(_list_unexpected, validation.results))
    when = datetime.fromisoformat(str(validation.meta["validation_time"]))
    return CheckedTable(
        name=validation.suite_name,
        about=str((context.suites.get(validation.suite_name).meta or {}).get("about") or ""),
        when=when.astimezone(UTC),
        rows=max((count for count in counts if count is not None), default=0),
        failing_rows=len({row[ROW] for row in failing}),
        checks=checks,
    )


def _read_check(result: "ExpectationValidationResult") -> Check:
    config = result.expectation_config
    assert config is not None  # each result of a suite carries its expectation
    failing, details = _list_unexpected(result), result.result or {}
    counted, observed = details.get("element_count"), details.get("observed_value")
    return Check(
        sentence=tuple(_render_sentence(config.to_domain_obj())),
        reason=str((config.meta or {}).get("reason") or ""),
        checked=None if counted is None else counted - (details.get("missing_count") or 0),
        failed=len(failing),
        rows=tuple(map(_read_row, failing[:_MOST_ROWS])),
        observed="" if observed is None else _shorten(observed),
        holds=bool(result.success),
        problem=find_exception(result),
    )


def find_exception(result: "ExpectationValidationResult") -> str:
    """Return why an expectation could not be evaluated; "" if it was."""
    info = result.exception_info
    if not info or not info.get("raised_exception", True):
        return ""
    # Great Expectations nests the report one level deeper if a metric raised the exception, not the expectation.
    reports = [info, *(value for value in info.values() if isinstance(value, Mapping))]
    messages = [str(report["exception_message"]) for report in reports if report.get("exception_message")]
    return messages[0] if messages else "an exception without a message"


def _list_unexpected(result: "ExpectationValidationResult") -> list[dict[str, Any]]:
    return (result.result or {}).get("unexpected_index_list") or []


def _read_row(row: Mapping[str, Any]) -> FailingRow:
    names = {name: str(row[name]) for name in NAMES if isinstance(row.get(name), str)}
    values = {name: _shorten(value) for name, value in row.items() if name not in (ROW, *NAMES)}
    return FailingRow(names, values)


def _shorten(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]} ..."


def _render_sentence(expectation: "Expectation") -> Iterator[tuple[str, bool]]:
    """Yield Great Expectations' sentence about an expectation, piece by piece; True: a value of the suite."""
    expectation.render()
    value = expectation.rendered_content[0].value if expectation.rendered_content else None
    template = value.template if value and value.template else expectation.expectation_type
    params = (value.params if value else None) or {}
    for position, piece in enumerate(_PARAMETER.split(template)):
        if position % 2:
            yield str(params[piece]["value"]) if piece in params else f"${piece}", True
        elif piece:
            yield piece, False
