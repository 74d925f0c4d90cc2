"""Small data sets in the folder of each test; all texts are invented."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cotpd.data.load import Dataset, load_dataset
from cotpd.data.params import DataParams
from tests.builders import build_row


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Dataset]:
    """Load the data set in the test's folder; keywords are the data section's."""

    def _load(*, require_train: bool = True, path: str = ".", **params: Any) -> Dataset:
        return load_dataset(DataParams(path=path, **params), tmp_path, require_train=require_train)

    return _load


@pytest.fixture
def good(write: Callable[..., Path]) -> None:
    """A train and a test split of our own format."""
    write("train.jsonl", [build_row(1), build_row(2)])
    write("test.jsonl", [build_row(3)])
