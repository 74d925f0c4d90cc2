"""Which backend a student is loaded with, and what is said of an export that cannot be used."""

import json
import shutil
from pathlib import Path

import onnx
import pytest

from cotpd.errors import ConfigError, ModelError
from cotpd.files import compute_sha256
from cotpd.inference import fastest, loading
from cotpd.inference.loading import load_predictor
from cotpd.inference.machine import describe_machine
from tests.trained_students import TEXT

OTHER_GRAPH = (
    '<ir_version: 8, opset_import: ["" : 18]> other (float[N] ids) => (float[N] y) { y = Identity (ids) }'
)


@pytest.fixture
def student(exports, tmp_path, monkeypatch) -> Path:
    """A student's folder with an export beside it, to be damaged."""
    monkeypatch.setenv("COTPD_CACHE", str(tmp_path / "cache"))
    return shutil.copytree(exports["ner"].parent, tmp_path / "copy") / "student"


@pytest.fixture
def export(student) -> Path:
    return student.with_name("student.export")


def read_record(export: Path) -> dict:
    return json.loads((export / "export.json").read_text("utf-8"))


def edit_record(export: Path, **changes) -> None:
    (export / "export.json").write_text(json.dumps(read_record(export) | changes), "utf-8")


def replace_graph(export: Path, graph: onnx.ModelProto) -> None:
    """Write another graph, and its digest into the record."""
    onnx.save(graph, export / "model.onnx")
    digest = compute_sha256(export / "model.onnx")
    edit_record(export, files=read_record(export)["files"] | {"model.onnx": digest})


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
@pytest.mark.parametrize(
    "damage", [lambda data: data[:-100], lambda data: data[:50] + b"!" + data[51:], lambda _: b""]
)
def test_a_damaged_file_is_refused_by_its_name(student, export, name, damage):
    file = export / name
    file.write_bytes(damage(file.read_bytes()))

    with pytest.raises(ModelError, match=rf"{name}: changed or damaged"):
        load_predictor(student, "onnx")


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "export.json"])
def test_a_missing_file_is_named(student, export, name):
    (export / name).unlink()

    with pytest.raises(ModelError, match=name):
        load_predictor(student, "onnx")


@pytest.mark.parametrize("changes", [{"format": 2}, {"weights": 3}, {"future": 1}, {"reads": 0}])
@pytest.mark.parametrize("backend", ["auto", "onnx"])
def test_a_record_of_another_release_is_refused(student, export, changes, backend):
    edit_record(export, **changes)

    with pytest.raises(ModelError, match=r"export\.json: damaged, or of another release"):
        load_predictor(student, backend)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe\x00"])
def test_a_record_that_is_no_record_is_refused(student, export, content):
    (export / "export.json").write_bytes(content)

    with pytest.raises(ModelError, match=r"export\.json"):
        load_predictor(student)


def test_an_export_of_other_weights_is_refused_and_auto_says_that_torch_predicts(student, export, capfd):
    edit_record(export, weights="0" * 64)

    with pytest.raises(ModelError, match="other weights"):
        load_predictor(student, "onnx")
    assert load_predictor(student).backend == "torch"
    assert "other weights" in capfd.readouterr().err


def test_an_export_of_a_student_with_other_labels_is_refused(student, export):
    chain = read_record(export)["chain"]
    edit_record(export, chain=chain | {"start": chain["start"][:-1]})

    with pytest.raises(ModelError, match="other labels"):
        load_predictor(student, "onnx")


def test_a_refused_graph_is_not_loaded_and_the_reason_is_given(student, export):
    verdicts = read_record(export)["verdicts"]
    verdicts["onnx-int8"] |= {"passed": False, "reason": "F1 falls by 0.60 points"}
    edit_record(export, verdicts=verdicts)

    with pytest.raises(ModelError, match=r"onnx-int8 was refused[^$]*F1 falls by 0\.60"):
        load_predictor(student, "onnx-int8")
    assert load_predictor(student).backend == "onnx"


def test_a_graph_that_was_not_written_is_named(student, export):
    edit_record(export, verdicts={"onnx": read_record(export)["verdicts"]["onnx"]})

    with pytest.raises(ModelError, match="holds no onnx-int8"):
        load_predictor(student, "onnx-int8")


def test_a_graph_of_a_newer_opset_is_explained(student, export):
    graph = onnx.load(export / "model.onnx")
    graph.opset_import[0].version = 9999
    replace_graph(export, graph)

    with pytest.raises(ModelError, match=r"ONNX Runtime \S+ cannot read it"):
        load_predictor(student, "onnx")


def test_a_graph_of_another_network_fails_with_a_sentence(student, export):
    """Its digest is right: somebody has written both."""
    replace_graph(export, onnx.parser.parse_model(OTHER_GRAPH))
    predictor = load_predictor(student, "onnx")

    with pytest.raises(ModelError, match="ONNX Runtime cannot compute"):
        predictor.predict([TEXT])


def test_a_changed_file_of_the_student_is_refused_with_its_export(student):
    (student / "encoder" / "config.json").write_text("{}", "utf-8")

    with pytest.raises(ModelError, match=r"config\.json"):
        load_predictor(student, "onnx")


@pytest.mark.parametrize("backend", ["onnx", "onnx-int8"])
def test_a_student_without_an_export_says_how_to_write_one(student, export, backend):
    shutil.rmtree(export)

    with pytest.raises(ModelError, match="cotpd export"):
        load_predictor(student, backend)
    assert load_predictor(student).backend == "torch"


def test_an_unknown_backend_is_named_with_those_there_are(student):
    with pytest.raises(ConfigError, match="auto, torch, onnx, onnx-int8"):
        load_predictor(student, "tensorrt")


def test_an_export_runs_on_the_processor_alone(student):
    with pytest.raises(ConfigError, match="not on cuda"):
        load_predictor(student, "onnx", "cuda")


def test_torch_predicts_where_onnx_runtime_is_not_installed(student, monkeypatch):
    monkeypatch.setattr(loading, "is_runtime_installed", lambda: False)

    assert load_predictor(student).backend == "torch"


@pytest.mark.parametrize(("quick", "slow"), [("onnx", "onnx-int8"), ("onnx-int8", "onnx")])
def test_auto_takes_what_was_the_fastest_when_the_export_was_written(student, export, quick, slow):
    speeds = {quick: {"posts_per_second": 9, "milliseconds": 1}, slow: {"posts_per_second": 3, "milliseconds": 1}}
    edit_record(export, speeds=speeds)

    assert load_predictor(student).backend == quick


def test_on_another_machine_the_speeds_are_measured_once(student, export, monkeypatch):
    measured = []
    monkeypatch.setattr(fastest, "_measure", lambda _, __, name: measured.append(name) or len(name))
    edit_record(export, machine=describe_machine().model_dump() | {"processor": "another"})

    backends = [load_predictor(student).backend for _ in range(3)]

    assert backends == ["onnx-int8"] * 3
    assert sorted(measured) == ["onnx", "onnx-int8"]


def test_a_cache_that_cannot_be_written_only_costs_time(student, export, monkeypatch, tmp_path, capfd):
    monkeypatch.setenv("COTPD_CACHE", str(tmp_path / "file"))
    (tmp_path / "file").write_text("no folder")
    edit_record(export, machine=describe_machine().model_dump() | {"processor": "another"})

    assert load_predictor(student).backend.startswith("onnx")
    assert "measures again" in capfd.readouterr().err


def test_int8_is_not_chosen_on_a_machine_of_other_instructions(student, export):
    edit_record(export, machine=describe_machine().model_dump() | {"instructions": "other"})

    assert load_predictor(student).backend == "onnx"
