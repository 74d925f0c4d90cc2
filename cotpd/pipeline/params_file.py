"""`make params`: write params.yaml anew, its values as they are, its comments from the parameters' descriptions.

`dvc exp run -S` rewrites the file with ruamel.yaml, for which a comment belongs to the value before it: one that
follows a list is lost with the list. So a list has its comment above itself, and the next key has its own at its
end. The keys of a section are in an order in which no two lists follow each other, and none comes last.
"""

import io
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from cotpd.config import Params, load_params
from cotpd.files import write_atomically
from cotpd.section import Section
from cotpd.yaml_files import read_yaml

WIDTH = 115
UPGRADE = "Write them with their defaults, your values as they are: python -m cotpd.pipeline.params_file"
HEADER = """\
# Every knob of the pipeline. `dvc repro` re-runs what depends on a changed one, and nothing else.
# Try others without editing:  dvc exp run -S task=re -S train.epochs=3
# Whole sets of values for other data:  cotpd preset list, cotpd preset apply twitter2017
# A key without a value is null. The comments are the descriptions in cotpd/*/params.py, written by `make params`.
"""


def write_params(path: Path) -> None:
    """Write the file anew: the same values, in the order and with the comments of the parameters' descriptions.

    Raises:
        ConfigError: It is missing, or holds a key or value that is not understood.
    """
    load_params(path)
    text = render_params(_read_values(path))
    with write_atomically(path) as partial:
        partial.write_text(text, "utf-8")


def list_missing(path: Path) -> list[str]:
    """Return the parameters and sections that a file of an earlier release lacks: DVC knows no defaults.

    Raises:
        ConfigError: The file is missing or is no YAML.
    """
    values, _ = read_yaml(path)
    missing = []
    for name, field in _list_fields(Params):
        section = values.get(name) if isinstance(values, dict) else None
        if not isinstance(values, dict) or name not in values:
            missing.append(name)
        elif _is_section(field):
            keys = [key for key, _ in _list_fields(field.annotation)]
            missing += [f"{name}.{key}" for key in keys if key not in (section or {})]
    return missing


def render_params(values: Mapping[str, Any], header: str = HEADER) -> str:
    """Return a parameter file with these values, and the default of each parameter that has none here."""
    lines = [header]
    for name, field in _list_fields(Params):
        if not _is_section(field):
            lines += _render_parameter(name, values.get(name, field.default), field)
            continue
        lines += ["", f"{name}: # {_describe(field)}"]
        lines += _render_section(field.annotation, values.get(name) or {}, field.default)
    return "\n".join(lines) + "\n"


def _render_section(section: Any, values: Mapping[str, Any], defaults: Section) -> list[str]:
    """Return the lines of one section; the key after a list never has a comment above itself."""
    lines, follows_list = [], False
    for name, field in _list_fields(section):
        value = values[name] if name in values else defaults.model_dump(mode="json")[name]
        lines += [f"  {line}" for line in _render_parameter(name, value, field, at_end=follows_list)]
        follows_list = _is_list(field)
    return lines


def _render_parameter(name: str, value: Any, field: FieldInfo, *, at_end: bool = False) -> list[str]:
    """Return the lines of one parameter, its comment at the end of the first if it fits there.

    Args:
        name, value, field: The parameter.
        at_end: Put the comment there however long it is.
    """
    lines, comment = _dump(name, value), _describe(field)
    first = f"{lines[0]} # {comment}"
    if at_end or (not _is_list(field) and len(first) <= WIDTH - 2):
        return [first, *lines[1:]]
    return [*(f"# {line}" for line in textwrap.wrap(comment, WIDTH - 4)), *lines]


def _list_fields(section: Any) -> list[tuple[str, FieldInfo]]:
    """Return name and field of each parameter, those that a section declares itself before those it inherits."""
    declared = [name for name in section.__annotations__ if name in section.model_fields]
    names = [*declared, *(name for name in section.model_fields if name not in declared)]
    fields = [(name, section.model_fields[name]) for name in names]
    return [(field.alias or name, field) for name, field in fields]


def _is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, Section)


def _is_list(field: FieldInfo) -> bool:
    """Whether a parameter takes a list, or null instead of one."""
    kinds = (field.annotation, *get_args(field.annotation))
    return any(get_origin(kind) is tuple for kind in kinds)


def _describe(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())


def _dump(name: str, value: Any) -> list[str]:
    """Return a key and its value as DVC writes them: lists as blocks, null as nothing."""
    from ruamel.yaml import YAML  # noqa: PLC0415  the pipeline's extra, and 0.1 s that reading parameters need not pay

    text = io.StringIO()
    yaml = YAML()
    yaml.width = 10_000
    yaml.default_flow_style = False
    yaml.dump({name: value}, text)
    return text.getvalue().splitlines()


def _read_values(path: Path) -> Mapping[str, Any]:
    """Return the values in the form that they are written in, so that 1.0e-4 stays 1.0e-4."""
    from ruamel.yaml import YAML  # noqa: PLC0415  as above

    values: Mapping[str, Any] = _drop_comments(YAML().load(path.read_text("utf-8")) or {})
    return values


def _drop_comments(value: Any) -> Any:
    """Return plain dicts and lists; ruamel's own would bring their old comments along."""
    if isinstance(value, dict):
        return {key: _drop_comments(member) for key, member in value.items()}
    return [_drop_comments(member) for member in value] if isinstance(value, list) else value


if __name__ == "__main__":
    write_params(Path("params.yaml"))
