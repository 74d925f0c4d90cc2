"""Writing values into a parameter file, its comments kept; reading the YAML that holds them."""

import io
import shutil
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from cotpd.config import load_params
from cotpd.errors import ConfigError, find_remedy_in_project
from cotpd.files import write_atomically


def write_values(path: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Set nested values in a parameter file; the result is checked before it replaces the file.

    Returns:
        The changes: dotted key to new value. If there are none, the file is not written.

    Raises:
        ConfigError: The file is missing or holds no sections, or the values are not what the parameters allow.
    """
    editor = _build_editor()
    document = read_sections(path, editor)
    changes = _merge(document, values)
    if changes:
        written = io.StringIO()
        editor.dump(document, written)
        _replace(path, written.getvalue())
    return changes


def read_sections(path: Path, reader: YAML | None = None) -> dict[str, Any]:
    """Read a YAML file that holds a mapping; an empty one holds no sections.

    Raises:
        ConfigError: It cannot be read, is not YAML, or holds something else; the message names file and line.
    """
    try:
        document = (reader or YAML(typ="safe")).load(read_text(path))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f":{mark.line + 1}"
        problem = error.problem or error.context
        raise ConfigError(f"{path}{line}: not YAML: {problem}", "Mend the line it names.") from None
    except (YAMLError, ValueError) as error:
        problem = " ".join(str(error).split())
        raise ConfigError(f"{path}: not YAML: {problem}", "Write sections, as params.yaml does.") from None

    if document is None:
        return CommentedMap()
    if not isinstance(document, dict):
        kind = "a list" if isinstance(document, list) else f"{document!r}"
        raise ConfigError(
            f"{path}: holds {kind}, not sections", "Write section: {key: value}, as params.yaml does."
        )
    return document


def read_text(path: Path) -> str:
    """Read a UTF-8 file.

    Raises:
        ConfigError: It is missing, a folder, or not UTF-8; the message names it.
    """
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8", "Save it as UTF-8.") from None
    except FileNotFoundError:
        remedy = "Run from the folder that holds it."
        if not path.is_absolute():
            remedy = find_remedy_in_project("Check the path.")
        raise ConfigError(f"{path}: there is no such file", remedy) from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", "Name a YAML file.") from None


def _build_editor() -> YAML:
    """Build a YAML reader and writer that keeps comments and quotes, and writes null as `dvc exp run -S` does."""
    editor = YAML()
    editor.preserve_quotes = True
    editor.width = 1000  # or a long value would be wrapped, and the diff show a line that nobody changed
    return editor


def _merge(document: dict[str, Any], values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Put values into a document in place, and return the changes, dotted key to value."""
    changes: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(document.get(key), dict):
            changes |= _merge(document[key], value, f"{prefix}{key}.")
        elif key not in document or document[key] != value:
            document[key] = value
            changes[prefix + key] = value
    return changes


def _replace(path: Path, text: str) -> None:
    """Replace a parameter file after its new text was checked; a killed command leaves the old file.

    If the path is a symbolic link, the file that it leads to is replaced.
    """
    target = path.resolve()
    with write_atomically(target) as partial:
        partial.write_text(text, "utf-8")
        shutil.copymode(target, partial)
        try:
            load_params(partial)
        except ConfigError as error:
            raise ConfigError(error.problem.replace(str(partial), str(path)), error.remedy) from None
