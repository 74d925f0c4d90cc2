"""The YAML head of a prompt file, with messages that name file and line."""

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cotpd.errors import ConfigError
from cotpd.yaml_files import parse_yaml


class Head(BaseModel):
    """The YAML head of a prompt file; ``meanings`` explains labels that an extraction may have, by their names."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    version: int = Field(ge=1)
    description: str
    system: str | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    json_schema: dict[str, Any] | None = Field(default=None, alias="schema")
    examples: tuple[dict[str, Any], ...] = ()
    meanings: dict[str, str] = Field(default_factory=dict)


def parse_head(path: Path, text: str) -> Head:
    """Parse the head of a prompt file; raises ConfigError naming file and line."""
    try:
        return Head.model_validate(parse_yaml(text).value)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1  # the head starts on line 2
        raise ConfigError(f"{path}:{line}: not YAML: {error.problem}", "Mend the head.") from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 2
        problem = f"a character that YAML does not take (#x{error.character:04x})"
        raise ConfigError(f"{path}:{line}: not YAML: {problem}", "Take it out.") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        line = find_line(text, re.escape(key)) if key else 1
        where = f"{path}:{line}: {key}: " if key else f"{path}:1: "
        raise ConfigError(f"{where}{first['msg']}", f"A head has {_HEAD_KEYS}.") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}:1: not YAML: {error}", "Mend the head.") from None


def find_line(head: str, key: str) -> int:
    """Return the line of the file on which a key of the head stands; 1 if it does not.

    Args:
        head: The text of the head, which begins on line 2.
        key: The key as a regular expression.
    """
    opening = re.compile(rf"""["']?{key}["']?\s*:""")
    return next((n for n, row in enumerate(head.splitlines(), 2) if opening.match(row)), 1)


_HEAD_KEYS = ", ".join(field.alias or name for name, field in Head.model_fields.items())
