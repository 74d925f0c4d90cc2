"""The code that made a project's outputs: a digest for each stage of dvc.yaml, in a file that DVC watches.

In this repository DVC watches the modules themselves. A project has none: its code is an installed package, whose
path differs from machine to machine. So the project's dvc.yaml names code.yaml instead. After an upgrade of the
package, `cotpd init --upgrade` writes it anew, and exactly the stages whose modules differ run again.

Trade-off: an upgrade is seen when that command is run, not at once. Until then no step runs, because its outputs
would be recorded as those of the former code.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

import yaml

from cotpd.errors import ConfigError
from cotpd.shipped_files import CODE, read_shipped

CODE_RECORD = "code.yaml"
_HEADER = """\
# The code that made the outputs of this project, a digest for each stage; written by `cotpd init --upgrade`.
# DVC watches it: after an upgrade the stages whose code has changed run again, and no others.
"""
GRAPH = "dvc.yaml"  # the key of the digest of that file
_PACKAGES = ("cotpd/", "steps/")


def is_code(dependency: str) -> bool:
    """Whether a dependency of this repository's dvc.yaml is code that comes with the package."""
    return dependency.startswith(_PACKAGES)


def render_code_record(graph: str) -> str:
    """Return the text of code.yaml for the code that is installed.

    Args:
        graph: The text of the project's dvc.yaml, by whose digest an upgrade tells whether the user has edited it.
    """
    values = {"cotpd": version("cotpd"), GRAPH: digest_text(graph), **compute_digests()}
    return _HEADER + yaml.safe_dump(values, sort_keys=False)


def compute_digests() -> dict[str, str]:
    """Return the digest of the installed code by stage: of the modules that this repository's dvc.yaml names."""
    stages = yaml.safe_load(read_shipped("dvc.yaml"))["stages"]
    return {name: _digest_code(filter(is_code, stage["deps"])) for name, stage in stages.items()}


def digest_text(text: str) -> str:
    """Return the digest of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def explain_other_code(root: Path) -> ConfigError | None:
    """Explain that the installed code is not the code of a project; None if it is, or if this is no project.

    Raises:
        ConfigError: The project's record cannot be read.
    """
    if not (root / CODE_RECORD).is_file():
        return None  # a checkout, where DVC watches the modules themselves
    record = read_code_record(root)
    changed = [stage for stage, digest in compute_digests().items() if record.get(stage) != digest]
    if not changed:
        return None
    problem = (
        f"the project's outputs are of cotpd {record.get('cotpd')}, and the installed {version('cotpd')}"
        f" has other code for {', '.join(changed)}"
    )
    remedy = "Run: cotpd init --upgrade   (these stages then run again); or install the former version."
    return ConfigError(problem, remedy)


def read_code_record(root: Path) -> Mapping[str, str]:
    """Return what a project's code.yaml holds.

    Raises:
        ConfigError: It cannot be read, or holds something else.
    """
    path = root / CODE_RECORD
    try:
        record = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        record = None
    if not isinstance(record, dict):
        raise ConfigError(f"{path}: no record of the code", "Write it anew: cotpd init --upgrade")
    return record


def _digest_code(dependencies: Iterable[str]) -> str:
    """Return one digest of the files below some paths, which a rename changes too."""
    digest = hashlib.sha256()
    for path in sorted(set(_list_files(dependencies))):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(CODE).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:32]


def _list_files(dependencies: Iterable[str]) -> Iterator[Path]:
    for dependency in dependencies:
        path = CODE / dependency
        files = path.rglob("*") if path.is_dir() else [path]
        yield from (file for file in files if file.is_file() and "__pycache__" not in file.parts)
