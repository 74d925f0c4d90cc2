"""Evaluate a suite with Great Expectations. Importing this module imports Great Expectations, which takes 3 s."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import great_expectations as gx
import pandas as pd
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context import EphemeralDataContext

from cotpd.data.records import Answer, Caption, Post
from cotpd.errors import ConfigError, ValidationError
from cotpd.expectations.checked_tables import NAMES, ROW, find_exception
from cotpd.expectations.docs import make_context
from cotpd.expectations.frames import CELL_BUILDERS
from cotpd.expectations.suites import Suite, load_suite

_RUN = "validate"  # the name of a run of checks in Great Expectations' results


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
    frame[ROW] = range(len(rows))

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
    names = [ROW, *(name for name in NAMES if name in frame.columns)]
    validation = context.validation_definitions.add_or_update(definition).run(
        batch_parameters={"dataframe": frame},
        result_format={"result_format": "COMPLETE", "unexpected_index_column_names": names},
        run_id=RunIdentifier(run_name=_RUN, run_time=datetime.now(UTC)),
    )
    return validation.results


def _list_failing_rows(result: ExpectationValidationResult, suite: Suite, name: str, reason: str) -> list[int]:
    """Return the numbers of the rows that fail an expectation.

    Raises:
        ConfigError: The expectation cannot be evaluated.
        ValidationError: It is a condition on the whole table, and does not hold.
    """
    if problem := find_exception(result):
        raise ConfigError(f"{suite.file}: {name} cannot be evaluated: {problem}", "Mend its kwargs.")
    failing = result.result.get("unexpected_index_list")
    if failing is None and not result.success:
        raise ValidationError(f"{suite.file.stem}: {reason}", f"The condition stands in {suite.file}.")
    return [int(row[ROW]) for row in failing or []]
