"""Packages that are missing or of another version, and an environment that was moved."""

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from cotpd.doctor import installation
from cotpd.doctor.finding import Status
from cotpd.doctor.installation import check_interpreter, check_packages, find_former_place
from cotpd.extras import EXTRA_OF_PACKAGE


def test_every_extra_has_its_purpose() -> None:
    assert set(EXTRA_OF_PACKAGE.values()) == set(installation._PURPOSE_OF_EXTRA)


@pytest.mark.parametrize(
    ("package", "extra", "status"),
    [
        ("torch", "torch", Status.PROBLEM),
        ("dvc", "pipeline", Status.PROBLEM),
        ("xllamacpp", "server", Status.NOTE),
    ],
)
def test_a_missing_package_is_a_problem_only_if_a_run_needs_it(
    monkeypatch: pytest.MonkeyPatch, package: str, extra: str, status: Status
) -> None:
    monkeypatch.setattr(installation, "find_spec", lambda name: None if name == package else "there")

    findings = [finding for finding in check_packages() if finding.remedy == f"pip install 'cotpd[{extra}]'"]

    assert [finding.status for finding in findings] == [status]
    assert f"not installed: {package}, " in findings[0].message


def test_a_package_of_another_version_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_version(name: str) -> str:
        if name == "pydantic":
            return "1.10.2"
        if name == "cotpd":
            return "0.1.0"
        raise PackageNotFoundError(name)

    monkeypatch.setattr(installation, "version", read_version)

    problems = [finding for finding in check_packages() if finding.status is Status.PROBLEM]

    assert [problem.message.split(", and")[0] for problem in problems] == ["pydantic is 1.10.2"]


def test_an_interpreter_that_is_too_old_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation.sys, "version_info", (3, 10, 1))

    assert next(check_interpreter()).status is Status.PROBLEM


@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_an_environment_that_was_moved_names_its_former_place(tmp_path: Path, quote: str) -> None:
    script = tmp_path / "bin/activate"
    script.parent.mkdir()
    script.write_text(f"VIRTUAL_ENV={quote}/somewhere/else{quote}\nexport VIRTUAL_ENV\n")

    assert find_former_place(tmp_path) == Path("/somewhere/else")


def test_an_environment_in_its_place_is_in_order(tmp_path: Path) -> None:
    script = tmp_path / "bin/activate"
    script.parent.mkdir()
    script.write_text(f"    export VIRTUAL_ENV={tmp_path}\n")

    assert find_former_place(tmp_path) is None
    assert find_former_place(tmp_path / "no-environment") is None
