"""A small project with prepared tables, and parameters for an encoder of a few kilobytes."""

import json
from pathlib import Path

import pytest
import yaml

from cotpd.config import Params
from cotpd.data.records import Augmented, Kind
from cotpd.data.tables import write_table
from cotpd.pipeline.workspace import Workspace
from tests.builders import build_posts, write_prepared_tables

RUN = {"epochs": 1, "device": "cpu", "bf16": "off"}


@pytest.fixture
def params(encoder: Path) -> Params:
    """Frozen teachers of one epoch."""
    values = {
        "student": {"encoder": str(encoder), "prompt_length": 2, "generator_heads": 2, "dropout": 0.0},
        "baseline": RUN,
        "teach": RUN,
        "train": RUN,
        "distil": {"way": "frozen"},
        "evaluate": {"device": "cpu"},
    }
    return Params.model_validate(values)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: Params) -> Path:
    """Twelve posts to learn from, six to be tested on and four without labels, all with captions and answers."""
    monkeypatch.chdir(tmp_path)
    posts = build_posts(22)
    write_prepared_tables(tmp_path, {"train": posts[:12], "test": posts[12:18], "unlabelled": posts[18:]})
    rewrite = posts[0].model_copy(update={"id": "p0~style"})
    augmented = [Augmented(post=rewrite, of="p0", kind=Kind.STYLE, keep_knowledge=(Kind.NOUN,))]
    write_table(Workspace(tmp_path).augmented / "augmented.jsonl", augmented)
    values = params.model_dump(mode="json", by_alias=True, exclude_unset=True)
    (tmp_path / "params.yaml").write_text(json.dumps(values | {"data": {"path": "posts"}}), "utf-8")
    return tmp_path


@pytest.fixture
def write_study(tmp_path: Path):
    """Writes a study's file, and returns its name for the commands."""

    def write(name: str = "mine", **values: object) -> str:
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"question": "What?", "seeds": [1]} | values, sort_keys=False), "utf-8")
        return str(path)

    return write
