"""What the last line of a run tells its user to type works when it is pasted."""

import os
import sys
from pathlib import Path

import pytest

from cotpd.cli.shell import name_command


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, the current one, with a virtual environment that is not activated."""
    script = tmp_path / ".venv/bin/cotpd"
    script.parent.mkdir(parents=True)
    script.touch(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.setenv("PATH", os.defpath)
    return tmp_path / ".venv"


def test_a_script_that_only_make_has_on_its_path_is_named_by_its_place(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{environment}/bin:{os.defpath}")

    assert name_command() == ".venv/bin/cotpd"


def test_in_an_activated_environment_the_name_is_enough(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", str(environment))

    assert name_command() == "cotpd"


def test_a_script_that_is_on_the_users_path_elsewhere_goes_by_its_name(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = environment.parent / "links"
    links.mkdir()
    (links / "cotpd").symlink_to(environment / "bin/cotpd")
    monkeypatch.setenv("PATH", str(links))

    assert name_command() == "cotpd"


def test_elsewhere_the_whole_path_is_quoted(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = environment.parent / "my work"
    environment.rename(folder)
    (environment.parent / "other").mkdir()
    monkeypatch.chdir(environment.parent / "other")
    monkeypatch.setattr(sys, "prefix", str(folder))

    assert name_command() == f"'{folder}/bin/cotpd'"
