"""Replacing a folder: a kill at any step leaves the old one or the new, never neither."""

import itertools
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from cotpd.student.folders import make_partial_folder, recover_interrupted_swap, remove_folder, replace_folder


def write(folder: Path, content: str) -> Path:
    partial = make_partial_folder(folder)
    (partial / "file").write_text(content)
    return partial


class Killed(BaseException):
    pass


def kill_after(patched, calls: int) -> None:
    """Let the next ``calls`` steps of a replacement run, and the one after them raise Killed."""
    remaining = itertools.count(calls, -1)

    def make_killed(call):
        def call_or_die(*arguments, **options):
            if next(remaining) <= 0:
                raise Killed
            return call(*arguments, **options)

        return call_or_die

    patched.setattr(Path, "rename", make_killed(Path.rename))
    patched.setattr(Path, "replace", make_killed(Path.replace))
    patched.setattr(shutil, "rmtree", make_killed(shutil.rmtree))


@pytest.fixture(params=["model", ".model.resume"])
def folder(request, tmp_path):
    """A folder that was written once."""
    folder = tmp_path / request.param
    replace_folder(write(folder, "old"), folder)
    return folder


@pytest.mark.parametrize("step", range(6))
def test_whatever_step_is_the_last_one_a_whole_folder_is_there_again(folder, monkeypatch, step):
    with monkeypatch.context() as patched, suppress(Killed):
        kill_after(patched, step)
        replace_folder(write(folder, "new"), folder)

    recover_interrupted_swap(folder)

    assert (folder / "file").read_text() in ("old", "new")


@pytest.mark.parametrize("step", range(6))
def test_after_a_kill_the_next_replacement_leaves_one_folder(folder, monkeypatch, step):
    with monkeypatch.context() as patched, suppress(Killed):
        kill_after(patched, step)
        replace_folder(write(folder, "new"), folder)

    replace_folder(write(folder, "third"), folder)

    assert (folder / "file").read_text() == "third"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("step", range(6))
def test_after_a_kill_removing_a_folder_leaves_nothing(folder, monkeypatch, step):
    with monkeypatch.context() as patched, suppress(Killed):
        kill_after(patched, step)
        replace_folder(write(folder, "new"), folder)

    remove_folder(folder)

    assert not list(folder.parent.iterdir())
