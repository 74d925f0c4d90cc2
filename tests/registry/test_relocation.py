"""A project that was copied or moved reads and writes its own artifacts, never those of the folder it came from."""

import shutil

import pytest

from cotpd.errors import ModelError
from cotpd.pipeline.registration import register_student
from cotpd.registry.model_address import find_student_folder
from cotpd.registry.params import RegisterParams
from cotpd.registry.relocation import repair_paths
from cotpd.registry.tracking_store import connect

METRICS = {"test": {"student": {"f1": 0.5}}}
NAME = "models:/cotpd-ner@challenger"


@pytest.fixture
def original(tmp_path, empty_registry, params, students, monkeypatch):
    """A project with one version, in the folder a; the tests work in b."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "a").mkdir()
    shutil.copy(empty_registry, tmp_path / "a/mlflow.db")
    (tmp_path / "a/params.yaml").write_text("task: ner\n")
    register_student(params["ner"], students["ner"], METRICS, root=tmp_path / "a")
    return tmp_path / "a"


def list_files(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def list_locations(project):
    client = connect(RegisterParams(), project)
    version = client.get_model_version_by_alias("cotpd-ner", "challenger")
    run = client.get_run(version.run_id)
    return [
        client.get_experiment_by_name("cotpd").artifact_location,
        run.info.artifact_uri,
        client.get_model_version_download_uri("cotpd-ner", version.version),
    ]


def test_a_copy_reads_its_own_files_and_not_the_originals(original):
    copy = shutil.copytree(original, original.with_name("b"))

    assert find_student_folder(NAME, root=copy).is_relative_to(copy)
    assert find_student_folder(NAME, root=original).is_relative_to(original)


def test_a_copy_registers_below_itself_and_leaves_the_original_as_it_was(original, params, students):
    copy = shutil.copytree(original, original.with_name("b"))
    before = list_files(original)

    register_student(params["ner"], students["ner"], METRICS, root=copy)

    assert list_files(original) == before
    assert find_student_folder("models:/cotpd-ner/2", root=copy).is_relative_to(copy)
    assert all(location.startswith(copy.as_uri()) for location in list_locations(copy))


def test_a_moved_project_finds_what_moved_along_and_does_not_make_its_old_folder_again(original, params, students):
    moved = original.rename(original.with_name("b"))

    assert find_student_folder(NAME, root=moved).is_relative_to(moved)
    register_student(params["ner"], students["ner"], METRICS, root=moved)

    assert not original.exists()
    assert find_student_folder("models:/cotpd-ner/1", root=moved).is_relative_to(moved)
    assert all(location.startswith(moved.as_uri()) for location in list_locations(moved))


def test_a_copied_database_alone_reads_the_originals_files_and_writes_its_own(original, params, students):
    copy = original.with_name("b")
    copy.mkdir()
    for name in ("mlflow.db", "params.yaml"):
        shutil.copy(original / name, copy)
    before = list_files(original / "mlruns")

    assert find_student_folder("models:/cotpd-ner/1", root=copy).is_relative_to(original)
    register_student(params["ner"], students["ner"], METRICS, root=copy)

    assert list_files(original / "mlruns") == before
    assert find_student_folder("models:/cotpd-ner/2", root=copy).is_relative_to(copy)


def test_a_folder_that_was_chosen_for_artifacts_stays_chosen(project, params, students):
    client = connect(params["ner"].register_, project)
    folder = project.with_name("shared-models")
    client.create_experiment("cotpd", artifact_location=folder.as_uri())

    register_student(params["ner"], students["ner"], METRICS, root=project)

    assert find_student_folder(NAME, params["ner"].register_, project).is_relative_to(folder)


def test_a_project_that_stayed_is_not_written_to_by_the_repair(original):
    before = (original / "mlflow.db").stat().st_mtime_ns

    repair_paths(original / "mlflow.db")

    assert (original / "mlflow.db").stat().st_mtime_ns == before


def test_a_copy_that_cannot_be_mended_says_so(original, monkeypatch):
    copy = shutil.copytree(original, original.with_name("b"))
    (copy / "mlflow.db").write_bytes(b"no database at all" * 100)

    with pytest.raises(ModelError, match=r"mlflow\.db: it was copied or moved"):
        repair_paths(copy / "mlflow.db")
