"""Answers under a prompt's schema: found in what a model wrote, checked, and put into words.

Trade-off: a server that enforces the schema sends bare JSON; others wrap it in a fence or in prose, or leave a
comma too many. That much is mended here, from the raw answer that the ledger keeps, and nothing else is guessed:
what then does not hold to the schema is no answer.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_STRING_OR_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])')
_MOST_TRIED = 50  # braces; a hostile answer may consist of them
_JOINTS = ("; ", ": ", ", ")  # between values, by depth


def words(text: str, schema: Mapping[str, Any]) -> str:
    """The values of an answer in the order of the schema, as one line: ``Leeds: a city; Anna: a friend``.

    Truth values read yes and no; null and what is empty are left out.

    Args:
        text: What the model wrote.
        schema: JSON Schema, an object at the top.

    Raises:
        ValueError: There is no JSON object in it that holds to the schema.
    """
    try:
        return _said(_found(text, schema), schema, 0)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raise ValueError, with the reason, for what is no JSON Schema or has no object at the top."""
    from jsonschema import SchemaError
    from jsonschema.validators import validator_for

    try:
        validator_for(schema).check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"no JSON Schema: {error.message}") from None
    if schema.get("type") != "object":
        raise ValueError("the type at the top of the schema is not object")


def _found(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The first object in the text that holds to the schema."""
    from jsonschema.validators import validator_for
    from referencing import Registry

    validator = validator_for(schema)(schema, registry=Registry())  # a registry that fetches nothing
    reason = "no JSON object"
    for value in _objects(text):
        error = next(validator.iter_errors(value), None)
        if error is None:
            return value
        reason = f"not as its schema says: {error.message[:100]}"
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
