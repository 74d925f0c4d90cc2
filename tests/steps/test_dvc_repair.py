"""After a kill or a full disk in the middle of DVC's own writing, the next run goes on."""

import json
import os
import subprocess
import sys

import pytest

from cotpd.errors import ConfigError
from steps.dvc_repair import repair_dvc_files
from steps.graph import is_up_to_date, read_graph
from tests.flows.programs import run_dvc

pytestmark = pytest.mark.slow
GRAPH = """stages:
  copy:
    cmd: cp a.txt b.txt && echo run >> log.txt
    deps: [a.txt]
    outs: [b.txt]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project of one stage that has run."""
    folder = tmp_path_factory.mktemp("project")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True, timeout=60)
    run_dvc(folder, "init", "-q")
    (folder / "a.txt").write_text("a")
    (folder / "params.yaml").write_text("a: 1\n")
    (folder / "dvc.yaml").write_text(GRAPH)
    run_dvc(folder, "repro")
    return folder


@pytest.mark.parametrize("share", [0, 0.4, 0.7])
def test_a_half_written_dvc_lock_is_set_aside_and_nothing_is_executed_again(project, share):
    lock = project / "dvc.lock"
    whole = lock.read_text()
    lock.write_text(whole[: int(share * len(whole))] + ("  - [" if share else ""))

    (repair,) = repair_dvc_files(project)
    run_dvc(project, "repro")

    assert "half written: set aside as dvc.lock.damaged" in repair
    assert lock.read_text() == whole
    assert (project / "log.txt").read_text() == "run\n"


def test_a_whole_dvc_lock_stays_as_it_is(project):
    assert repair_dvc_files(project) == []
    assert is_up_to_date("copy", project)


def test_a_dvc_lock_that_git_ignores_is_not_called_half_written(project):
    ignored = project / ".gitignore"
    former = ignored.read_text()
    ignored.write_text(f"{former}dvc.lock\n")

    repairs = repair_dvc_files(project)
    with pytest.raises(ConfigError, match=r"dvc\.lock' is git-ignored"):
        read_graph(project)
    ignored.write_text(former)

    assert repairs == []
    assert (project / "dvc.lock").is_file()


def test_the_marks_of_a_git_merge_are_left_to_the_user(project):
    lock = project / "dvc.lock"
    whole = lock.read_text()
    lock.write_text(f"<<<<<<< HEAD\n{whole}")

    with pytest.raises(ConfigError, match="marks of a git merge"):
        repair_dvc_files(project)
    lock.write_text(whole)


@pytest.mark.parametrize("content", ["", '{"wri', "[1]", '{"write": {"b.txt": {"pid": "?"}}}'])
def test_a_half_written_rwlock_is_removed(project, content):
    (project / ".dvc/tmp/rwlock").write_text(content)

    repair_dvc_files(project)

    assert "up to date" in run_dvc(project, "status")


def test_a_dead_process_whose_number_another_one_has_blocks_nothing(project):
    entry = {"pid": os.getpid(), "cmd": "/usr/bin/dvc repro"}  # this process is no `dvc repro`
    (project / ".dvc/tmp/rwlock").write_text(json.dumps({"write": {str(project / "b.txt"): entry}}))

    repair_dvc_files(project)

    assert "up to date" in run_dvc(project, "status")


def test_a_living_process_keeps_its_entry(project):
    script = "import time; time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", script, "repro", "copy"]) as holder:
        entry = {"pid": holder.pid, "cmd": "/usr/bin/dvc repro copy"}
        content = json.dumps({"write": {str(project / "b.txt"): entry}})
        (project / ".dvc/tmp/rwlock").write_text(content)

        repairs = repair_dvc_files(project)
        holder.kill()

    assert repairs == []
    assert (project / ".dvc/tmp/rwlock").read_text() == content


def test_data_that_dvc_add_tracks_and_a_graph_in_a_folder_are_steps_too(project):
    (project / "raw").mkdir()
    (project / "raw/x.txt").write_text("x")
    (project / "sub").mkdir()
    graph = GRAPH.replace("a.txt", "../raw").replace("cp", "cp -r")
    (project / "sub/dvc.yaml").write_text(graph)
    run_dvc(project, "add", "raw")
    run_dvc(project, "repro", "--all-pipelines")

    steps = {step.name: step.after for step in read_graph(project)}

    assert steps == {"copy": (), "raw.dvc": (), "sub/dvc.yaml:copy": ("raw.dvc",)}
    assert all(is_up_to_date(name, project) for name in steps)
