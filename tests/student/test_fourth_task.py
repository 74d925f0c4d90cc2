"""A task of another package: one module and one entry point, as docs/tasks.md shows it; nothing here knows its name."""

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from cotpd.cli.main import app
from cotpd.config import Params, load_params
from cotpd.data.params import DataParams
from cotpd.data.tables import write_table
from cotpd.errors import ConfigError
from cotpd.evaluation.predictions import build_predictions, read_predictions
from cotpd.evaluation.results_table import compute_metrics
from cotpd.pipeline.training_examples import read_label_names, read_text_examples
from cotpd.pipeline.workspace import Workspace
from cotpd.student import Student
from cotpd.student.examples import Example
from cotpd.student.labels import LabelSet
from cotpd.student.objectives import FineTuning
from cotpd.student.params import StudentParams, TrainParams
from cotpd.student.tasks import find_task
from cotpd.student.training import train
from steps import prepare
from tests.builders import write_jsonl


def read_example(root: Path) -> tuple[str, str]:
    """Return the module and the entry point that docs/tasks.md shows."""
    blocks = re.findall(r"```(?:python|toml)\n(.*?)```", (root / "docs/tasks.md").read_text("utf-8"), re.DOTALL)
    module = next(block for block in blocks if "class Crowd" in block)
    return module, next(block for block in blocks if "cotpd.tasks" in block)


@pytest.fixture
def package(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path with the module of docs/tasks.md, declared as an installed package declares it."""
    module, declaration = read_example(root)
    (tmp_path / "crowd_task.py").write_text(module, "utf-8")
    [(name, value)] = tomllib.loads(declaration)["project"]["entry-points"]["cotpd.tasks"].items()
    metadata = tmp_path / "crowd_task-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: crowd-task\nVersion: 1.0\n", "utf-8")
    (metadata / "entry_points.txt").write_text(f"[cotpd.tasks]\n{name} = {value}\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    find_task.cache_clear()
    yield tmp_path
    find_task.cache_clear()
    sys.modules.pop("crowd_task", None)


def prepare_posts(folder: Path) -> Params:
    """Prepare posts that only the task's own rule labels: by the number of their people."""
    person = {"start": 0, "end": 3, "type": "PER"}
    texts = {
        "Ada sings": [person],
        "a quiet lake": [],
        "Bob and Eve": [person, {"start": 8, "end": 11, "type": "PER"}],
    }
    rows = [{"id": text, "text": text, "entities": entities} for text, entities in texts.items()]
    write_jsonl(folder / "posts/train.jsonl", rows)
    write_jsonl(
        folder / "posts/test.jsonl",
        [row | {"id": f"t{row['id']}", "text": f"{row['text']} today"} for row in rows],
    )
    params = Params(task="crowd", data=DataParams(path="posts"), augment={"kinds": []})
    prepare.run(params)
    return params


def train_student(examples: list[Example], types: tuple[str, ...], encoder: Path, out: Path) -> None:
    train(
        examples,
        [],
        task="crowd",
        types=types,
        student=StudentParams(encoder=str(encoder), prompt_length=2, generator_heads=2, dropout=0),
        params=TrainParams(epochs=20, batch_size=4, learning_rate=1e-2, head_learning_rate=3e-2, device="cpu"),
        objective=FineTuning(),
        seed=1,
        out=out,
    )


def test_it_is_prepared_trained_scored_and_asked_like_any_other(
    package: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(package)
    params, workspace = prepare_posts(package), Workspace()
    examples = read_text_examples(workspace, "crowd", "train") * 4

    train_student(examples, read_label_names(workspace, params.task), encoder, package / "student")
    held_out = read_text_examples(workspace, "crowd", "test")
    predicted = Student.from_pretrained(package / "student", "cpu").predict_examples(held_out)
    write_table(
        package / "rows.jsonl", build_predictions(held_out, predicted, task="crowd", split="test", model="student")
    )
    metrics = compute_metrics(read_predictions(package / "rows.jsonl"), "crowd", seed=1, resamples=10)
    answer = CliRunner().invoke(app, ["predict", "--model", str(package / "student"), "--json", "a quiet lake"])

    assert read_label_names(workspace, "crowd") == ("many", "nobody", "one")
    assert metrics["test"]["student"]["accuracy"] >= 1 / 3
    assert json.loads(answer.stdout)["label"] == "nobody"


@pytest.mark.parametrize("enabled", ["recorded", "true"])
def test_without_a_prompt_for_its_labels_nothing_runs_that_would_want_one(
    package: Path, monkeypatch: pytest.MonkeyPatch, enabled: str
) -> None:
    monkeypatch.chdir(package)
    (package / "params.yaml").write_text(
        f"task: crowd\ndata: {{path: posts}}\naugment: {{kinds: []}}\nllm_row:\n  enabled: {enabled}\n", "utf-8"
    )
    prepare_posts(package)

    planned = CliRunner().invoke(app, ["plan"])

    assert str(planned.exception).startswith(
        "params.yaml:5: llm_row: the prompt set default has no extract-crowd.txt"
    )
    assert "Set llm_row.enabled: false" in str(planned.exception)
    with pytest.raises(ConfigError, match=r"extract-crowd\.txt"):  # as each step does first
        load_params()


def test_a_name_in_a_folder_imports_no_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ValidationError, match=r"there is no task 'evil:TASK'; there are ner, re, sentiment"):
        LabelSet.model_validate({"task": "evil:TASK", "names": ["a"]})


def test_an_object_that_is_no_task_is_refused_by_its_name(package: Path) -> None:
    (package / "crowd_task.py").write_text("TASK = 'crowd'", "utf-8")

    with pytest.raises(ConfigError, match=r"crowd_task:TASK is no task of the name crowd"):
        find_task("crowd")
