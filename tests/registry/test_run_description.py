"""What MLflow shows of a version's run: description, data set, commit, the scores that runs are compared by."""

import hashlib
import json
import shutil
from pathlib import Path

import mlflow
import pytest

from cotpd.config import Params
from cotpd.pipeline.registration import register_student
from cotpd.registry.origin import _flatten
from cotpd.registry.tracking_store import connect
from cotpd.registry.versions import find_version

ROW = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "macro_f1": 0.5, "per_type": {"/per/org": {"f1": 0.25}}}
METRICS = {
    "valid": {"baseline": ROW, "student": ROW},
    "test": {
        "baseline": ROW | {"f1": 0.4},
        "student": ROW,
        "knowledge": ROW | {"f1": 0.6},
        "gain": {"f1": 0.1, "low": -0.02, "high": 0.22, "p_value": 0.1},
    },
}


SOURCE = "posts/<img src=x onerror=1>[a](http_b)"


@pytest.fixture(scope="module")
def run(tmp_path_factory, empty_registry, students):
    """The run of a version that was made from three posts for training and one for testing."""
    root = tmp_path_factory.mktemp("project")
    shutil.copy(empty_registry, root / "mlflow.db")
    tables = {"train": "{}\n{}\n{}\n", "test": "{}\n", "knowledge": "{}\n{}\n"}
    for name, rows in tables.items():
        (root / f"{name}.jsonl").write_text(rows)
    params = Params.model_validate({"data": {"path": SOURCE}})
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        paths = [root / f"{name}.jsonl" for name in tables]
        register_student(params, students["ner"], METRICS, tables=paths, root=root)
        client = connect(params.register_, root)
        yield client, client.get_run(find_version(client, "cotpd-ner", "1").run_id)


def test_a_run_has_the_metrics_that_dvc_shows_and_all_others_in_a_file(run, tmp_path):
    client, logged = run

    artifact = client.download_artifacts(logged.info.run_id, "evaluation/scores.json", tmp_path)

    assert logged.data.metrics == {
        "valid.baseline.f1": 0.5,
        "valid.student.f1": 0.5,
        "test.baseline.f1": 0.4,
        "test.student.f1": 0.5,
        "test.knowledge.f1": 0.6,
        "test.gain.f1": 0.1,
    }
    assert json.loads(Path(artifact).read_text("utf-8")) == METRICS


def test_a_run_has_its_data_set_with_digest_posts_and_a_source_that_mlflow_resolves(run):
    _, logged = run

    inputs = {item.tags[0].value: item.dataset for item in logged.inputs.dataset_inputs}

    assert set(inputs) == {"training", "testing"}  # the table of knowledge is no split
    training = inputs["training"]
    digest = hashlib.sha256(b"{}\n{}\n{}\n").hexdigest()
    assert (training.name, training.digest) == (Path(SOURCE).name, digest[:12])
    assert json.loads(training.profile) == {"split": "train", "posts": 3, "sha256": digest}
    assert mlflow.data.get_source(training).to_dict() == {"uri": SOURCE}


def test_a_run_says_what_it_is_how_good_and_where_the_rest_is(run):
    _, logged = run

    description = logged.data.tags["mlflow.note.content"]

    assert description.startswith("valid: F1 of the student **50.00**, of the baseline 50.00.\n")
    assert "test: F1 of the student **50.00**, of the baseline 40.00, gain +10.00 points" in description
    assert "95 % interval -2.00 to +22.00" in description
    assert ", posts: 3 train, 1 test." in description
    assert "<img" not in description
    assert "[a](" not in description
    assert "evaluation/report.html" in description
    assert logged.info.run_name == "cotpd-ner version 1"


def test_an_experiment_says_what_its_runs_are(run):
    client, logged = run

    experiment = client.get_experiment(logged.info.experiment_id)

    assert "Compare versions by the metrics" in experiment.tags["mlflow.note.content"]


def test_the_parameters_of_a_run_hold_no_password():
    params = {
        "register": {"tracking_uri": "postgresql://user:hunter2@db.example/mlflow", "name": None},
        "seed": 13,
    }

    assert _flatten(params) == {
        "register.tracking_uri": "postgresql://user:***@db.example/mlflow",
        "register.name": None,
        "seed": 13,
    }
