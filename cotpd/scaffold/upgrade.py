"""Bringing a project to the code that is installed: its graph, its parameters, and the record of the code."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cotpd.code_record import (
    CODE_RECORD,
    GRAPH,
    compute_digests,
    digest_text,
    read_code_record,
    render_code_record,
)
from cotpd.config import Params
from cotpd.errors import ConfigError
from cotpd.files import write_atomically
from cotpd.scaffold.project_files import build_graph
from cotpd.yaml_files import read_yaml

NEW_GRAPH = "dvc.yaml.new"


@dataclass(frozen=True)
class Upgrade:
    """The changes of an upgrade.

    Attributes:
        former: The version that the project was of.
        stages: The stages that run again, because their code has changed.
        is_graph_kept: dvc.yaml holds edits of the user's and differs from the new one, which lies beside it.
    """

    former: str
    stages: tuple[str, ...]
    is_graph_kept: bool


def require_project(root: Path) -> None:
    """Refuse a folder that `cotpd init` did not make.

    Raises:
        ConfigError: It holds no record of the code.
    """
    if not (root / CODE_RECORD).is_file():
        problem = f"{root.resolve()} holds no {CODE_RECORD}"
        raise ConfigError(problem, "Run it in a project that `cotpd init` made.")


def list_new_parameters(path: Path) -> dict[str, Any]:
    """Return the parameters, with their defaults, that a parameter file of a former version lacks.

    Raises:
        ConfigError: The file cannot be read.
    """
    values = read_yaml(path).value or {}
    missing: dict[str, Any] = {}
    for name, default in Params().model_dump(mode="json", by_alias=True).items():
        if name not in values:
            missing[name] = default
        elif isinstance(default, dict):
            section = values[name] or {}
            absent = {key: value for key, value in default.items() if key not in section}
            missing |= {name: absent} if absent else {}
    return missing


def upgrade_project(root: Path) -> Upgrade:
    """Write the graph and the record of the code anew; suites, prompts and rules are the user's and stay."""
    record = _read_former_record(root)
    stages = tuple(stage for stage, digest in compute_digests().items() if record.get(stage) != digest)
    graph = build_graph()
    is_kept = _write_graph(root, graph, record.get(GRAPH))
    _write(root / CODE_RECORD, render_code_record(graph))
    return Upgrade(str(record.get("cotpd", "of an unknown version")), stages, is_kept)


def _read_former_record(root: Path) -> Mapping[str, str]:
    """Return the project's record of the code; nothing where it is damaged, since it is about to be replaced."""
    try:
        return read_code_record(root)
    except ConfigError:
        return {}


def _write_graph(root: Path, graph: str, former_digest: str | None) -> bool:
    """Write dvc.yaml, or beside it if the user has edited it; return whether it was left."""
    path = root / "dvc.yaml"
    present = path.read_text("utf-8") if path.is_file() else graph
    if digest_text(present) in (former_digest, digest_text(graph)):
        _write(path, graph)
        return False
    _write(root / NEW_GRAPH, graph)
    return True


def _write(path: Path, text: str) -> None:
    if path.is_file() and path.read_text("utf-8") == text:
        return
    with write_atomically(path) as partial:
        partial.write_text(text, "utf-8", newline="\n")
