"""A disk that is full in the middle of a stage, whoever meets it first: the step, DVC's cache, or dvc.lock."""

import os
import subprocess
import sys

import pytest

from steps.dvc_repair import repair_dvc_files
from tests.flows.programs import run_dvc

pytestmark = pytest.mark.slow
LONG = "x" * 400_000
GRAPH = f"""stages:
  write:
    cmd: {sys.executable} -c "open('out.txt', 'w').write('x' * {len(LONG)})"
    params: [a]
    outs: [out.txt]
"""


@pytest.fixture
def project(disk):
    """A project on a disk of its own, which has run once with another output."""
    folder, make_room = disk
    make_room()
    subprocess.run(["git", "init", "-q", "--template="], cwd=folder, check=True, timeout=60)
    run_dvc(folder, "init", "-q")
    (folder / "params.yaml").write_text("a: 1\n")
    (folder / "dvc.yaml").write_text(GRAPH.replace("'x'", "'y'"))
    run_dvc(folder, "repro")
    (folder / "dvc.yaml").write_text(GRAPH)
    (folder / "out.txt").unlink()
    return folder


def leave(folder, free):
    """Leave so many bytes on the disk of a folder."""
    status = os.statvfs(folder)
    used = (status.f_blocks - status.f_bavail) * status.f_frsize
    subprocess.run(["mount", "-o", f"remount,size={used + free}", str(folder)], check=True, timeout=60)


@pytest.mark.parametrize("free", [0, 200_000, 500_000, 900_000])
def test_the_next_run_recovers_once_there_is_room(project, disk, free):
    leave(project, free)
    run = subprocess.run(
        [sys.executable, "-m", "dvc", "repro"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    _, make_room = disk
    make_room()

    repair_dvc_files(project)
    run_dvc(project, "repro")

    assert "up to date" in run_dvc(project, "status")
    assert (project / "out.txt").read_text() == LONG
    assert run.returncode != 0 or free > len(LONG)
