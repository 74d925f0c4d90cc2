"""The schema of an answer: checks a prompt's schema, finds the matching JSON in a text, and puts it into words.

A schema describes an object, which servers can enforce, or a string: plain text, checked here and not sent.

Trade-off: a server that enforces the schema sends bare JSON; others wrap it in a fence or in prose, or leave a
trailing comma. That much is repaired here, from the raw answer in the ledger, and nothing else is guessed: a text
that then does not match the schema is no answer.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_STRING_OR_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])')
_MAX_BRACES = 50  # tried as the start of an object; a hostile answer may consist of braces
_JOINTS = ("; ", ": ", ", ")  # between values, by depth


def answer_as_text(text: str, schema: Mapping[str, Any]) -> str:
    """Return an answer's values in the order of the schema, as one line: ``Leeds: a city; Anna: a friend``.

    Truth values become yes and no; null and empty values are left out. With a string's schema, text stays as it
    is.

    Args:
        text: What the model wrote.
        schema: JSON Schema, an object or a string at the top.

    Raises:
        ValueError: The text contains no JSON object that matches the schema, or does not match a string's schema.
    """
    if not is_object(schema):
        if error := _find_violation(schema, text.strip()):
            raise ValueError(f"not as its schema says: {error}")
        return text
    try:
        return _format_value(_find_object(text, schema), schema, 0)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def answer_as_json(text: str, schema: Mapping[str, Any]) -> str:
    """Return the first JSON object of an answer that matches its schema, as JSON without prose and fences.

    Raises:
        ValueError: The text contains none.
    """
    return json.dumps(_find_object(text, schema), ensure_ascii=False)


def is_object(schema: Mapping[str, Any]) -> bool:
    """Whether answers are objects: such a schema is sent to the server."""
    return schema.get("type") == "object"


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raise ValueError, with the reason, for a schema that cannot be sent or checked.

    It must be JSON and JSON Schema, have an object or a string at the top, and contain all that it refers to.
    """
    from jsonschema import SchemaError  # noqa: PLC0415  heavy, and not for every command
    from jsonschema.validators import validator_for  # noqa: PLC0415  heavy, and not for every command

    try:
        if json.loads(json.dumps(schema, allow_nan=False)) != schema:
            raise ValueError("it has a key that is no string: put it in quotes")
    except (TypeError, ValueError) as error:  # YAML has dates and recursive anchors, which JSON lacks
        raise ValueError(f"the schema is not JSON: {error}") from None
    except RecursionError:
        raise ValueError("the schema is nested too deeply") from None
    if not isinstance(schema.get("$schema", ""), str):
        raise ValueError("no JSON Schema: its $schema is no address")
    try:
        validator_for(schema).check_schema(schema)
        if schema.get("type") not in ("object", "string"):
            raise ValueError("the type at the top of the schema is neither object nor string")
        _check_references(schema)
        _find_violation(schema, {} if is_object(schema) else "")
    except SchemaError as error:
        raise ValueError(f"no JSON Schema: {error.message}") from None
    except RecursionError:
        raise ValueError("the schema refers to itself without end, or is nested too deeply") from None


def _check_references(schema: Mapping[str, Any]) -> None:
    """Raise ValueError for a reference to anything outside the schema: nothing is fetched."""
    from referencing import Registry  # noqa: PLC0415  heavy, and not for every command
    from referencing.exceptions import NoSuchResource, Unresolvable  # noqa: PLC0415  heavy, and not for every command
    from referencing.jsonschema import DRAFT202012, specification_with  # noqa: PLC0415  heavy, and not for every command

    specification = specification_with(schema.get("$schema", ""), default=DRAFT202012)
    root = Registry().resolver_with_root(specification.create_resource(schema))
    pending: list[tuple[Any, Any]] = [(schema, root)]
    while pending:
        value, resolver = pending.pop()
        if isinstance(value, list):
            pending += ((item, resolver) for item in value)
        if not isinstance(value, dict):
            continue
        if value is not schema and isinstance(value.get("$id"), str):
            resolver = resolver.in_subresource(specification.create_resource(value))
        for reference in (value.get("$ref"), value.get("$dynamicRef")):
            try:
                if isinstance(reference, str):  # otherwise it is a property of that name
                    resolver.lookup(reference)
            except (Unresolvable, NoSuchResource):
                raise ValueError(f"the schema refers to {reference}, which is not in it") from None
        pending += ((item, resolver) for name, item in value.items() if name not in _DATA_KEYWORDS)


_DATA_KEYWORDS = {"enum", "const", "default", "examples"}  # keywords whose values are no schemas


def _find_violation(schema: Mapping[str, Any], value: object) -> str:
    """Return why a value does not match a schema; empty if it does."""
    from referencing.exceptions import Unresolvable  # noqa: PLC0415  heavy, and not for every command

    try:
        error = next(_build_validator(json.dumps(schema)).iter_errors(value), None)
    except Unresolvable as unresolved:
        return f"it refers to {unresolved.ref}, which is not in it"
    return "" if error is None else error.message[:100]


@lru_cache(maxsize=64)  # building one takes longer than using it, and a prompt set has six
def _build_validator(schema: str) -> "Validator":
    from jsonschema.validators import validator_for  # noqa: PLC0415  heavy, and not for every command
    from referencing import Registry  # noqa: PLC0415  heavy, and not for every command

    rules = json.loads(schema)
    return validator_for(rules)(rules, registry=Registry())  # a registry that fetches nothing


def _find_object(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first object in a text that matches the schema; raises ValueError if there is none."""
    reason = "no JSON object"
    for value in _iterate_objects(text):
        error = _find_violation(schema, value)
        if not error:
            return value
        reason = f"not as its schema says: {error}"
    raise ValueError(reason)


def _iterate_objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the outermost JSON objects in a text, in its order."""
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    end = tried = 0
    for brace in re.finditer(r"\{", text):
        if brace.start() < end:
            continue
        if (tried := tried + 1) > _MAX_BRACES:
            return
        for repair in (False, True):
            candidate = text[brace.start() :]
            if repair:
                candidate = _STRING_OR_COMMA.sub(_drop_trailing_comma, candidate)
            try:
                value, length = decoder.raw_decode(candidate)
            except (ValueError, RecursionError):
                continue
            yield value
            end = brace.start() + length
            break


def _drop_trailing_comma(match: re.Match[str]) -> str:
    return match[1] or ""


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _format_value(value: object, schema: object, depth: int) -> str:
    """Return a JSON value as text: its parts in the schema's order, joined as its depth says; "" for null."""
    joint = _JOINTS[min(depth, len(_JOINTS) - 1)]
    if isinstance(value, dict):
        order = schema.get("properties", {}) if isinstance(schema, dict) else {}
        names = [*(name for name in order if name in value), *(name for name in value if name not in order)]
        parts = [_format_value(value[name], order.get(name), depth + 1) for name in names]
    elif isinstance(value, list):
        items = schema.get("items") if isinstance(schema, dict) else None
        # a list alone in an object is joined like the top level, and its items like the level below
        joint = _JOINTS[max(0, min(depth, len(_JOINTS)) - 1)]
        parts = [_format_value(item, items, depth) for item in value]
    elif isinstance(value, bool):
        return "yes" if value else "no"
    else:
        return " ".join(str(value).split()) if value is not None else ""
    return joint.join(part for part in parts if part)
