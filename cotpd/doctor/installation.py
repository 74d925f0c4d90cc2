"""The interpreter, the packages of each extra, and an environment that was moved."""

import platform
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement

from cotpd.doctor.finding import Finding, Status
from cotpd.extras import EXTRA_OF_PACKAGE

_PURPOSE_OF_EXTRA = {
    "torch": "training, and prediction with torch",
    "onnx": "prediction with an exported student",
    "export": "cotpd export",
    "pipeline": "dvc repro and Prefect",
    "llm": "asking a language model",
    "images": "captions without a language model",
    "batch": "Parquet files, cotpd monitor",
    "report": "the report's plots",
    "tracking": "the registry",
    "serve": "cotpd serve",
    "postgres": "a ledger on PostgreSQL",
    "ray": "scale.engine: ray",
    "s3": "a remote or artifacts on S3",
    "server": "cotpd llm serve",
    "spacy": "reading and writing .spacy files",
}
_NEEDED = ("torch", "pipeline", "llm", "images", "report", "tracking")
"""The extras without which the steps of dvc.yaml do not run."""


def check_interpreter() -> Iterator[Finding]:
    """Check the version of Python, and whether its environment was moved."""
    shown = f"{platform.python_implementation()} {platform.python_version()} in {sys.prefix}"
    if (3, 11) <= sys.version_info[:2] < (3, 14):
        yield Finding("python", Status.OK, shown)
    else:
        yield Finding(
            "python", Status.PROBLEM, f"{shown}: 3.11 to 3.13 is needed", "Build the environment with one."
        )
    if (home := find_former_place(Path(sys.prefix))) is not None:
        yield Finding(
            "python",
            Status.PROBLEM,
            f"{sys.prefix} was built as {home}; its commands start the programs there",
            "Remove it and build it again: make dev.",
        )


def find_former_place(environment: Path) -> Path | None:
    """Return the folder that a virtual environment was built in; None if it is still there, or cannot be told."""
    script = environment / "bin" / "activate"
    if not script.is_file():
        return None
    named = re.search(r"^\s*(?:export )?VIRTUAL_ENV=['\"]?(/[^'\"\n]+)", script.read_text("utf-8"), re.MULTILINE)
    if named is None or Path(named[1]).resolve() == environment.resolve():
        return None
    return Path(named[1])


def check_packages() -> Iterator[Finding]:
    """Check which extras are complete, and whether the installed versions are those that CoTPD needs."""
    missing: dict[str, list[str]] = defaultdict(list)
    for package, extra in EXTRA_OF_PACKAGE.items():
        if find_spec(package) is None:
            missing[extra].append(package)
    whole = [extra for extra in _PURPOSE_OF_EXTRA if extra not in missing]
    yield Finding("packages", Status.OK, f"cotpd {version('cotpd')} with the extras {', '.join(whole) or 'none'}")
    for extra, packages in missing.items():
        status = Status.PROBLEM if extra in _NEEDED else Status.NOTE
        absent = f"not installed: {', '.join(packages)}, for {_PURPOSE_OF_EXTRA[extra]}"
        yield Finding("packages", status, absent, f"pip install 'cotpd[{extra}]'")
    yield from _check_versions(requires("cotpd") or [])


def _check_versions(requirements: Iterable[str]) -> Iterator[Finding]:
    """Check each package that is installed against the versions that are asked for."""
    for requirement in sorted({str(Requirement(line)) for line in requirements}):
        parsed = Requirement(requirement)
        try:
            installed = version(parsed.name)
        except PackageNotFoundError:
            continue  # of an extra that is not installed
        if not parsed.specifier.contains(installed, prereleases=True):
            problem = f"{parsed.name} is {installed}, and {parsed.specifier} is needed"
            yield Finding("packages", Status.PROBLEM, problem, f"pip install '{parsed.name}{parsed.specifier}'")
