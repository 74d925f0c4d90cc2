"""A small project with prepared tables, and parameters for an encoder of a few kilobytes."""

import json
import shutil
from functools import partial
from pathlib import Path

import pytest

from cotpd.config import Params
from cotpd.data.records import Augmented, Kind
from cotpd.data.tables import write_table
from cotpd.pipeline.workspace import Workspace
from cotpd.studies.results_cache import ResultsCache
from cotpd.studies.schedule import make_schedule
from cotpd.studies.study import read_study
from tests.builders import build_posts, write_prepared_tables
from tests.studies.study_files import write_study_file

RUN = {"epochs": 1, "device": "cpu", "bf16": "off"}


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory, params: Params) -> Path:
    """Twelve posts to learn from, six to be tested on and four without labels, all with captions and answers."""
    root = tmp_path_factory.mktemp("tables")
    posts = [post.model_copy(update={"image": f"{number % 4}.jpg"}) for number, post in enumerate(build_posts(22))]
    write_prepared_tables(root, {"train": posts[:12], "test": posts[12:18], "unlabelled": posts[18:]})
    rewrite = posts[0].model_copy(update={"id": "p0~style"})
    augmented = [Augmented(post=rewrite, of="p0", kind=Kind.STYLE, keep_knowledge=(Kind.NOUN,))]
    write_table(Workspace(root).augmented / "augmented.jsonl", augmented)
    values = params.model_dump(mode="json", by_alias=True, exclude_unset=True)
    (root / "params.yaml").write_text(json.dumps(values | {"data": {"path": "posts"}}), "utf-8")
    return root


@pytest.fixture
def project(tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own with these tables, in which the test runs."""
    shutil.copytree(tables, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write_study(tmp_path: Path):
    """Writes a study's file, and returns its name for the commands."""
    return partial(write_study_file, tmp_path)


@pytest.fixture
def plan(project, params, write_study):
    """Plans the cells of a study on a project where nothing has run."""

    def make(*cells, base=params, **values):
        named = read_study(write_study(cells=list(cells), **values), base)
        return make_schedule(named, ResultsCache(project / "cache"))

    return make
