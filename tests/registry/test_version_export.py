"""An export of a registered version: a second flavour that no file of the version is changed for."""

import json
from pathlib import Path

import pytest

from cotpd.errors import ModelError
from cotpd.inference.loading import load_predictor
from cotpd.pipeline.registration import register_student
from cotpd.registry.model_address import attach_export_of
from tests.trained_students import TEXT

ADDRESS = "models:/cotpd-ner@challenger"


@pytest.fixture
def exported(project, params, students, exports, monkeypatch) -> Path:
    """The registry's folder, with one version that has an export."""
    monkeypatch.setenv("COTPD_CACHE", str(project / "cache"))
    (project / "params.yaml").write_text("register: {tracking_uri: 'sqlite:///mlflow.db'}\n")
    register_student(params["ner"], students["ner"], {"test": {"student": {"f1": 0.5}}}, root=project)
    folder = exports["ner"].with_name("student.export")
    attach_export_of(ADDRESS, folder, json.loads((folder / "export.json").read_text("utf-8"))["weights"])
    return project / "mlruns"


def test_a_version_is_predicted_with_by_its_export(exported):
    predictor = load_predictor(ADDRESS, "onnx")

    [mentions] = predictor.predict([TEXT])
    assert predictor.backend == "onnx"
    assert [(mention.text, mention.type) for mention in mentions] == [("Ada", "PER"), ("Acme", "ORG")]


def test_a_changed_byte_of_the_export_is_named_and_torch_predicts(exported, capfd):
    (graph,) = exported.rglob("export/*/model.onnx")
    graph.write_bytes(graph.read_bytes()[:-1] + b"!")

    assert load_predictor(ADDRESS).backend == "torch"
    assert "model.onnx of its export was changed" in capfd.readouterr().err
    with pytest.raises(ModelError, match="has no export"):
        load_predictor(ADDRESS, "onnx")


def test_an_export_of_other_weights_is_not_attached(exported, exports):
    with pytest.raises(ModelError, match="another version"):
        attach_export_of(ADDRESS, exports["ner"].with_name("student.export"), "0" * 64)
