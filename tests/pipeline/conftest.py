"""The parameters of a project whose questions are planned."""

from pathlib import Path

import pytest

from cotpd.config import Params
from tests.pipeline.planned_project import POSTS, write_posts


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Three posts to train on: one with a caption, one that brings an answer along."""
    monkeypatch.chdir(tmp_path)
    write_posts(POSTS)
    sections = {
        "data": {"path": "posts"},
        "caption": {"backend": "dataset"},
        "llm": {"ledger": "ledger.db", "recorded": None, "base_url": "http://unreachable.invalid/v1"},
        "augment": {"share": 1.0},
    }
    return Params.model_validate(sections)
