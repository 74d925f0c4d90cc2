"""A registered student: what is kept of it, and that it predicts where this checkout is not."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cotpd.errors import DataError, ModelError
from cotpd.pipeline.registration import register_student
from cotpd.registry.tracking_store import connect
from cotpd.registry.versions import find_version, list_versions
from cotpd.student import Student
from cotpd.student.prediction_input import predict_rows
from tests.trained_students import TEXT

METRICS = {
    "test": {
        "student": {"f1": 0.5, "per_type": {"/per/org": {"f1": 0.25}}},
        "gain": {"f1": 0.125, "p_value": 0.01},
    }
}
# What the checkout put on the path, an editable install's finder included, is taken away again.
ELSEWHERE = """
import json, sys
checkout = sys.argv[1]
sys.path[:] = [one for one in sys.path if one not in ("", checkout) and not one.startswith("__editable__")]
sys.meta_path[:] = [one for one in sys.meta_path if "editable" not in repr(one).lower()]
try:
    import cotpd
    raise SystemExit("the checkout is still in reach")
except ModuleNotFoundError:
    pass
import mlflow, pandas
mlflow.set_tracking_uri(sys.argv[2])
model = mlflow.pyfunc.load_model(sys.argv[3])
print(json.dumps(model.predict(pandas.DataFrame(json.loads(sys.argv[4])))))
"""


def predict_elsewhere(project, folder, uri, rows):
    command = [sys.executable, "-c", ELSEWHERE, str(Path(__file__).parents[2]), f"sqlite:///{project}/mlflow.db"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    process = subprocess.run(
        [*command, uri, json.dumps(rows)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


def run_of(project, registered):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{project}/mlflow.db").get_run(registered.run_id)


def test_a_run_keeps_parameters_scores_digests_and_the_evaluation(project, params, students):
    table = project / "train.jsonl"
    table.write_text("{}\n")
    (project / "evaluation").mkdir()
    (project / "evaluation" / "report.html").write_text("<p>report</p>")
    registered = register_student(
        params["ner"], students["ner"], METRICS, evaluation=project / "evaluation", tables=[table], root=project
    )
    run = run_of(project, registered)
    assert run.data.params["student.encoder"] == "all-MiniLM-L6-v2"
    assert run.data.params["validate.max_failed_share"] == "0.1"
    assert run.data.metrics["test.student.f1"] == 0.5
    assert run.data.tags["sha256.train.jsonl"] == hashlib.sha256(b"{}\n").hexdigest()
    assert run.info.artifact_uri.startswith(project.as_uri())
    assert list(project.rglob("mlruns/**/evaluation/report.html"))
    version = find_version(connect(params["ner"].register_, project), "cotpd-ner", "challenger")
    assert (version.tags["f1.test"], version.tags["gain.test"]) == ("50.00", "+12.50")


def test_registering_again_makes_a_new_version_and_moves_the_alias(project, params, students):
    numbers = [register_student(params["ner"], students["ner"], METRICS, root=project).version for _ in range(2)]
    assert numbers == [1, 2]
    client = connect(params["ner"].register_, project)
    assert [version.aliases for version in list_versions(client, "cotpd-ner")] == [(), ("challenger",)]


def test_a_version_holds_safetensors_and_its_code_but_no_pickle(project, params, students):
    register_student(params["ner"], students["ner"], METRICS, root=project)
    files = {path.name for path in (project / "mlruns").rglob("*") if path.is_file()}
    assert {"model.safetensors", "served_model.py", "student.py", "requirements.txt"} <= files
    assert not [name for name in files if name.endswith((".pkl", ".pickle", ".pyc", ".bin", ".pt"))]
    [requirements] = (project / "mlruns").rglob("requirements.txt")
    assert all("==" in line and "+" not in line for line in requirements.read_text().split())


@pytest.mark.parametrize(
    ("task", "row"), [("ner", {"text": TEXT}), ("re", {"text": TEXT, "head": "Ada", "tail": "Acme"})]
)
def test_a_version_predicts_the_same_where_the_checkout_is_not(
    project, params, students, tmp_path_factory, task, row
):
    register_student(params[task], students[task], METRICS, root=project)
    predictions = predict_elsewhere(
        project, tmp_path_factory.mktemp("away"), f"models:/cotpd-{task}@challenger", [row]
    )
    assert predictions == predict_rows(Student.from_pretrained(students[task]), [row])
    if task == "ner":
        assert [(entity["text"], entity["type"]) for entity in predictions[0]["entities"]] == [
            ("Ada", "PER"),
            ("Acme", "ORG"),
        ]
    else:
        assert predictions[0]["label"] == "member"


def test_a_missing_student_is_not_registered(project, params):
    with pytest.raises(ModelError, match="Train the student"):
        register_student(params["ner"], project / "nowhere", METRICS, root=project)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": TEXT, "head": "Ada"}, "row 5: tail is missing"),
        ({"text": TEXT, "head": "Ada", "tail": 3}, "row 5: tail is int, not text"),
        ({"text": TEXT, "head": "Bob", "tail": "Acme"}, "row 5: head 'Bob' does not stand in the text"),
        ({"text": TEXT, "head": " ", "tail": "Acme"}, "row 5: head ' '"),
        ({"text": TEXT, "head": "Ada", "tail": "Ada"}, "row 5: tail 'Ada'"),  # there is no second one
    ],
)
def test_a_row_that_cannot_be_read_is_named(students, row, message):
    with pytest.raises(DataError, match=message):
        predict_rows(Student.from_pretrained(students["re"]), [row], first=5)


def test_a_blank_post_has_no_entities(students):
    assert predict_rows(Student.from_pretrained(students["ner"]), [{"text": " "}]) == [{"entities": []}]
