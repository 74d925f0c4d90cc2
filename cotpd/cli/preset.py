"""`cotpd preset`: write a named set of values into params.yaml, comments kept."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cotpd.cli.output import show
from cotpd.errors import ConfigError

app = typer.Typer(
    help="Point params.yaml at other data or another task.", no_args_is_help=True, add_completion=False
)
FOLDER = Path(__file__).parent.parent / "presets"  # inside the package, so that a wheel holds it


@app.command("list")
def list_presets() -> None:
    """Name the presets and what each is for."""
    presets = sorted(FOLDER.glob("*.yaml"))
    width = max(len(path.stem) for path in presets) + 2
    for path in presets:
        first_line = path.read_text("utf-8").partition("\n")[0]
        show(f"{path.stem:{width}}{first_line.lstrip('# ')}")


@app.command("apply")
def apply(
    name: Annotated[str, typer.Argument(help="A preset of `cotpd preset list`, or a YAML file.")],
    data: Annotated[str | None, typer.Option(help="Folder of the data set (data.path).")] = None,
    params: Annotated[Path, typer.Option(help="The file to write into.")] = Path("params.yaml"),
) -> None:
    """Write a preset's values into params.yaml. `git checkout params.yaml` takes them back.

    Example: cotpd preset apply twitter2017 --data ~/data/twitter2017 && dvc repro
    """
    from cotpd.cli.params_editor import read_sections, write_values  # noqa: PLC0415  needs the extra pipeline

    path = find_preset(name)
    values = read_sections(path)
    section = values.get("data")
    if not isinstance(section, dict | None):
        raise ConfigError(f"{path}: data holds {section!r}, not parameters", "Write data: {key: value}.")
    if data is not None and not Path(data).exists():
        raise ConfigError(f"--data {data}: there is nothing there", "Name the folder that holds the posts' files.")
    if data is not None:
        values["data"] = (section or {}) | {"path": data}
    changes = write_values(params, values)
    lines = [f"{key}: {_format_value(value)}" for key, value in changes.items()]
    show("\n".join(lines) or "nothing to change")


def find_preset(name: str) -> Path:
    """Find the file of a preset: one that comes with the package, or a path.

    Raises:
        ConfigError: There is no such file; the message lists the presets.
    """
    shipped = FOLDER / f"{name}.yaml"
    path = shipped if shipped.is_file() else Path(name)
    if not path.is_file():
        names = ", ".join(sorted(preset.stem for preset in FOLDER.glob("*.yaml")))
        raise ConfigError(f"there is no preset {name!r}", f"Known ones: {names}; or name a YAML file.")
    return path


def _format_value(value: Any) -> str:
    return "null" if value is None else str(value)
