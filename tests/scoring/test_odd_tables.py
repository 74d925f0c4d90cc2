"""Parquet of any type, width and grouping, and columns on their way between the formats."""

import datetime
import json
import math
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cotpd.errors import DataError
from tests.scoring.doubles import build_rows, count_mentions, read_rows, score, write_rows

TEXTS = ["Ada", None, "Bob and Eve"]


def score_table(folder: Path, table: pa.Table, output: str = "spans.parquet", **options):
    pq.write_table(table, folder / "posts.parquet")
    score(folder / "posts.parquet", folder / output, **options)
    return folder / output


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())],
    ids=str,
)
def test_text_of_any_arrow_type_is_read_and_stays_what_it_was(tmp_path: Path, kind: pa.DataType):
    column = pa.array(TEXTS).dictionary_encode() if pa.types.is_dictionary(kind) else pa.array(TEXTS, kind)

    output = score_table(tmp_path, pa.table({"text": column}))

    rows = read_rows(output)
    assert count_mentions(rows) == [1, 0, 2]
    assert [row["error"] for row in rows] == [None, "text is missing", None]
    assert pq.read_schema(output).field("text").type == kind


@pytest.mark.parametrize("values", [[1, 2], [1.5], [b"Ada"], [["Ada"]], [{"a": "Ada"}], [True]], ids=str)
def test_a_text_column_of_another_type_is_refused(tmp_path: Path, values: list):
    with pytest.raises(DataError, match=r"the column 'text' holds .*, not text"):
        score_table(tmp_path, pa.table({"text": values}))


def test_a_text_column_of_nulls_is_refused_and_an_empty_one_is_an_empty_batch(tmp_path: Path):
    with pytest.raises(DataError, match="the column 'text' is empty in every row"):
        score_table(tmp_path, pa.table({"text": pa.nulls(2)}))

    output = score_table(tmp_path, pa.table({"id": pa.array([], pa.int64()), "text": pa.nulls(0)}))

    assert pq.read_table(output).num_rows == 0
    assert pq.read_schema(output).names == ["id", "text", "entities", "error"]


def test_columns_of_parquet_keep_their_types_and_their_nesting(tmp_path: Path):
    table = pa.table(
        {
            "text": TEXTS,
            "when": pa.array([datetime.datetime(2026, 1, 2, 3, 4)] * 3, pa.timestamp("us", "UTC")),
            "price": pa.array([Decimal("1.50"), None, Decimal("2.25")], pa.decimal128(10, 2)),
            "tags": [["a", "b"], [], None],
            "author": [{"name": "Ada", "age": 36}, None, {"name": "Bob", "age": None}],
            "picture": [b"\x00\xff", b"", None],
            "kind": pa.array(["x", "y", "x"]).dictionary_encode(),
        }
    ).replace_schema_metadata({"source": "a test"})

    output = score_table(tmp_path, table)

    copied = pq.read_table(output)
    assert copied.select(table.column_names).equals(table)
    assert copied.schema.metadata[b"source"] == b"a test"


def test_values_of_parquet_that_json_lacks_are_written_as_text(tmp_path: Path):
    table = pa.table(
        {
            "text": ["Ada"],
            "when": [datetime.date(2026, 1, 2)],
            "price": [Decimal("1.50")],
            "picture": [b"\x00\xff"],
            "ratio": [math.nan],
        }
    )

    [row] = read_rows(score_table(tmp_path, table, "spans.jsonl"))

    assert (row["when"], row["price"], row["picture"], row["ratio"]) == ("2026-01-02", "1.50", "AP8=", None)


def test_a_table_of_pandas_is_read_again_by_pandas(tmp_path: Path):
    import pandas as pd

    frame = pd.DataFrame({"text": ["Ada", "bob"], "n": [1, 2]}, index=pd.Index(["a", "b"], name="key"))
    frame.to_parquet(tmp_path / "posts.parquet")

    score(tmp_path / "posts.parquet", tmp_path / "all.parquet")
    score(tmp_path / "posts.parquet", tmp_path / "some.parquet", keep=("n",))

    assert list(pd.read_parquet(tmp_path / "all.parquet").index) == ["a", "b"]
    assert list(pd.read_parquet(tmp_path / "some.parquet").columns) == ["n", "entities", "error"]


def test_two_columns_of_one_name_in_parquet_are_refused(tmp_path: Path):
    table = pa.Table.from_arrays([pa.array(["Ada"]), pa.array(["Bob"])], names=["text", "text"])

    with pytest.raises(DataError, match="two columns are called 'text'"):
        score_table(tmp_path, table)


def test_row_groups_of_any_size_are_read_in_order(tmp_path: Path):
    pq.write_table(pa.Table.from_pylist(build_rows(100)), tmp_path / "posts.parquet", row_group_size=7)

    score(tmp_path / "posts.parquet", tmp_path / "spans.parquet", batch_size=1)

    assert [row["likes"] for row in read_rows(tmp_path / "spans.parquet")] == list(range(100))


def test_keys_of_many_kinds_become_columns_without_a_loss(tmp_path: Path):
    values = [
        {"text": "Ada", "flag": True, "n": 1, "big": 2**60, "ratio": 1, "mixed": 1, "nested": {"a": [1]}},
        {"text": "Bob", "flag": None, "n": 2, "big": 1, "ratio": 0.5, "mixed": "x", "huge": 10**30},
    ]
    write_rows(tmp_path / "posts.jsonl", values)

    score(tmp_path / "posts.jsonl", tmp_path / "spans.parquet")

    first, second = read_rows(tmp_path / "spans.parquet")
    assert (first["flag"], first["n"], first["big"], first["ratio"]) == (True, 1, 2**60, 1.0)
    assert (first["mixed"], second["mixed"]) == ("1", "x")
    assert (json.loads(first["nested"]), second["nested"]) == ({"a": [1]}, None)
    assert (first["huge"], second["huge"]) == (None, str(10**30))
