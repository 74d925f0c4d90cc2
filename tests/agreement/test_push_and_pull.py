"""What one clone has computed, another one pulls: there neither door runs anything."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.agreement.doors import run_door
from tests.agreement.project import Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_in_a_clone_with_pulled_outputs_neither_door_runs_anything(project: Project, tmp_path: Path) -> None:
    remote, folder = tmp_path / "remote", tmp_path / "clone"
    dvc = (sys.executable, "-m", "dvc")
    project.run(*dvc, "remote", "add", "-d", "store", str(remote))
    project.commit()
    project.run(*dvc, "push", "--run-cache")
    project.run_git("clone", "-q", str(project.root), str(folder))
    clone = replace(project, root=folder, environment=project.environment | {"PYTHONPATH": str(folder)})

    clone.run(*dvc, "pull", "--run-cache")

    assert run_door(clone, "dvc") == run_door(clone, "flow") == []
    assert clone.digest_outputs() == project.digest_outputs()
