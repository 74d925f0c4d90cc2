"""Tiny trained students of both tasks, and an empty registry that costs its six seconds once."""

import shutil

import pytest

from cotpd.config import Params
from cotpd.data.records import Entity, Post, Relation
from cotpd.data.tokenization import tokenize
from cotpd.registry.params import RegisterParams
from cotpd.registry.tracking_store import connect
from cotpd.student.params import StudentParams, TrainParams

TEXT = "Ada works for Acme in Rome"


@pytest.fixture(scope="session")
def students(encoder, tmp_path_factory):
    """Folder of a student by task."""
    from cotpd.student.examples import build_examples
    from cotpd.student.objectives import FineTuning
    from cotpd.student.training import train

    tokens = tokenize(TEXT)
    post = Post(
        id="1",
        text=TEXT,
        tokens=tuple(token.text for token in tokens),
        offsets=tuple((token.start, token.end) for token in tokens),
        entities=(Entity(start=0, end=1, type="PER"), Entity(start=3, end=4, type="ORG")),
        relations=(Relation(head=0, tail=1, label="member"),),
    )
    folder = tmp_path_factory.mktemp("students")
    for task, types in (("ner", ("ORG", "PER")), ("re", ("None", "member"))):
        train(
            build_examples([post] * 8, task, {}, {}),
            [],
            task=task,
            types=types,
            student=StudentParams(encoder=str(encoder), prompt_length=2, generator_heads=2, dropout=0),
            params=TrainParams(epochs=30, batch_size=4, learning_rate=1e-2, head_learning_rate=3e-2, device="cpu"),
            objective=FineTuning(),
            seed=1,
            out=folder / task / "student",
        )
    return {task: folder / task / "student" for task in ("ner", "re")}


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("registry")
    connect(RegisterParams(), folder, create=True)
    return folder / "mlflow.db"


@pytest.fixture
def project(tmp_path, empty_registry, monkeypatch):
    """A project's folder with an empty registry in it, as the current one."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_registry, tmp_path / "mlflow.db")
    return tmp_path


@pytest.fixture
def params():
    return {task: Params(task=task) for task in ("ner", "re")}
