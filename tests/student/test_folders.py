"""Replacing a folder: a kill at any step leaves the old one or the new, never neither."""

import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from cotpd.student.folders import part_of, remove, replace, settle


def write(folder: Path, content: str) -> Path:
    partial = part_of(folder)
    (partial / "file").write_text(content)
    return partial


class Killed(BaseException):
    pass


@pytest.mark.parametrize("name", ["model", ".model.resume"])
@pytest.mark.parametrize("step", range(6))
def test_whatever_step_is_the_last_one_a_whole_folder_is_found_again(tmp_path, monkeypatch, step, name):
    folder, left = tmp_path / name, step
    replace(write(folder, "old"), folder)

    def until_killed(call):
        def one(*arguments, **options):
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            return call(*arguments, **options)

        return one

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", until_killed(Path.rename))
        patched.setattr(Path, "replace", until_killed(Path.replace))
        patched.setattr(shutil, "rmtree", until_killed(shutil.rmtree))
        with suppress(Killed):
            replace(write(folder, "new"), folder)
    settle(folder)
    assert (folder / "file").read_text() in ("old", "new")
    replace(write(folder, "third"), folder)
    assert (folder / "file").read_text() == "third"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    remove(folder)
    assert not list(tmp_path.iterdir())
