"""The project's own expectations, which the suites name beside those of Great Expectations.

Importing this module registers them. Great Expectations would drop them silently from a suite that is loaded
without this import, so the loader imports it and counts. Each wraps a function of
:mod:`cotpd.expectations.wording`, :mod:`cotpd.expectations.obedience` or :mod:`cotpd.completions`.
"""

import json
from typing import Any, ClassVar, TypeAlias

import pandas as pd
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import ColumnMapExpectation, ColumnPairMapExpectation
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnMapMetricProvider,
    ColumnPairMapMetricProvider,
    column_condition_partial,
    column_pair_condition_partial,
)
from great_expectations.render.renderer_configuration import RendererConfiguration, RendererValueType

from cotpd.completions import has_control_tokens
from cotpd.expectations.obedience import is_foreign, is_obedient
from cotpd.expectations.wording import compute_repeated_share, count_words, find_missing_mentions, is_copy

Rendering: TypeAlias = "RendererConfiguration[Any]"


class Readable:
    """An expectation that says what it expects in a sentence, wherever Great Expectations shows it.

    Without one it would be shown as its name and its arguments.
    """

    sentence: ClassVar[str]
    """With the name of an argument behind each ``$``."""

    @classmethod
    def write_sentence(cls, renderer_configuration: Rendering) -> Rendering:
        """Put the sentence and its arguments into what Great Expectations is about to show."""
        fields: dict[str, Any] = getattr(cls, "__fields__")  # noqa: B009 - of the base beside this class
        given = renderer_configuration.kwargs
        arguments = {name: given.get(name, field.default) for name, field in fields.items()}
        for name, value in arguments.items():
            if f"${name}" in cls.sentence or name == "mostly":
                kind = RendererValueType.from_value(value)
                renderer_configuration.add_param(name=name, param_type=kind, value=value)
        share = ", in at least the share $mostly of the rows" if arguments["mostly"] < 1 else ""
        renderer_configuration.template_str = cls.sentence + share
        return renderer_configuration

    _prescriptive_template = write_sentence  # the name by which Great Expectations calls it


class WordCount(ColumnMapMetricProvider):
    """Whether the number of words lies between two bounds."""

    condition_metric_name = "column_values.cotpd_word_count"
    condition_value_keys = ("min_words", "max_words")

    @column_condition_partial(engine=PandasExecutionEngine)
    def _evaluate(cls, column: pd.Series, min_words: int, max_words: int, **_: Any) -> pd.Series:  # noqa: N805
        return column.map(lambda text: min_words <= count_words(text) <= max_words).astype(bool)


class ExpectColumnValuesToHaveWordsBetween(Readable, ColumnMapExpectation):
    """Text has at least ``min_words`` and at most ``max_words`` words."""

    sentence: ClassVar[str] = "$column has at least $min_words and at most $max_words words"
    map_metric = "column_values.cotpd_word_count"
    success_keys = ("min_words", "max_words", "mostly")
    min_words: int = 1
    max_words: int


class ControlTokens(ColumnMapMetricProvider):
    """Whether the text contains no control token."""

    condition_metric_name = "column_values.cotpd_no_control_tokens"

    @column_condition_partial(engine=PandasExecutionEngine)
    def _evaluate(cls, column: pd.Series, **_: Any) -> pd.Series:  # noqa: N805
        return column.map(lambda text: not has_control_tokens(text)).astype(bool)


class ExpectColumnValuesToHoldNoControlTokens(Readable, ColumnMapExpectation):
    """Text contains no token for turn, end or padding; :mod:`cotpd.completions.control_tokens` lists them."""

    sentence: ClassVar[str] = "$column holds no control token of a model"
    map_metric = "column_values.cotpd_no_control_tokens"
    success_keys = ("mostly",)


class Loop(ColumnMapMetricProvider):
    """Whether at most some share of a text's three-word stretches repeat earlier ones."""

    condition_metric_name = "column_values.cotpd_loop"
    condition_value_keys = ("max_repeated",)

    @column_condition_partial(engine=PandasExecutionEngine)
    def _evaluate(cls, column: pd.Series, max_repeated: float, **_: Any) -> pd.Series:  # noqa: N805
        return column.map(lambda text: compute_repeated_share(text) <= max_repeated).astype(bool)


class ExpectColumnValuesNotToLoop(Readable, ColumnMapExpectation):
    """The model did not get stuck: at most ``max_repeated`` of the three-word stretches repeat earlier ones."""

    sentence: ClassVar[str] = (
        "at most the share $max_repeated of the three-word stretches in $column repeat earlier ones"
    )
    map_metric = "column_values.cotpd_loop"
    success_keys = ("max_repeated", "mostly")
    max_repeated: float


class Copy(ColumnPairMapMetricProvider):
    """Whether the text in column A is not a copy of the text in column B."""

    condition_metric_name = "column_pair_values.cotpd_no_copy"
    condition_domain_keys = (
        "batch_id",
        "table",
        "column_A",
        "column_B",
        "row_condition",
        "condition_parser",
        "ignore_row_if",
    )
    condition_value_keys = ("part",)

    @column_pair_condition_partial(engine=PandasExecutionEngine)
    def _evaluate(cls, column_A: pd.Series, column_B: pd.Series, part: bool, **_: Any) -> pd.Series:  # noqa: N803, N805
        verdicts = [not is_copy(text, post, part=part) for text, post in zip(column_A, column_B, strict=True)]
        return pd.Series(verdicts, index=column_A.index, dtype=bool)


class ExpectColumnPairValuesNotToBeCopies(Readable, ColumnPairMapExpectation):
    """Text A is not text B in other punctuation; with ``part``, nor a stretch of text B."""

    sentence: ClassVar[str] = "$column_A is no copy of $column_B"
    map_metric = "column_pair_values.cotpd_no_copy"
    success_keys = ("column_A", "column_B", "ignore_row_if", "part", "mostly")
    ignore_row_if: str = "either_value_is_missing"
    part: bool = False


class Obedience(ColumnPairMapMetricProvider):
    """Whether the text in column A does not obey a command in the text in column B."""

    condition_metric_name = "column_pair_values.cotpd_no_obedience"
    condition_domain_keys = Copy.condition_domain_keys
    condition_value_keys = ()

    @column_pair_condition_partial(engine=PandasExecutionEngine)
    def _evaluate(cls, column_A: pd.Series, column_B: pd.Series, **_: Any) -> pd.Series:  # noqa: N803, N805
        verdicts = [not is_obedient(text, post) for text, post in zip(column_A, column_B, strict=True)]
        return pd.Series(verdicts, index=column_A.index, dtype=bool)


class ExpectColumnPairValuesNotToObey(Readable, ColumnPairMapExpectation):
    """Text A is not what text B commands its reader to say: a post is material and never an instruction."""

    sentence: ClassVar[str] = "$column_A does not say what $column_B orders its reader to say"
    map_metric = "column_pair_values.cotpd_no_obedience"
    success_keys = ("column_A", "column_B", "ignore_row_if", "mostly")
    ignore_row_if: str = "either_value_is_missing"


class Language(ColumnPairMapMetricProvider):
    """Whether the text in column A is English, or at least in the script of the text in column B."""

    condition_metric_name = "column_pair_values.cotpd_language"
    condition_domain_keys = Copy.condition_domain_keys
    condition_value_keys = ()

    @column_pair_condition_partial(engine=PandasExecutionEngine)
    def _evaluate(cls, column_A: pd.Series, column_B: pd.Series, **_: Any) -> pd.Series:  # noqa: N803, N805
        verdicts = [not is_foreign(text, post) for text, post in zip(column_A, column_B, strict=True)]
        return pd.Series(verdicts, index=column_A.index, dtype=bool)


class ExpectColumnPairValuesToBeEnglish(Readable, ColumnPairMapExpectation):
    """Text A is not clearly in another language than English, nor in a script that text B does not have."""

    sentence: ClassVar[str] = "$column_A is English, and in no script that $column_B does not have"
    map_metric = "column_pair_values.cotpd_language"
    success_keys = ("column_A", "column_B", "ignore_row_if", "mostly")
    ignore_row_if: str = "either_value_is_missing"


class Mentions(ColumnPairMapMetricProvider):
    """Whether every mention in column B (a JSON list) stands in the text of column A to the letter."""

    condition_metric_name = "column_pair_values.cotpd_mentions"
    condition_domain_keys = Copy.condition_domain_keys
    condition_value_keys = ()

    @column_pair_condition_partial(engine=PandasExecutionEngine)
    def _evaluate(cls, column_A: pd.Series, column_B: pd.Series, **_: Any) -> pd.Series:  # noqa: N803, N805
        verdicts = [
            not find_missing_mentions(json.loads(names), text)
            for text, names in zip(column_A, column_B, strict=True)
        ]
        return pd.Series(verdicts, index=column_A.index, dtype=bool)


class ExpectColumnPairValuesToKeepMentions(Readable, ColumnPairMapExpectation):
    """Every mention in B, a JSON list of strings, stands in text A to the letter and between token borders."""

    sentence: ClassVar[str] = "$column_A keeps every mention in $column_B to the letter"
    map_metric = "column_pair_values.cotpd_mentions"
    success_keys = ("column_A", "column_B", "ignore_row_if", "mostly")
    ignore_row_if: str = "either_value_is_missing"
