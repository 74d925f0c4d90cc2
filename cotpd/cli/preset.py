"""`cotpd preset`: write a named set of values into params.yaml, comments kept."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cotpd.config import load_params
from cotpd.errors import ConfigError

app = typer.Typer(help="Point params.yaml at other data or another task.", no_args_is_help=True)
FOLDER = Path("presets")


@app.command("list")
def list_presets() -> None:
    """Name the presets and what each is for."""
    for path in sorted(FOLDER.glob("*.yaml")):
        typer.echo(f"{path.stem:16}{path.read_text('utf-8').splitlines()[0].lstrip('# ')}")


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
        values.setdefault("data", {})["path"] = data
    changed = write_values(params, values)
    typer.echo("\n".join(f"{key}: {value}" for key, value in changed.items()) or "nothing to change")


def write_values(path: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Set nested values in a parameter file and check the outcome; on an error the file stays as it was.

    Returns:
        What changed: dotted key to new value.

    Raises:
        ConfigError: The values are not what the parameters allow.
    """
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1000
    before = path.read_text("utf-8")
    document = yaml.load(before)
    changed = _merge(document, values)
    with path.open("w", encoding="utf-8") as out:
        yaml.dump(document, out)
    try:
        load_params(path)
    except ConfigError:
        path.write_text(before, "utf-8")
        raise
    return changed


def _read(name: str) -> dict[str, Any]:
    from ruamel.yaml import YAML

    path = FOLDER / f"{name}.yaml" if (FOLDER / f"{name}.yaml").is_file() else Path(name)
    if not path.is_file():
        known = ", ".join(sorted(preset.stem for preset in FOLDER.glob("*.yaml")))
        raise ConfigError(f"there is no preset {name!r}", f"Known ones: {known}; or name a YAML file.")
    return YAML(typ="safe").load(path) or {}


def _merge(document: dict[str, Any], values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    changed = {}
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(document.get(key), dict):
            changed |= _merge(document[key], value, f"{prefix}{key}.")
        elif key not in document or document[key] != value:
            document[key] = _in_one_line(value)
            changed[prefix + key] = value
    return changed


def _in_one_line(value: Any) -> Any:
    """Lists written over several lines would take the comments behind them along when they are replaced."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if isinstance(value, dict):
        found = CommentedMap((key, _in_one_line(one)) for key, one in value.items())
    elif isinstance(value, list | tuple):
        found = CommentedSeq(_in_one_line(one) for one in value)
    else:
        return value
    found.fa.set_flow_style()
    return found
