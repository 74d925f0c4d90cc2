"""Builders of small data sets in each format; all texts are invented."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cotpd.data.load import Dataset, load_dataset
from cotpd.data.params import DataParams

Load = Callable[..., Dataset]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load the data set in the test's folder; keywords are the data section's."""

    def _load(*, require_train: bool = True, path: str = ".", **params: Any) -> Dataset:
        return load_dataset(DataParams(path=path, **params), tmp_path, require_train=require_train)

    return _load


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a file below the test's folder: text, bytes, or rows as JSON Lines."""

    def _write(name: str, content: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, list):
            content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return _write


@pytest.fixture
def row() -> Callable[..., dict[str, Any]]:
    """A good row of our own format, with changes; a value of ... takes the key out."""

    def _row(post_id: Any = "1", **changes: Any) -> dict[str, Any]:
        base = {
            "id": post_id,
            "text": f"Ada visits London again ({post_id})",
            "entities": [{"start": 0, "end": 3, "type": "PER"}, {"start": 11, "end": 17, "type": "LOC"}],
            "relations": [{"head": 0, "tail": 1, "label": "None"}],
        } | changes
        return {key: value for key, value in base.items() if value is not ...}

    return _row
