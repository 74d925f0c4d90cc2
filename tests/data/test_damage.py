"""Damaged files of any format end in posts, quarantined rows or a DataError: never in another exception."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cotpd.config import DataParams
from cotpd.data.load import load_dataset
from cotpd.data.readers import FORMATS
from cotpd.errors import DataError

CUTS = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(0, 6),
        st.sampled_from(
            [
                b"",
                b"\n",
                b"\t",
                b"[",
                b"{",
                b'"',
                b"null",
                b"-1",
                b"1e9",
                b"\xff",
                b"NaN",
                b"true",
                b"1e999",
                b"'",
                b",",
            ]
        ),
    ),
    min_size=1,
    max_size=4,
)


def small(name: str) -> bytes:
    text = FORMATS[name].example.split("\n                      <-")[0].replace(", ...]", "]")
    return (text.replace("\n", "") if name == "jsonl" else text).encode() + b"\n"


@pytest.mark.parametrize("name", list(FORMATS))
@given(cuts=CUTS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_is_reported(tmp_path: Path, name: str, cuts: list[tuple[float, int, bytes]]) -> None:
    content = small(name)
    for where, removed, put in cuts:
        at = int(where * len(content))
        content = content[:at] + put + content[at + removed :]
    (tmp_path / f"train{FORMATS[name].suffix}").write_bytes(content)
    try:
        dataset = load_dataset(DataParams(path=".", format=name), tmp_path, require_train=False)
    except DataError:
        return
    for row in dataset.quarantine:
        assert row.reason
        assert row.line > 0
        assert row.model_dump_json()
