"""A small DVC project in the shape of ours, and one Prefect server for all tests of the flow."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

DVC = [sys.executable, "-m", "dvc"]


def dvc(project: Path, *arguments: str) -> str:
    """Run dvc in a project and return what it printed."""
    done = subprocess.run([*DVC, *arguments], cwd=project, capture_output=True, text=True, check=True, timeout=300)
    return done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """first -> second, and aside; each step appends its name to log.txt, so that executions can be counted."""
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True, timeout=60)
    dvc(tmp_path, "init", "-q")
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


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A Prefect server with a database of its own."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield
