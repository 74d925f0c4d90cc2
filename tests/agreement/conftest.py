"""One project that has run, for all tests of agreement."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

from tests.agreement.project import Project, build_project, run_base


@pytest.fixture(scope="session")
def base(
    encoder: Path, empty_registry: Path, prefect_server: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """A project in which every stage has run; copy it."""
    from prefect.settings import get_current_settings

    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    project = build_project(tmp_path_factory.mktemp("agreement") / "base", encoder, empty_registry, settings)
    run_base(project)
    yield project
    project.server.close()


@pytest.fixture
def project(base: Project, tmp_path: Path) -> Project:
    """A copy of the project for one test."""
    return base.copy_to(tmp_path / "project")


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print the counts and tables that the tests recorded, in whichever process each of them ran."""
    counts: Counter[str] = Counter()
    for report in chain(terminalreporter.getreports("passed"), terminalreporter.getreports("failed")):
        if report.when == "call" and "tests/agreement/" in report.nodeid:
            recorded = dict(report.user_properties)
            terminalreporter.write(recorded.pop("table", ""))
            counts.update(recorded)
            counts["failed"] += report.failed
    if counts:
        terminalreporter.write_line(", ".join(f"{count} {name}" for name, count in counts.items()))
