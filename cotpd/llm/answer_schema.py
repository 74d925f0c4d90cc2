"""Answers under a prompt's schema: found in what a model wrote, checked, and put into words.

A schema is of an object, which servers can be held to, or of a string: plain text, checked here and not sent.

Trade-off: a server that enforces the schema sends bare JSON; others wrap it in a fence or in prose, or leave a
comma too many. That much is mended here, from the raw answer that the ledger keeps, and nothing else is guessed:
what then does not hold to the schema is no answer.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_STRING_OR_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])')
_MOST_TRIED = 50  # braces; a hostile answer may consist of them
_JOINTS = ("; ", ": ", ", ")  # between values, by depth


def words(text: str, schema: Mapping[str, Any]) -> str:
    """The values of an answer in the order of the schema, as one line: ``Leeds: a city; Anna: a friend``.

    Truth values read yes and no; null and what is empty are left out. A string's schema leaves the text as it is.

    Args:
        text: What the model wrote.
        schema: JSON Schema, an object or a string at the top.

    Raises:
        ValueError: There is no JSON object in it that holds to the schema, or the text does not.
    """
    if not is_object(schema):
        if error := _error(schema, text.strip()):
            raise ValueError(f"not as its schema says: {error}")
        return text
    try:
        return _said(_found(text, schema), schema, 0)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def is_object(schema: Mapping[str, Any]) -> bool:
    """Whether answers are objects: such a schema is sent to the server."""
    return schema.get("type") == "object"


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raise ValueError, with the reason, for a schema that cannot be sent or that no answer could be checked by.

    That is: what is not JSON, no JSON Schema, has no object or string at the top, or refers to what is not in it.
    """
    from jsonschema import SchemaError
    from jsonschema.validators import validator_for

    try:
        if json.loads(json.dumps(schema, allow_nan=False)) != schema:
            raise ValueError("it has a key that is no string: put it in quotes")
    except (TypeError, ValueError) as error:  # of YAML's dates and anchors, which JSON lacks
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
        _error(schema, {} if is_object(schema) else "")
    except SchemaError as error:
        raise ValueError(f"no JSON Schema: {error.message}") from None
    except RecursionError:
        raise ValueError("the schema refers to itself without end, or is nested too deeply") from None


def _check_references(schema: Mapping[str, Any]) -> None:
    """Raise ValueError for a reference that leads nowhere, or out of the schema: nothing is fetched."""
    from referencing import Registry
    from referencing.exceptions import NoSuchResource, Unresolvable
    from referencing.jsonschema import DRAFT202012, specification_with

    specification = specification_with(schema.get("$schema", ""), default=DRAFT202012)
    root = Registry().resolver_with_root(specification.create_resource(schema))
    within = [(schema, root)]
    while within:
        value, resolver = within.pop()
        if isinstance(value, list):
            within += ((one, resolver) for one in value)
        if not isinstance(value, dict):
            continue
        if value is not schema and isinstance(value.get("$id"), str):
            resolver = resolver.in_subresource(specification.create_resource(value))
        for reference in (value.get("$ref"), value.get("$dynamicRef")):
            try:
                if isinstance(reference, str):  # a property may bear that name
                    resolver.lookup(reference)
            except (Unresolvable, NoSuchResource):
                raise ValueError(f"the schema refers to {reference}, which is not in it") from None
        within += ((one, resolver) for name, one in value.items() if name not in _DATA)


_DATA = {"enum", "const", "default", "examples"}  # keywords whose values are no schemas


def _error(schema: Mapping[str, Any], value: object) -> str:
    """Why a value does not hold to a schema; empty if it does."""
    from referencing.exceptions import Unresolvable

    try:
        error = next(_validator(json.dumps(schema)).iter_errors(value), None)
    except Unresolvable as nowhere:
        return f"it refers to {nowhere.ref}, which is not in it"
    return "" if error is None else error.message[:100]


@lru_cache(maxsize=64)  # to make one costs more than to use it, and a set has six
def _validator(schema: str) -> "Validator":
    from jsonschema.validators import validator_for
    from referencing import Registry

    rules = json.loads(schema)
    return validator_for(rules)(rules, registry=Registry())  # a registry that fetches nothing


def _found(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The first object in the text that holds to the schema."""
    reason = "no JSON object"
    for value in _objects(text):
        error = _error(schema, value)
        if not error:
            return value
        reason = f"not as its schema says: {error}"
    raise ValueError(reason)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Objects in the text, outermost and first ones first."""
    decoder = json.JSONDecoder(parse_constant=_refuse)
    end = tried = 0
    for brace in re.finditer(r"\{", text):
        if brace.start() < end:
            continue
        if (tried := tried + 1) > _MOST_TRIED:
            return
        for mend in (False, True):
            rest = text[brace.start() :]
            try:
                value, length = decoder.raw_decode(_STRING_OR_COMMA.sub(_kept, rest) if mend else rest)
            except (ValueError, RecursionError):
                continue
            yield value
            end = brace.start() + length
            break


def _kept(match: re.Match[str]) -> str:
    return match[1] or ""


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _said(value: object, schema: object, depth: int) -> str:
    joint = _JOINTS[min(depth, len(_JOINTS) - 1)]
    if isinstance(value, dict):
        order = schema.get("properties", {}) if isinstance(schema, dict) else {}
        names = [*(name for name in order if name in value), *(name for name in value if name not in order)]
        parts = [_said(value[name], order.get(name), depth + 1) for name in names]
    elif isinstance(value, list):
        items = schema.get("items") if isinstance(schema, dict) else None
        # a list that is all there is reads like the top; its items are one floor down
        joint = _JOINTS[max(0, min(depth, len(_JOINTS)) - 1)]
        parts = [_said(item, items, depth) for item in value]
    elif isinstance(value, bool):
        return "yes" if value else "no"
    else:
        return " ".join(str(value).split()) if value is not None else ""
    return joint.join(part for part in parts if part)
