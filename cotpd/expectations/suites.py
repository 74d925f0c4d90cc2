"""Load suites, reviewed JSON files in expectations/, so that none of their expectations is lost.

Great Expectations drops an expectation whose name it does not know, and reports that everything passed. Each one
is therefore built separately, and a name or argument that does not fit is an error.

A project's own folder, beside params.yaml, comes first; a project without one takes the suites of the package. A
checkout keeps those in the same top-level folder, from which the build copies them into the package.
"""

import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import great_expectations as gx
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.registry import (
    get_expectation_impl,
    list_registered_expectation_implementations,
)

import cotpd.expectations.custom  # noqa: F401 - registers the project's own expectations
from cotpd.errors import ConfigError

OWN_FOLDER = Path("expectations")  # of the project, relative to the working directory
_PACKAGE = Path(__file__).parent.parent


@dataclass(frozen=True)
class Suite:
    """A loaded suite, and the file that it was read from."""

    file: Path
    suite: gx.ExpectationSuite


def find_suites_folder() -> Path:
    """Return the project's own folder of suites, or the package's where the project has none."""
    in_package = _PACKAGE / "suites"
    in_checkout = _PACKAGE.parent / "expectations"  # no build has copied it into the package
    folders = (OWN_FOLDER, in_package, in_checkout)
    return next((folder for folder in folders if folder.is_dir()), in_package)


def load_suite(name: str, folder: Path | None = None) -> Suite:
    """Load ``folder/name.json``; without a folder, from :func:`find_suites_folder`.

    Raises:
        ConfigError: The file is missing or no suite, or an expectation is unknown or has arguments that do not
            fit; the message names the file and the expectation.
    """
    file = (folder or find_suites_folder()) / f"{name}.json"
    declared, about = _read_declarations(file)
    expectations = [_build_expectation(file, number, entry) for number, entry in enumerate(declared, 1)]
    suite = gx.ExpectationSuite(name=name, expectations=expectations, meta={"about": about})
    if len(suite.expectations) != len(declared):
        raise ConfigError(
            f"{file}: {len(declared)} expectations, but {len(suite.expectations)} were loaded",
            "Great Expectations dropped one: compare them with its gallery.",
        )
    return Suite(file, suite)


def _read_declarations(file: Path) -> tuple[list[Any], str]:
    """Return the list under ``expectations``, its entries unchecked, and what the suite says about itself."""
    try:
        content = json.loads(file.read_text("utf-8"))
        declared, meta = content["expectations"], content.get("meta")
    except FileNotFoundError:
        raise ConfigError(f"{file}: there is no such suite", _explain_missing_suite(file)) from None
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}", "A suite is a file that can be read.") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(f"{file}: no suite: {error}", 'It holds {"expectations": [...]}, as JSON.') from None
    if not isinstance(declared, list) or not declared:
        raise ConfigError(f"{file}: expects nothing", "A suite that checks nothing lets everything pass.")
    return declared, str(meta.get("about") or "") if isinstance(meta, dict) else ""


def _explain_missing_suite(file: Path) -> str:
    if file.parent == OWN_FOLDER:
        return f"Write it, or remove {OWN_FOLDER}/: a project without that folder takes the package's."
    return "Install cotpd again: the suites are part of it."


def _build_expectation(file: Path, number: int, declared: Any) -> Expectation:
    """Build one expectation; raises ConfigError if its name or one of its arguments does not exist."""
    where = f"{file}: expectation {number}"
    if not isinstance(declared, dict) or not isinstance(declared.get("type"), str):
        raise ConfigError(f"{where}: has no type", 'Write {"type": "expect_...", "kwargs": {...}}.')

    name = declared["type"]
    registered_names = list_registered_expectation_implementations()
    if name not in registered_names:
        similar = difflib.get_close_matches(name, registered_names, 1)
        raise ConfigError(
            f"{where}: there is no expectation {name}" + (f"; did you mean {similar[0]}?" if similar else ""),
            "Our own are in cotpd/expectations/custom.py, the others in Great Expectations' gallery.",
        )
    try:
        return get_expectation_impl(name)(**declared.get("kwargs", {}), meta=declared.get("meta"))
    except Exception as error:  # a ValidationError of the pydantic version that Great Expectations bundles
        problem = " ".join(str(error).split())
        raise ConfigError(f"{where}: {name}: {problem}", "Mend its kwargs.") from None
