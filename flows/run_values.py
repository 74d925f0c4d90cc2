"""Values that a run writes into params.yaml before it starts: those of a preset, and its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cotpd.cli import params_editor
from cotpd.cli.preset import find_preset
from cotpd.errors import ConfigError
from cotpd.passwords import hide_passwords


def write_values(
    root: Path, preset: str, overrides: dict[str, Any], log: Callable[[str], None], engine: str = ""
) -> None:
    """Write a preset's values, the overrides and the engine into params.yaml, comments kept; log what changes.

    Raises:
        ConfigError: There is no such preset or parameter, or params.yaml would not be valid; it stays as it was.
    """
    values: dict[str, Any] = dict(params_editor.read_sections(find_preset(preset))) if preset else {}
    for key, value in {**overrides, **({"scale.engine": engine} if engine else {})}.items():
        _set(values, key, value)
    if not values:
        return
    for key, value in params_editor.write_values(root / "params.yaml", values).items():
        log(hide_passwords(f"params.yaml: {key}: {'null' if value is None else value}"))


def _set(values: dict[str, Any], key: str, value: Any) -> None:
    """Set the value of a dotted key in nested mappings.

    Raises:
        ConfigError: The key is not one, or lies below a value.
    """
    *sections, last = key.split(".")
    section = values
    for name in sections:
        section = section.setdefault(name, {})
        if not isinstance(section, dict):
            raise ConfigError(f"overrides: {key} lies below the value of {name}", "Give each parameter once.")
    if not all([*sections, last]):
        raise ConfigError(f"overrides: {key!r} is no parameter", "Write section.name, such as train.epochs.")
    section[last] = value
