"""The preset sample-sentiment on a tiny encoder: through every step, and the student in each of its places."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from cotpd.cli.main import app
from cotpd.cli.params_editor import write_values
from cotpd.cli.preset import apply
from cotpd.config import load_params
from cotpd.export.posts import gather_labelled
from cotpd.export.writer import write_export
from cotpd.inference.loading import load_predictor
from cotpd.pipeline.training_examples import read_text_examples
from cotpd.pipeline.workspace import Workspace
from cotpd.serving.application import build_application
from cotpd.serving.limits import Limits
from cotpd.serving.served_version import load_version
from cotpd.serving.service import Service
from cotpd.student import Student
from steps import ask, augment, baseline, caption, evaluate, prepare, register, train, validate
from tests.builders import read_jsonl

LABELS = {"negative", "neutral", "positive"}
TEXT = "this sport is broken and i love it"


@pytest.fixture(scope="module")
def project(root: Path, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which every step has run on a cut of the sample; no server of the LLM runs."""
    folder = tmp_path_factory.mktemp("sentiment")
    shutil.copy(root / "params.yaml", folder)
    shutil.copytree(root / "expectations", folder / "expectations")
    apply("sample-sentiment", data=str(root / "sample"), params=folder / "params.yaml")
    changes = {
        "data": {"limit": 40},
        "caption": {"backend": "none"},
        "llm": {"recorded": str(root / "sample/ledger.jsonl"), "retries": 0},
        "student": {"encoder": str(encoder), "prompt_length": 2, "generator_heads": 2},
        "baseline": {"epochs": 1, "device": "cpu"},
        "train": {"epochs": 1, "device": "cpu"},
        "register": {"encoder_licence": "mit"},
    }
    write_values(folder / "params.yaml", changes)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        params = load_params()
        for step in (prepare, caption, ask, validate, augment, baseline, train, evaluate, register):
            step.run(params)
        yield folder


def run_command(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


def test_no_answer_is_bought_and_a_rewrite_keeps_the_label_of_its_post(project: Path) -> None:
    label_of = {row["id"]: row["label"] for row in read_jsonl(project / "data/prepared/train.jsonl")}

    augmented = read_jsonl(project / "data/augmented/augmented.jsonl")
    counts = json.loads((project / "data/augmented/counts.json").read_text("utf-8"))

    assert {row["kind"] for row in augmented} == {"style", "image"}
    assert all(row["post"]["label"] == label_of[row["of"]] for row in augmented)
    assert [counts[kind]["unanswered"] for kind in ("style", "image")] == [0, 0]


def test_accuracy_leads_and_is_the_micro_f1_with_an_interval(project: Path) -> None:
    scores = json.loads((project / "reports/evaluation/scores.json").read_text("utf-8"))
    metrics = json.loads((project / "reports/metrics.json").read_text("utf-8"))

    student = scores["test"]["student"]

    assert student["accuracy"] == pytest.approx(student["f1"], abs=1e-6)
    assert set(student["per_type"]) <= LABELS
    assert metrics["test"]["student"] == {"accuracy": student["accuracy"]}
    assert {"f1", "low", "high", "p_value"} <= set(scores["test"]["gain"])
    shown = run_command("show")
    assert "accuracy" in shown
    assert "recall" not in shown


def test_predict_labels_a_text_and_a_file_of_rows(project: Path) -> None:
    (project / "posts.csv").write_text(f"id,text\n1,{TEXT}\n2,  \n", "utf-8")

    answer = json.loads(run_command("predict", "--model", "models/student", "--json", TEXT))
    run_command("predict", "--model", "models/student", "--input", "posts.csv", "--output", "scored.jsonl")
    first, second = read_jsonl(project / "scored.jsonl")

    assert answer["label"] in LABELS
    assert (first["label"], first["score"]) == (answer["label"], pytest.approx(answer["score"], abs=1e-3))
    assert (second["label"], second["score"], second["error"]) == (None, None, None)


def test_explain_shows_near_training_posts_with_their_labels(project: Path) -> None:
    [claim] = json.loads(run_command("explain", "--model", "models/student", "--json", TEXT))["claims"]

    assert claim["label"] in LABELS
    assert {neighbour["label"] for neighbour in claim["neighbours"]} <= LABELS
    assert "near" in run_command("explain", "--model", "models/student", TEXT)


def test_the_server_answers_one_text_and_several(project: Path) -> None:
    service = Service(load_version("models/student", "models/student", None, "torch", "cpu"), Limits())
    service.start()

    with TestClient(build_application(service, is_logged=False)) as client:
        single = client.post("/v1/predict", json={"text": TEXT}).json()
        several = client.post("/v1/predict", json={"texts": [TEXT, " "]}).json()
        state = client.get("/readyz").json()
    service.stop()

    assert single["predictions"][0]["label"] in LABELS
    assert several["predictions"] == [single["predictions"][0], {"label": None, "score": None}]
    assert (state["task"], state["fields"]) == ("sentiment", ["text"])


def test_an_export_gives_the_same_labels(project: Path) -> None:
    copy = shutil.copytree("models/student", project / "exported/student")
    workspace = Workspace()
    splits = {split: read_text_examples(workspace, "sentiment", split) for split in ("train", "valid", "test")}

    export = write_export(copy, gather_labelled(splits), int8=False)
    texts = [example.text for example in splits["test"]] + [" ", " ".join([TEXT] * 60)]
    labels = list(load_predictor(copy, "onnx").predict_labels(texts))

    expected = list(Student.from_pretrained(copy, "cpu").predict_labels(texts))
    assert export.record.verdicts["onnx"].passed
    assert [label and label.label for label in labels] == [label and label.label for label in expected]
    assert labels[-2] is None


def test_the_version_has_a_card_with_accuracy_and_answers_through_mlflow(project: Path) -> None:
    import mlflow
    import pandas as pd

    registered = json.loads((project / "reports/registered.json").read_text("utf-8"))
    listed = run_command("registry", "list")

    mlflow.set_tracking_uri(load_params().register_.tracking_uri)
    model = mlflow.pyfunc.load_model(f"models:/{registered['name']}/{registered['version']}")
    answers = model.predict(pd.DataFrame({"text": [TEXT, " "]}))
    card = mlflow.artifacts.load_text(f"runs:/{registered['run_id']}/MODEL_CARD.md")

    assert registered["name"] == "cotpd-sentiment"
    assert "accuracy.test" in listed
    assert answers[0]["label"] in LABELS
    assert answers[1] == {"label": None, "score": None}
    assert "| split | model | accuracy | macro F1 |" in card
    assert "Naming the sentiment of short posts" in card
