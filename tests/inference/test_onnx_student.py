"""An exported student predicts what torch predicts, without torch and transformers."""

import json
import os
import shutil
import subprocess
import sys
from operator import attrgetter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cotpd.errors import ModelError
from cotpd.inference.loading import load_predictor
from cotpd.student.predictor import Predictor
from tests.trained_students import TEXT

ROOT = Path(__file__).parents[2]
HOSTILE = st.one_of(
    st.text(max_size=80),
    st.text(st.sampled_from("Ada works for Acme in Rome [SEP] \0\u200d\u0301🛰 "), max_size=400),
    st.sampled_from(["", " \n", TEXT, "Ada " * 300, "x" * 5000, "[CLS] [MASK]", "ﷺ" * 60]),
)
BLOCKED = """
import importlib.abc, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "transformers", "onnx", "onnxscript", "mlflow"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
from cotpd.cli.main import main
main()
"""


@pytest.fixture(scope="module")
def predictors(exports) -> dict[tuple[str, str], Predictor]:
    """By task and backend."""
    loaded = {}
    for task, folder in exports.items():
        for backend in ("torch", "onnx", "onnx-int8"):
            loaded[task, backend] = load_predictor(folder, backend, "cpu")
    return loaded


def assert_same(predicted, expected, gap: float) -> None:
    """Fail unless two lists of mentions agree but for a gap of their scores."""
    assert [mention[:4] for mention in predicted] == [mention[:4] for mention in expected]
    scores = [mention.score for mention in expected]
    assert [mention.score for mention in predicted] == pytest.approx(scores, abs=gap)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(texts=st.lists(HOSTILE, min_size=1, max_size=6), batch_size=st.integers(1, 5))
def test_it_finds_the_mentions_that_torch_finds_in_hostile_texts(predictors, texts, batch_size):
    expected = list(predictors["ner", "torch"].predict(texts, batch_size))
    exported = list(predictors["ner", "onnx"].predict(texts, batch_size))

    for pair in zip(exported, expected, strict=True):
        assert_same(*pair, gap=1e-3)


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(middles=st.lists(st.text(max_size=300), min_size=1, max_size=4))
def test_it_labels_pairs_as_torch_does(predictors, middles):
    pairs = [(f"Ada {middle} Acme", (0, 3), (len(middle) + 5, len(middle) + 9)) for middle in middles]

    expected = list(predictors["re", "torch"].predict_relations(pairs))
    exported = list(predictors["re", "onnx"].predict_relations(pairs))

    assert list(map(attrgetter("label"), exported)) == list(map(attrgetter("label"), expected))
    scores = [relation.score for relation in expected]
    assert [relation.score for relation in exported] == pytest.approx(scores, abs=1e-3)


def test_int8_has_learnt_the_mentions_too(predictors):
    (mentions,) = predictors["ner", "onnx-int8"].predict([TEXT])

    assert [(mention.text, mention.type) for mention in mentions] == [("Ada", "PER"), ("Acme", "ORG")]


def test_int8_has_learnt_the_relation_too(predictors):
    (relation,) = predictors["re", "onnx-int8"].predict_relations([(TEXT, "Ada", "Acme")])

    assert relation.label == "member"


def test_who_shares_the_batch_changes_no_prediction_of_int8(predictors):
    student = predictors["ner", "onnx-int8"]
    texts = [TEXT, "Ada", "Acme works for Ada " * 9, "in Rome"]

    together = list(student.predict(texts))
    alone = [student.predict(text) for text in texts]

    for pair in zip(together, alone, strict=True):
        assert_same(*pair, gap=1e-4)


def test_a_student_of_the_other_task_names_the_method(predictors):
    with pytest.raises(ModelError, match="predict_relations"):
        predictors["re", "onnx"].predict(["Ada"])


@pytest.mark.parametrize(("task", "options"), [("ner", []), ("re", ["--head", "Ada", "--tail", "Acme"])])
def test_it_predicts_where_torch_and_transformers_cannot_be_imported(exports, tmp_path, task, options):
    predict = ["predict", "--model", str(exports[task]), "--verbose", "--json", *options, TEXT]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COTPD_CACHE": str(tmp_path)}
    process = {"capture_output": True, "text": True, "check": False, "cwd": tmp_path, "timeout": 120}

    completed = subprocess.run([sys.executable, "-c", BLOCKED, *predict], env=environment, **process)

    assert completed.returncode == 0, completed.stderr
    assert "runs on onnx" in completed.stderr
    prediction = json.loads(completed.stdout)
    assert prediction.get("label", "member") == "member"
    assert [entity["text"] for entity in prediction.get("entities", [])] == (
        ["Ada", "Acme"] if task == "ner" else []
    )


def test_a_temperature_that_changed_after_the_export_is_applied(exports, tmp_path):
    folder = shutil.copytree(exports["ner"].parent, tmp_path / "copy") / "student"
    card = json.loads((folder / "student.json").read_text("utf-8"))
    (folder / "student.json").write_text(json.dumps(card | {"temperature": 3.0}), "utf-8")

    exported, torch = (load_predictor(folder, backend).predict([TEXT])[0] for backend in ("onnx", "torch"))

    assert exported[0].score == pytest.approx(torch[0].score, abs=1e-4)
    assert exported[0].score < 0.999
