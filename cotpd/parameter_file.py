"""Reading params.yaml, whole or the sections that a package needs; errors name file, line and key."""

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from cotpd.errors import ConfigError
from cotpd.yaml_files import KeyPath, read_yaml

SHOWN = 200  # characters of a value that is refused
_SECRET_KEYS = {"api_key_env", "headers_env"}  # where a key may have been pasted instead of its variable's name
_YAML_WORDS: dict[object, str] = {None: "null", True: "true", False: "false"}
_LIST, _MAPPING = "Input should be a list: [a, b]", "Input should be a mapping: {key: value}"
_MESSAGES = {
    "missing": "this key is missing",
    "tuple_type": _LIST,
    "list_type": _LIST,
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "string_type": "Input should be text, in quotes if it reads as a number, a date, yes or no",
    "int_type": "Input should be a whole number",
}
"""Pydantic's problems in the words of YAML, where its own are those of Python."""


Sections = TypeVar("Sections", bound=BaseModel)


def read_parameters(path: Path, model: type[Sections]) -> tuple[Sections, dict[KeyPath, int]]:
    """Read a parameter file into a model whose fields are sections; the model decides on unknown ones.

    Returns:
        The checked sections, and the line of every key by its path.

    Raises:
        ConfigError: It is missing, is not YAML, or holds a key or value that the model refuses; the message names
            the file, the line and the key, and the key that was probably meant.
    """
    value, lines = read_yaml(path)
    values = {} if value is None else value
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: holds {type(values).__name__}, not sections", "See params.yaml's comments.")
    try:
        return model.model_validate(values), lines
    except ValidationError as error:
        problems = [_explain(path, problem, lines, model) for problem in _drop_consequences(error.errors())]
        raise ConfigError("\n".join(problems), "Every parameter is explained in params.yaml.") from None


def _drop_consequences(problems: Sequence[Any]) -> list[Any]:
    """Return pydantic's problems without that of a list which is too short because its items were refused."""
    refused = [tuple(problem["loc"][:-1]) for problem in problems]

    def is_consequence(problem: Any) -> bool:
        where = problem["loc"]
        return problem["type"] == "too_short" and any(above[: len(where)] == where for above in refused)

    return [problem for problem in problems if not is_consequence(problem)]


def _explain(path: Path, problem: Any, lines: dict[KeyPath, int], model: type[BaseModel]) -> str:
    """Return one of pydantic's problems as a line: file, line number, key, and what is wrong."""
    keys, text = tuple(str(part) for part in problem["loc"]), describe_problem(problem, model)
    named = keys or tuple(text.partition(" ")[0].rstrip(":").split("."))  # parameters that do not fit together
    return ": ".join(filter(None, (place_in_file(path, lines, named), ".".join(keys), text)))


def place_in_file(path: Path, lines: dict[KeyPath, int], keys: KeyPath) -> str:
    """Return a file with the line of a key, or of the nearest key above it; without a line, if none is there."""
    line = next((lines[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in lines), None)
    return f"{path}:{line}" if line else str(path)


def describe_problem(problem: Any, model: type[BaseModel]) -> str:
    """Return what is wrong about a value in one of pydantic's problems, and the key or value that was meant."""
    keys = tuple(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"there is no such parameter{propose(keys[-1], _list_keys(model, keys[:-1]))}"
    message: str = _MESSAGES.get(problem["type"], problem["msg"].removeprefix("Value error, "))
    if problem["type"] == "missing" or (problem["type"] == "value_error" and isinstance(problem["input"], dict)):
        return message  # the whole section would be shown
    value = "" if _SECRET_KEYS & set(keys) else f" (found {_format_value(problem['input'])})"
    choices = re.findall("'([^']*)'", problem["ctx"]["expected"]) if problem["type"] == "literal_error" else []
    return f"{message}{value}{propose(str(problem['input']), choices)}"


def _format_value(value: object) -> str:
    """Return a refused value, shortened; null and truth values as YAML writes them."""
    is_word = value is None or isinstance(value, bool)
    return _YAML_WORDS[value] if is_word else repr(value)[:SHOWN]


def propose(name: str, names: Iterable[str]) -> str:
    """Return "; did you mean X?" if a name is close to one of some names, else nothing."""
    nearest = difflib.get_close_matches(name, list(names), 1)
    return f"; did you mean {nearest[0]}?" if nearest else ""


def _list_keys(model: type[BaseModel], keys: KeyPath) -> list[str]:
    """Return the keys that the section at a path takes."""
    section: Any = model
    for key in keys:
        if get_origin(section) is dict:  # which entry it is makes no difference
            section = get_args(section)[1]
        elif not key.isdigit():  # nor which item of a list
            fields = {field.alias or name: field for name, field in section.model_fields.items()}
            section = _find_section(fields[key].annotation)
    return [field.alias or name for name, field in section.model_fields.items()]


def _find_section(annotation: Any) -> Any:
    """Return the section of an annotation: itself, a list's items, or one that may be null; a dict stays."""
    if get_origin(annotation) is dict:
        return annotation
    members = (annotation, *get_args(annotation))
    return next(member for member in members if isinstance(member, type) and issubclass(member, BaseModel))
