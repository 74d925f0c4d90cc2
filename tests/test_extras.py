"""An installation for one purpose: what is missing is named with the extra that brings it."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest

from cotpd.cli.lazy import SUMMARIES
from cotpd.extras import EXTRA_OF_PACKAGE, explain_missing_package

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
OWN = {"cotpd", "steps", "flows"}
BLOCK = """
import importlib.machinery, sys

BLOCKED = set(sys.argv.pop(1).split(","))
find_installed = importlib.machinery.PathFinder.find_spec

def find_spec(name, path=None, target=None):
    return None if name.split(".")[0] in BLOCKED else find_installed(name, path, target)

importlib.machinery.PathFinder.find_spec = find_spec
"""
COMMAND = f"{BLOCK}\nfrom cotpd.cli.main import main\nmain()"
STEP = f"{BLOCK}\nimport runpy\nrunpy.run_module(sys.argv.pop(1), run_name='__main__')"


def list_distributions(requirements: list[str]) -> set[str]:
    """Return the normalized names of some requirements, those of extras they name included."""
    names = set()
    for requirement in requirements:
        name, _, extras = re.match(r"([\w.-]+)(\[([\w,]+)\])?", requirement).groups()
        if name == "cotpd":
            for extra in extras.split(","):
                names |= list_distributions(PROJECT["optional-dependencies"][extra])
        else:
            names.add(re.sub(r"[-_.]+", "-", name).lower())
    return names


def iterate_imports() -> Iterator[tuple[str, str]]:
    """Yield each third-party package that the code imports, and the file that does."""
    for path in chain.from_iterable((ROOT / folder).rglob("*.py") for folder in sorted(OWN)):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            else:
                modules = [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            for package in {module.split(".")[0] for module in modules}:
                if package not in OWN | set(sys.stdlib_module_names):
                    yield package, path.relative_to(ROOT).as_posix()


def run_blocked(script: str, *arguments: str, folder: Path, blocked: set[str]) -> subprocess.CompletedProcess[str]:
    """Run a script in a process that cannot import some packages."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-c", script, ",".join(sorted(blocked)), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment,
        timeout=120,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder in which each command gets as far as the package that it needs."""
    for name in ("params.yaml", "sample"):
        (tmp_path / name).symlink_to(ROOT / name)
    for name in ("mlflow.db", "ledger.db"):
        (tmp_path / name).touch()
    return tmp_path


def test_every_import_is_of_the_base_or_of_a_named_extra() -> None:
    base = list_distributions(PROJECT["dependencies"])
    distributions = packages_distributions()

    strays = [
        f"{file}: {package}"
        for package, file in iterate_imports()
        if package not in EXTRA_OF_PACKAGE
        and not base & {re.sub(r"[-_.]+", "-", name).lower() for name in distributions.get(package, [])}
    ]

    assert strays == []


@pytest.mark.parametrize("package", EXTRA_OF_PACKAGE)
def test_an_extra_brings_the_package_that_names_it(package: str) -> None:
    names = {re.sub(r"[-_.]+", "-", name).lower() for name in packages_distributions().get(package, [])}
    if not names:
        pytest.skip(f"{package} is not installed here")

    requirements = PROJECT["optional-dependencies"][EXTRA_OF_PACKAGE[package]]

    assert names & list_distributions(requirements)


@pytest.mark.parametrize("command", SUMMARIES)
def test_the_base_is_enough_for_the_help_of_every_command(command: str, tmp_path: Path) -> None:
    completed = run_blocked(COMMAND, command, "--help", folder=tmp_path, blocked=set(EXTRA_OF_PACKAGE))

    assert completed.returncode == 0, completed.stderr
    assert f"Usage: -c {command}" in completed.stdout


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("plan",), "llm"),
        (("ask",), "llm"),
        (("llm", "ask", "Ada"), "llm"),
        (("llm", "serve"), "server"),
        (("ledger", "stats", "--ledger", "postgresql://localhost/answers"), "llm"),
        (("registry", "list"), "tracking"),
        (("registry", "promote"), "tracking"),
        (("registry", "rollback"), "tracking"),
        (("predict", "Ada"), "tracking"),
        (("explain", "Ada"), "tracking"),
        (("predict", "--model", ".", "Ada"), "torch"),
        (("serve", "--model", "."), "serve"),
        (("preset", "apply", "sample"), "pipeline"),
        (("study", "run", "knowledge"), "report"),
    ],
)
def test_a_command_names_the_extra_that_it_needs(project: Path, arguments: tuple[str, ...], extra: str) -> None:
    completed = run_blocked(COMMAND, *arguments, folder=project, blocked=set(EXTRA_OF_PACKAGE))

    assert completed.returncode == 1
    assert completed.stderr.startswith("error: ")
    assert completed.stderr.endswith(f"pip install 'cotpd[{extra}]'\n")
    assert "Traceback" not in completed.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("data", "check"),
        ("data", "formats"),
        ("preset", "list"),
        ("models", "list"),
        ("ledger", "stats"),
        ("ledger", "verify"),
        ("ledger", "export", "answers.jsonl"),
    ],
)
def test_commands_that_only_look_at_files_need_no_extra(project: Path, arguments: tuple[str, ...]) -> None:
    completed = run_blocked(COMMAND, *arguments, folder=project, blocked=set(EXTRA_OF_PACKAGE))

    assert completed.returncode == 0, completed.stderr


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [
        ("steps.train", "torch", "torch"),
        ("steps.validate", "great_expectations", "pipeline"),
        ("steps.register", "mlflow", "tracking"),
        ("flows", "prefect", "pipeline"),
    ],
)
def test_a_step_names_the_extra_of_a_package_that_it_imports(module: str, package: str, extra: str) -> None:
    completed = run_blocked(STEP, module, folder=ROOT, blocked={package})

    assert completed.returncode == 1
    assert completed.stderr.endswith(f"pip install 'cotpd[{extra}]'\n")
    assert "Traceback" not in completed.stderr


def test_an_import_that_fails_deep_inside_a_library_is_named_too() -> None:
    error = RuntimeError("could not load the processor")
    error.__cause__ = ModuleNotFoundError("No module named 'PIL'", name="PIL.Image")

    explained = explain_missing_package(error)

    assert explained is not None
    assert explained.remedy == "Run: pip install 'cotpd[llm]'"


@pytest.mark.parametrize(
    "error",
    [ImportError("cannot import name 'x' from 'torch'", name="torch"), ModuleNotFoundError(), ValueError()],
)
def test_an_error_that_no_extra_mends_stays_itself(error: Exception) -> None:
    assert explain_missing_package(error) is None
