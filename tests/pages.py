"""The pages for people, as their tests read them: prose without its blocks, and blocks by language."""

import ast
import re
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "sample/README.md", *sorted(ROOT.glob("docs/*.md"))]
CODE = re.compile(r"`([^`\n]+)`")
PLACEHOLDER = re.compile(r"NAME|\bKIND\b|\bSTEP\b|…|\.\.\.")  # stands for a name that the reader chooses
FOLDERS = ("cotpd", "steps", "flows", "benchmarks", "tests", "docs", "sample", "expectations")

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```[^\n]*$", re.DOTALL | re.MULTILINE)

on_each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def read_fences(page: Path, *languages: str) -> list[str]:
    """Return the fenced blocks of a page that are written in one of the languages."""
    return [body for language, body in _FENCE.findall(page.read_text("utf-8")) if language in languages]


def read_prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("\n", page.read_text("utf-8"))


def is_name_in_repository(name: str) -> bool:
    """Return whether a path (with ``:name``, also its definition) or a dotted module or name is in the repository."""
    path, _, definition = name.partition(":")
    if "/" in path or (ROOT / path).is_file():
        target = ROOT / path
        return target.exists() and (not definition or definition in list_definitions(target))
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        stem = ROOT.joinpath(*parts[:length])
        module = stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")
        if module.is_file():
            definition = ".".join(parts[length:])
            return not definition or definition in list_definitions(module)
    return False


@cache
def list_definitions(path: Path) -> frozenset[str]:
    """Return the names that a module defines, those of a class as Class.name."""
    names: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        names |= set(name_definition(node))
        if isinstance(node, ast.ClassDef):
            members = chain.from_iterable(map(name_definition, node.body))
            names |= {f"{node.name}.{member}" for member in members}
    return frozenset(names)


def name_definition(node: ast.stmt) -> list[str]:
    """Return the names that one statement defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    if isinstance(node, ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    return []
