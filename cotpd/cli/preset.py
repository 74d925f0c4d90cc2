"""`cotpd preset`: write a named set of values into params.yaml, comments kept."""

import io
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from cotpd.cli.output import show
from cotpd.config import load_params
from cotpd.errors import ConfigError

app = typer.Typer(
    help="Point params.yaml at other data or another task.", no_args_is_help=True, add_completion=False
)
FOLDER = Path(__file__).parent.parent / "presets"  # part of the package, so that a wheel brings them along


@app.command("list")
def list_presets() -> None:
    """Name the presets and what each is for."""
    presets = sorted(FOLDER.glob("*.yaml"))
    width = max(len(path.stem) for path in presets) + 2
    for path in presets:
        purpose = _text(path).partition("\n")[0].lstrip("# ")
        show(f"{path.stem:{width}}{purpose}")


@app.command("apply")
def apply(
    name: Annotated[str, typer.Argument(help="A preset of `cotpd preset list`, or a YAML file.")],
    data: Annotated[str | None, typer.Option(help="Folder of the data set (data.path).")] = None,
    params: Annotated[Path, typer.Option(help="The file to write into.")] = Path("params.yaml"),
) -> None:
    """Write a preset's values into params.yaml. `git checkout params.yaml` takes them back.

    Example: cotpd preset apply twitter2017 --data ~/data/twitter2017 && dvc repro
    """
    values = _read(name)
    if data is not None:
        values["data"] = (values.get("data") or {}) | {"path": data}
    changed = write_values(params, values)
    show("\n".join(f"{key}: {_shown(value)}" for key, value in changed.items()) or "nothing to change")


def write_values(path: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Set nested values in a parameter file; what comes out is checked before it takes the file's place.

    Returns:
        What changed: dotted key to new value. If that is nothing, the file is not written.

    Raises:
        ConfigError: The file is missing or holds no sections, or the values are not what the parameters allow.
    """
    yaml = _editor()
    document = _sections(path, yaml)
    changed = _merge(document, values)
    if changed:
        written = io.StringIO()
        yaml.dump(document, written)
        _replace(path, written.getvalue())
    return changed


def _replace(path: Path, text: str) -> None:
    """Put a checked text in a file's place, so that a kill or an error leaves the old file; a link stays one."""
    target = path.resolve()
    partial = target.with_name(f"{target.name}.part")
    partial.write_text(text, "utf-8")
    try:
        load_params(partial)
        shutil.copymode(target, partial)
        partial.replace(target)
    except ConfigError as error:
        raise ConfigError(error.problem.replace(str(partial), str(path)), error.remedy) from None
    finally:
        partial.unlink(missing_ok=True)


def _read(name: str) -> dict[str, Any]:
    from ruamel.yaml import YAML

    shipped = FOLDER / f"{name}.yaml"
    path = shipped if shipped.is_file() else Path(name)
    if not path.is_file():
        shipped_names = ", ".join(sorted(preset.stem for preset in FOLDER.glob("*.yaml")))
        raise ConfigError(f"there is no preset {name!r}", f"Known ones: {shipped_names}; or name a YAML file.")
    values = _sections(path, YAML(typ="safe"))
    if "data" in values and not isinstance(values["data"], dict | None):
        raise ConfigError(f"{path}: data holds {values['data']!r}, not parameters", "Write data: {key: value}.")
    return values


def _sections(path: Path, yaml: Any) -> dict[str, Any]:
    """What a YAML file holds, a mapping.

    Raises:
        ConfigError: It cannot be read, is not YAML, or holds something else; the message names file and line.
    """
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        found = yaml.load(_text(path))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f":{mark.line + 1}"
        problem = error.problem or error.context
        raise ConfigError(f"{path}{line}: not YAML: {problem}", "Mend the line it names.") from None
    except (YAMLError, ValueError) as error:
        problem = " ".join(str(error).split())
        raise ConfigError(f"{path}: not YAML: {problem}", "Write sections, as params.yaml does.") from None
    if found is None:
        found = CommentedMap()
    if not isinstance(found, dict):
        what = "a list" if isinstance(found, list) else f"{found!r}"
        raise ConfigError(
            f"{path}: holds {what}, not sections", "Write section: {key: value}, as params.yaml does."
        )
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8", "Save it as UTF-8.") from None
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file", "Run from the folder that holds it.") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", "Name a YAML file.") from None


def _editor() -> Any:
    """YAML that keeps comments and quotes, and writes nulls and lists the way `dvc exp run -S` does."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1000
    return yaml


def _shown(value: Any) -> str:
    return "null" if value is None else str(value)


def _merge(document: dict[str, Any], values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(document.get(key), dict):
            changed |= _merge(document[key], value, f"{prefix}{key}.")
        elif key not in document or document[key] != value:
            document[key] = value
            changed[prefix + key] = value
    return changed
