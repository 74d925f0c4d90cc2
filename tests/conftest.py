"""Shared by every test: no telemetry, no network unless a test asks for it, and where the lent data is."""

import os
from pathlib import Path

import pytest

from cotpd.environment import quiet

quiet()
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real annotated posts, which is not part of the repository."""
    folder = Path(os.environ.get("COTPD_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: name a folder with twitter2017/ and mnre/ in COTPD_DATA")
    return folder
