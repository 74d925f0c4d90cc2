"""Replacing a folder: a kill at any step leaves the old one or the new, never neither."""

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


@pytest.mark.parametrize("name", ["model", ".model.resume"])
@pytest.mark.parametrize("step", range(6))
def test_whatever_step_is_the_last_one_a_whole_folder_is_found_again(tmp_path, monkeypatch, step, name):
    folder, left = tmp_path / name, step
    replace_folder(write(folder, "old"), folder)

    def make_killed(call):
        def call_or_die(*arguments, **options):
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            return call(*arguments, **options)

        return call_or_die

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", make_killed(Path.rename))
        patched.setattr(Path, "replace", make_killed(Path.replace))
        patched.setattr(shutil, "rmtree", make_killed(shutil.rmtree))
        with suppress(Killed):
            replace_folder(write(folder, "new"), folder)
    recover_interrupted_swap(folder)
    assert (folder / "file").read_text() in ("old", "new")
    replace_folder(write(folder, "third"), folder)
    assert (folder / "file").read_text() == "third"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    remove_folder(folder)
    assert not list(tmp_path.iterdir())
