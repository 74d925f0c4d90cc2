"""Teachers that are trained at once are the same to the byte as one after the other, and end with their step."""

import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from cotpd.cli.params_editor import write_values
from tests.agreement.doors import LIMIT, OpenDoor, has_argument, list_processes, run_door
from tests.agreement.project import Project
from tests.flows.programs import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture
def teachers(project: Project) -> Project:
    """A project whose two teachers have to be trained anew, at once."""
    write_values(project.root / "params.yaml", {"teach": {"count": 2, "epochs": 2}, "scale": {"trainings": 2}})
    return project


def find_trainings(project: Project) -> list[psutil.Process]:
    return [process for process in list_processes(project.root) if has_argument(process, "steps.teachers")]


def read_files(project: Project) -> dict[str, str]:
    """Return the digests of teachers and soft targets."""
    return {
        name: digest
        for name, digest in project.digest_outputs().items()
        if name.startswith(("models/teachers", "data/targets"))
    }


def test_teachers_at_once_are_those_of_one_after_the_other_also_after_a_kill(
    teachers: Project, tmp_path: Path
) -> None:
    alone = teachers.copy_to(tmp_path / "alone")
    alone.environment["COTPD_TRAININGS"] = "1"
    alone.run(sys.executable, "-m", "dvc", "repro", "teach")
    killed = OpenDoor(teachers, "dvc")
    wait_until(lambda: len(find_trainings(teachers)) == 2, "both teachers are trained", LIMIT)
    assert killed.kill("step")  # and no process is left

    executed = run_door(teachers, "dvc")

    assert executed == ["teach", "train"]
    assert read_files(teachers) == read_files(alone)
    log = (teachers.root / "log").read_text()
    assert "teachers: 2, 2 at once" in log
    assert {"teacher 0: 0: 8 training examples", "teacher 1: 1: 8 training examples"} <= set(log.splitlines())


def test_a_teacher_that_is_killed_fails_the_step_with_a_remedy_and_ends_those_beside_it(teachers: Project) -> None:
    run = OpenDoor(teachers, "dvc")
    wait_until(lambda: len(find_trainings(teachers)) == 2, "both teachers are trained", LIMIT)
    with suppress(psutil.Error):
        find_trainings(teachers)[0].kill()

    assert run.finish() != 0

    log = " ".join(run.log.read_text().split())
    assert "its process was ended by signal 9" in log
    assert "set scale.trainings to 1" in log
    wait_until(lambda: not list_processes(teachers.root), "no process is left", 60)
