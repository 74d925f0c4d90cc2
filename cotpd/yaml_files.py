"""Read a user's YAML files strictly: what PyYAML drops, fails on or expands for ever is an error with a line.

Of two equal keys PyYAML keeps the last, ``!!timestamp x`` ends in an AttributeError, and nine levels of ten
aliases each make a billion values, so a file is measured before it is built.
"""

from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from cotpd.errors import ConfigError, find_remedy_in_project

MOST_VALUES = 100_000  # with every alias written out; params.yaml has about 100
_LARGEST = 2**63  # a larger seed or batch size would fail deep inside torch, without a line
_BAD_VALUE = (ValueError, LookupError, AttributeError, TypeError, OverflowError)  # raised by PyYAML's constructors
KeyPath = tuple[str, ...]


class YamlFile(NamedTuple):
    """A file's value, and the line of every key and list item by its path."""

    value: Any
    lines: dict[KeyPath, int]


def read_yaml(path: Path) -> YamlFile:
    """Read a file of one YAML document.

    Raises:
        ConfigError: It is missing, is not UTF-8 or not YAML, gives a key twice, or is too large with its aliases.
    """
    remedy = "Mend the line or value it names."
    try:
        return parse_yaml(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        remedy = "Run from the folder that holds it."
        if not path.is_absolute():
            remedy = find_remedy_in_project("Check the path.")
        raise ConfigError(f"{path}: there is no such file", remedy) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}", "Check the path.") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8", "Save it as UTF-8.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else f"{path}"
        raise ConfigError(f"{where}: not YAML: {error.problem or error.context}", remedy) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {error}", remedy) from None


def parse_yaml(text: str) -> YamlFile:
    """Parse one YAML document.

    Raises:
        yaml.YAMLError: It is not one; PyYAML's safe_load may raise other errors for some texts, this does not.
    """
    try:
        loader = _StrictLoader(text)
        node = loader.get_single_node()
        if node is None:
            return YamlFile(None, {})
        _measure(node, {})
        return YamlFile(loader.construct_document(node), _find_lines(node))
    except RecursionError:
        raise yaml.YAMLError("nested too deeply") from None


class _StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader with a line in each of its errors."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
        except _BAD_VALUE as error:
            kind = node.tag.rpartition(":")[2]
            detail = f": {error}" if isinstance(error, ValueError) else ""
            raise _make_error(node, f"{str(node.value)[:60]!r} is no {kind}{detail}") from None
        if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
            raise _make_error(node, "a number too large for any parameter")
        return value


def _measure(node: yaml.Node, sizes: dict[int, int]) -> int:
    """Count the values below a node with every alias written out; 0 marks a node that is still being counted."""
    if id(node) in sizes:
        if not sizes[id(node)]:
            raise _make_error(node, "a value that holds itself")
        return sizes[id(node)]
    sizes[id(node)] = 0
    size = 1
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
        size += sum(_measure(part, sizes) for part in chain.from_iterable(node.value))
    elif isinstance(node, yaml.SequenceNode):
        size += sum(_measure(part, sizes) for part in node.value)
    if size > MOST_VALUES:
        raise _make_error(node, f"more than {MOST_VALUES:,} values, counting aliases")
    sizes[id(node)] = size
    return size


def _check_keys(node: yaml.MappingNode) -> None:
    """Refuse a key that is no scalar, and a key that is given twice."""
    first_of: dict[tuple[str, str], yaml.Node] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _make_error(key, "a key that is no word")
        if first_of.setdefault((key.tag, key.value), key) is not key:
            first = first_of[key.tag, key.value].start_mark.line + 1
            raise _make_error(key, f"the key {key.value[:60]!r} is given twice, first in line {first}")


def _make_error(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(None, None, problem, node.start_mark)


def _find_lines(node: yaml.Node, prefix: KeyPath = ()) -> dict[KeyPath, int]:
    """Find the line of every key and list item, by its path."""
    lines: dict[KeyPath, int] = {}
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    if isinstance(node, yaml.SequenceNode):
        pairs = [
            (yaml.ScalarNode("", str(number), item.start_mark), item) for number, item in enumerate(node.value)
        ]
    for key, value in pairs:
        path = (*prefix, str(key.value))
        lines[path] = key.start_mark.line + 1
        lines |= _find_lines(value, path)
    return lines
