"""A small DVC project in the shape of ours, and programs that work in it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.flows.programs import LIMIT, delete_deployments, run_dvc

# A step that writes its process id, and on SIGTERM what it has.
SLEEPER = """
import os, pathlib, signal, sys, time
def stop(*_):
    pathlib.Path("saved").write_text("checkpoint")
    sys.exit(143)
signal.signal(signal.SIGTERM, signal.SIG_IGN if os.path.exists("stubborn") else stop)
pathlib.Path("part").write_text(str(os.getpid()))
pathlib.Path("part").rename("pid")
time.sleep(600)
"""


@pytest.fixture
def client(prefect_server: None) -> Iterator[Any]:
    """A client of the tests' server."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """first -> second, and aside; each step appends its name to log.txt, so that executions can be counted."""
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True, timeout=60)
    run_dvc(tmp_path, "init", "-q")
    (tmp_path / "params.yaml").write_text("first: 1\nsecond: 1\naside: 1\n")
    (tmp_path / "step.py").write_text(
        "import pathlib, sys\n"
        "name, out, *inputs = sys.argv[1:]\n"
        "with open('log.txt', 'a') as log: log.write(name + '\\n')\n"
        "text = pathlib.Path('params.yaml').read_text()\n"
        "line = next(line for line in text.splitlines() if line.startswith(name))\n"
        "if 'fail' in line: sys.exit(f'{name} cannot go on')\n"
        "pathlib.Path(out).write_text(line + ''.join(pathlib.Path(i).read_text() for i in inputs))\n"
    )
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n"
        "  second:\n    cmd: python step.py second b.txt a.txt\n    deps: [a.txt]\n    params: [second]\n    outs: [b.txt]\n"
        "  first:\n    cmd: python step.py first a.txt\n    desc: Make a\n    params: [first]\n    outs: [a.txt]\n"
        "  aside:\n    cmd: python step.py aside c.txt\n    params: [aside]\n    outs: [c.txt]\n"
    )
    return tmp_path


@pytest.fixture
def checkout(project: Path, prefect_server: None) -> Path:
    """The small project with the flow's own code in it, and a stage that sleeps until it is stopped."""
    delete_deployments()
    for package in ("flows", "steps"):
        shutil.copytree(Path(__file__).parents[2] / package, project / package)
    shutil.copy(Path(__file__).parents[2] / "prefect.yaml", project)
    (project / "step.py").write_text(SLEEPER)
    (project / "dvc.yaml").write_text("stages:\n  slow:\n    cmd: python step.py\n    outs: [slow.txt]\n")
    return project


@pytest.fixture
def environment(checkout: Path) -> dict[str, str]:
    """The environment of a program that works in the checkout with the tests' server."""
    from prefect.settings import get_current_settings

    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    return os.environ | settings | {"PYTHONPATH": f"{checkout}{os.pathsep}{Path(__file__).parents[2]}"}


@pytest.fixture
def prefect(environment: dict[str, str], checkout: Path) -> Callable[..., object]:
    """Prefect's command line in the checkout."""

    def run(*arguments: str) -> None:
        command = [sys.executable, "-m", "prefect", *arguments]
        subprocess.run(command, cwd=checkout, env=environment, check=True, timeout=LIMIT, capture_output=True)

    return run


@pytest.fixture
def start(checkout: Path, environment: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a Python program in the checkout, its output in log.txt; whatever is left of it is killed."""
    programs = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        with (checkout / "log.txt").open("a") as log:
            programs.append(
                subprocess.Popen(
                    [sys.executable, *arguments],
                    cwd=checkout,
                    env=environment,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )
        return programs[-1]

    yield run
    for program in programs:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.wait(LIMIT)
