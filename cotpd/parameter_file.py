"""Reading params.yaml, whole or the sections that a package needs; errors name file, line and key."""

import difflib
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from cotpd.errors import ConfigError
from cotpd.yaml_files import KeyPath, read_yaml

SHOWN = 200  # characters of a value that is refused
_SECRET_KEYS = {"api_key_env", "headers_env"}  # where a key may have been pasted instead of its variable's name


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
        problems = [_explain(path, problem, lines, model) for problem in error.errors()]
        raise ConfigError("\n".join(problems), "Every parameter is explained in params.yaml.") from None


def _explain(path: Path, problem: Any, lines: dict[KeyPath, int], model: type[BaseModel]) -> str:
    """Return one of pydantic's problems as a line: file, line number, key, and what is wrong."""
    keys = tuple(str(part) for part in problem["loc"])
    line = next((lines[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in lines), 0)
    where = f"{path}:{line}: {'.'.join(keys)}"

    return f"{where}: {describe_problem(problem, model)}"


def describe_problem(problem: Any, model: type[BaseModel]) -> str:
    """Return what is wrong about a value in one of pydantic's problems, and the key that was probably meant."""
    keys = tuple(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        nearest = difflib.get_close_matches(keys[-1], _list_keys(model, keys[:-1]), 1)
        return "there is no such parameter" + (f"; did you mean {nearest[0]}?" if nearest else "")
    value = "" if _SECRET_KEYS & set(keys) else f" (found {repr(problem['input'])[:SHOWN]})"
    return f"{problem['msg']}{value}"


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
