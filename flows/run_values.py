"""Values that a run writes into params.yaml before it starts: those of a preset, and its own."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cotpd.cli import params_editor
from cotpd.cli.preset import find_preset
from cotpd.errors import ConfigError
from cotpd.passwords import hide_passwords

_SECRET_NAME = re.compile(r"(?:^|[._-])(?:password|passwd|secret|api_?key|token|authorization)$", re.IGNORECASE)
_VARIABLES = {  # by the parameter that they outweigh, or whose secret they hold
    "llm.base_url": "the one that llm.api_key_env names, such as OPENAI_API_KEY",
    "llm.ledger": "COTPD_LEDGER, or PGPASSWORD",
    "register.tracking_uri": "MLFLOW_TRACKING_URI, or MLFLOW_TRACKING_PASSWORD",
    "scale.address": "RAY_ADDRESS",
}


def write_values(
    root: Path, preset: str, overrides: dict[str, Any], log: Callable[[str], None], engine: str = ""
) -> None:
    """Write a preset's values, the overrides and the engine into params.yaml, comments kept; log what changes.

    Raises:
        ConfigError: There is no such preset or parameter, or params.yaml would not be valid; it stays as it was.
    """
    values: dict[str, Any] = dict(params_editor.read_sections(find_preset(preset))) if preset else {}
    refuse_secrets(overrides)
    for key, value in {**overrides, **({"scale.engine": engine} if engine else {})}.items():
        _set(values, key, value)
    if not values:
        return
    for key, value in params_editor.write_values(root / "params.yaml", values).items():
        log(hide_passwords(f"params.yaml: {key}: {'null' if value is None else value}"))


def refuse_secrets(overrides: dict[str, Any]) -> None:
    """Refuse values with a password or key in them, which would be kept in params.yaml and in git.

    Raises:
        ConfigError: There is one; the message names the environment variable for it.
    """
    for key, value in overrides.items():
        if _has_secret(key, value):
            variable = _VARIABLES.get(key, "a variable of the environment")
            raise ConfigError(
                f"overrides: {key} holds a secret, and Prefect shows the parameters of a run to all its users",
                f"Change the secret, and set it where the worker starts: {variable}",
            )


def _has_secret(name: str, value: Any) -> bool:
    """Whether a value, or one within it, is an address with a password, or a text that is named as a secret."""
    if isinstance(value, dict):
        return any(_has_secret(str(key), part) for key, part in value.items())
    if isinstance(value, list):
        return any(_has_secret(name, part) for part in value)
    is_text = isinstance(value, str) and bool(value)
    return is_text and (hide_passwords(value) != value or bool(_SECRET_NAME.search(name)))


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
