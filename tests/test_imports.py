"""The import contract: floors that imports only go down, third-party packages in one place each, light modules."""

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest

from tests.floors import FLOOR_OF

ROOT = Path(__file__).parent.parent

# modules that no other module imports, and that may therefore import upwards
EXECUTED_ALONE = {
    "cotpd.registry.served_model": "MLflow executes it when a version is served, and it loads the student",
}

# third-party packages and the only packages that know them
HOMES = {
    "prefect": {"flows"},
    "dvc": {"steps", "flows"},
    "mlflow": {"cotpd.registry"},
    "ray": {"cotpd.engine"},
    "great_expectations": {"cotpd.expectations", "cotpd.knowledge"},  # the latter hands a context on
}
# module names that two packages share: each has its params; steps.ask asks by cotpd.llm.ask; steps.training calls
# cotpd.student.training; scores are computed for a task, and gathered for an evaluation; answers
# are read from a data set's files, and from the ledger
REPEATED = {"params", "ask", "training", "scores", "answers"}
LIGHT = (
    "cotpd.config",
    "cotpd.cli.main",
    "cotpd.cli.predict",
    "cotpd.inference.loading",
    "cotpd.registry.model_address",
    "cotpd.student.card",
    "cotpd.student.decoders",
    "cotpd.student.fast_tokenizer",
    "cotpd.student.labeller",
)
HEAVY = ("torch", "transformers", "mlflow", "openai", "great_expectations", "prefect", "dvc")


def name_module(path: Path) -> str:
    """Return a file's dotted name; a package's __init__ is the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def list_modules() -> list[Path]:
    return sorted(chain.from_iterable((ROOT / top).rglob("*.py") for top in ("cotpd", "steps", "flows")))


def collect_imported_names() -> set[str]:
    """Return the dotted names that any module imports."""
    imports = chain.from_iterable(iterate_imports(path) for path in list_modules())
    return {name for _, name in imports}


def is_imported(module: str, imports: set[str]) -> bool:
    """Whether a module, or a name in it, is among the imports."""
    return any(f"{name}.".startswith(f"{module}.") for name in imports)


def find_package(name: str) -> str:
    """Return the package of a module or of a name in it: steps, flows, or a part of cotpd."""
    top, *below = name.split(".")
    return f"{top}.{below[0]}" if top == "cotpd" and below else top


def iterate_imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of every import in a file, those inside functions and for type checkers included."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def list_package_imports() -> dict[tuple[str, str], list[str]]:
    """Return the file:line of each import between two packages of this repository, by importer and imported."""
    lines_of = defaultdict(list)
    for path in list_modules():
        if name_module(path) in EXECUTED_ALONE:
            continue
        importer = find_package(name_module(path))
        for line, name in iterate_imports(path):
            imported = find_package(name)
            if imported in FLOOR_OF and imported != importer:
                lines_of[importer, imported].append(f"{path.relative_to(ROOT)}:{line}")
    return lines_of


def test_every_package_has_its_floor() -> None:
    packages = {find_package(name_module(path)) for path in list_modules()} - {"cotpd"}

    assert packages == set(FLOOR_OF)


def test_imports_go_down_the_floors() -> None:
    upward = {
        edge: lines for edge, lines in list_package_imports().items() if FLOOR_OF[edge[0]] <= FLOOR_OF[edge[1]]
    }

    assert upward == {}


def test_no_packages_import_each_other_in_a_circle() -> None:
    graph = defaultdict(set)
    for importer, imported in list_package_imports():
        graph[importer].add(imported)

    assert list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


def test_a_module_that_is_executed_alone_is_imported_by_no_module() -> None:
    imports = collect_imported_names()

    assert [name for name in EXECUTED_ALONE if is_imported(name, imports)] == []
    assert set(EXECUTED_ALONE) <= {name_module(path) for path in list_modules()}


@pytest.mark.parametrize("library", sorted(HOMES))
def test_a_library_is_known_to_its_home_alone(library: str) -> None:
    strangers = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in list_modules()
        for line, name in iterate_imports(path)
        if name.split(".")[0] == library and find_package(name_module(path)) not in HOMES[library]
    ]

    assert strangers == []


@pytest.mark.parametrize("module", LIGHT)
def test_a_light_module_loads_no_heavy_library(module: str) -> None:
    script = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"

    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=120)

    assert process.stdout.strip() == "[]", process.stderr


def test_module_names_are_no_library_and_occur_once() -> None:
    """Apart from each package's params and the commands, which are named as a user types them."""
    names = [path.stem for path in list_modules() if "cli" not in path.parts and not path.stem.startswith("__")]
    libraries = collect_imported_names() - {"cotpd", "steps", "flows"}

    assert sorted({name for name in names if names.count(name) > 1} - REPEATED) == []
    assert {name.split(".")[0] for name in libraries} & set(names) == set()
