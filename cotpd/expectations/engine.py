"""Evaluate a suite with Great Expectations. Importing this module imports Great Expectations, which takes 3 s."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context import EphemeralDataContext

from cotpd.data.records import Answer, Caption, Post
from cotpd.errors import ConfigError, ValidationError
from cotpd.expectations.docs import NO_TIME, RUN, make_context
from cotpd.expectations.frames import CELL_BUILDERS
from cotpd.expectations.suites import Suite, load_suite

_ROW = "row"  # column with the row's number, by which a failure finds its row again


def find_failures(
    rows: Sequence[Answer | Caption],
    suite_name: str,
    posts: Mapping[str, Post],
    folder: Path | None,
    context: EphemeralDataContext | None,
) -> dict[int, list[str]]:
    """Return the reasons of each row that fails, by row number, in the order of the suite.

    Raises:
        ConfigError: The suite cannot be loaded, or one of its expectations cannot be evaluated.
        ValidationError: A condition on the whole table does not hold.
    """
    suite = load_suite(suite_name, folder)
    build_cells = CELL_BUILDERS[suite_name]
    frame = pd.DataFrame([build_cells(row, posts[row.id]) for row in rows], dtype=object)
    frame[_ROW] = range(len(rows))

    reasons: dict[int, list[str]] = {}
    for result in _evaluate(frame, suite, context or make_context()):
        expectation = result.expectation_config
        assert expectation is not None  # each result of a suite carries its expectation
        reason = str((expectation.meta or {}).get("reason") or expectation.type)
        for number in _list_failing_rows(result, suite, expectation.type, reason):
            reasons.setdefault(number, []).append(reason)
    return reasons


def _evaluate(
    frame: pd.DataFrame, suite: Suite, context: EphemeralDataContext
) -> Sequence[ExpectationValidationResult]:
    """Return the result of each expectation on a table."""
    name = suite.file.stem
    asset = context.data_sources.add_or_update_pandas(name).add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe("all")
    expectations = context.suites.add_or_update(suite.suite)
    definition = gx.ValidationDefinition(name=name, data=batch, suite=expectations)
    validation = context.validation_definitions.add_or_update(definition).run(
        batch_parameters={"dataframe": frame},
        result_format={"result_format": "COMPLETE", "unexpected_index_column_names": [_ROW]},
        run_id=RunIdentifier(run_name=RUN, run_time=NO_TIME),
    )
    return validation.results


def _list_failing_rows(result: ExpectationValidationResult, suite: Suite, name: str, reason: str) -> list[int]:
    """Return the numbers of the rows that fail an expectation.

    Raises:
        ConfigError: The expectation cannot be evaluated.
        ValidationError: It is a condition on the whole table, and does not hold.
    """
    if result.exception_info and result.exception_info.get("raised_exception", True):
        raise _report_broken_expectation(suite, name, result.exception_info)
    failing = result.result.get("unexpected_index_list")
    if failing is None and not result.success:
        raise ValidationError(f"{suite.file.stem}: {reason}", f"The condition stands in {suite.file}.")
    return [int(row[_ROW]) for row in failing or []]


def _report_broken_expectation(suite: Suite, name: str, info: Mapping[str, Any]) -> ConfigError:
    # Great Expectations nests the report one level deeper if a metric raised the exception, not the expectation.
    reports = [info, *(value for value in info.values() if isinstance(value, Mapping))]
    message = next((report["exception_message"] for report in reports if report.get("exception_message")), "")
    return ConfigError(f"{suite.file}: {name} cannot be evaluated: {message}", "Mend its kwargs.")
