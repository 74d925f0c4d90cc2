"""A disk that fills up while a model, a checkpoint or a registration is written; the next run goes through."""

import shutil

import numpy as np
import pytest

from cotpd.config import Params
from cotpd.errors import StorageError
from cotpd.pipeline.registration import register_student
from cotpd.student import Student
from cotpd.student.checkpoint import Checkpoint
from cotpd.student.neighbours import _write_states as write_index
from cotpd.student.optimization import make_optimizer
from cotpd.student.params import TrainParams
from cotpd.student.processes import Processes


def test_a_model_names_its_folder_and_is_written_next_time(disk, students) -> None:
    folder, make_room = disk
    student = Student.from_pretrained(students["ner"], "cpu")
    (folder / "ballast").write_bytes(bytes(180_000))

    with pytest.raises(StorageError, match=r"student: could not be written: the disk is full"):
        student.save(folder / "student")

    assert [path.name for path in folder.iterdir()] == ["ballast"]
    make_room()
    student.save(folder / "student")
    assert Student.from_pretrained(folder / "student", "cpu").labels == student.labels


def test_a_checkpoint_names_its_folder_and_leaves_the_one_before(disk, students) -> None:

    folder, make_room = disk
    model = Student.from_pretrained(students["ner"], "cpu").model
    optimizer = make_optimizer(model, TrainParams())
    checkpoint = Checkpoint(folder / "student", "run", Processes("cpu"))
    checkpoint.write(model, {}, optimizer, {"history": [1]})
    (folder / "ballast").write_bytes(bytes(100_000))

    with pytest.raises(StorageError, match=r"\.student\.resume: could not be written"):
        checkpoint.write(model, dict(model.state_dict()), optimizer, {"history": [1, 2]})

    assert checkpoint.read(model, optimizer)[1]["history"] == [1]
    make_room()
    checkpoint.write(model, {}, optimizer, {"history": [1, 2]})
    assert checkpoint.read(model, optimizer)[1]["history"] == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("left", [0, 40_000, 400_000])
def test_a_registration_says_what_it_was_doing_and_goes_through_next_time(
    left: int,
    disk,
    students,
    empty_registry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, make_room = disk
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    make_room()
    shutil.copy(empty_registry, folder / "mlflow.db")
    ballast = folder / "ballast"
    free = shutil.disk_usage(folder).free
    ballast.write_bytes(bytes(free - left))

    with pytest.raises(
        StorageError, match=r"(registering cotpd-ner|mlflow\.db): could not be written: the disk is full"
    ):
        register_student(Params(), students["ner"], {"test": {"student": {"f1": 0.5}}}, root=folder)

    ballast.unlink()
    again = register_student(Params(), students["ner"], {"test": {"student": {"f1": 0.5}}}, root=folder)
    assert again.version == 1


def test_an_index_that_cannot_be_kept_costs_time_and_no_error(disk, students):
    folder, make_room = disk

    write_index(folder / "index.safetensors", np.zeros((1000, 100)))

    assert not list(folder.iterdir())
    make_room()
    write_index(folder / "index.safetensors", np.zeros((1000, 100)))
    assert [path.name for path in folder.iterdir()] == ["index.safetensors"]
