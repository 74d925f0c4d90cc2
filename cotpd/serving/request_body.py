"""Reading the bytes of a request as the rows that a student predicts; mistakes get a status and a sentence."""

import difflib
import json
from collections.abc import Mapping
from typing import Any, NoReturn

from pydantic import ValidationError

from cotpd.errors import DataError
from cotpd.serving.request_models import AS_TEXT, AS_WORDS, RequestModels
from cotpd.student.prediction_input import PredictionInput, read_input
from cotpd.student.tasks import TaskName

JSON = "application/json"
_SHOWN = 60  # characters of a field's name in a message


class RefusedError(Exception):
    """A request that is not answered: the status, the problem and its remedy, and further headers."""

    def __init__(self, status: int, problem: str, remedy: str = "", **headers: str) -> None:
        super().__init__(problem)
        self.status, self.problem, self.remedy = status, problem, remedy
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def require_json(headers: Mapping[str, str]) -> None:
    """Refuse a body that is compressed or says that it is no JSON.

    Nothing is decompressed, so that a small body stays small.

    Raises:
        RefusedError: 415.
    """
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise RefusedError(
            415, f"the body is encoded as {encoding[:_SHOWN]}", "Send it as it is.", accept_encoding="identity"
        )
    kind, _, parameters = headers.get("content-type", "").partition(";")
    if kind.strip().lower() != JSON:
        raise RefusedError(
            415,
            f"the body is {kind.strip()[:_SHOWN] or 'of no type'}, and no {JSON}",
            f"Send Content-Type: {JSON}.",
        )
    charset = parameters.partition("charset=")[2].strip(' "').lower()
    if charset not in ("", "utf-8", "utf8", "us-ascii"):
        raise RefusedError(415, f"the body is in {charset[:_SHOWN]}", "Send it in UTF-8.")


def read_rows(body: bytes, models: RequestModels, task: TaskName) -> list[PredictionInput]:
    """Read the rows of a body.

    Raises:
        RefusedError: 400 if it is no JSON, 422 if a value is not what the schema asks for or a mention does not
            stand in its text.
    """
    value = _parse(body)
    if not isinstance(value, dict):
        raise RefusedError(
            422, f"the body is {_name_type(value)}, and no object", f'Send {{"{models.many_field}": [...]}}.'
        )
    is_many = models.many_field in value
    try:
        checked = models.find_model(value).model_validate(value).model_dump(warnings=False)
    except ValidationError as error:
        _refuse_first(error, models)
    rows = checked[models.many_field] if is_many else [checked]
    inputs = []
    try:
        for index, row in enumerate(rows):
            location = f"{models.many_field}[{index}]" if is_many else "the body"
            inputs.append(read_input(task, _name_content(row), location))
            _require_length(inputs[-1], models.most_characters, location)
    except DataError as error:
        raise RefusedError(422, error.problem, error.remedy) from None
    return inputs


def _require_length(row: PredictionInput, most_characters: int, location: str) -> None:
    """Refuse words that together are longer than a text may be."""
    if row.offsets and len(row.text) > most_characters:
        raise RefusedError(422, f"{location}: its tokens hold more than {most_characters} characters")


def _name_content(row: Any) -> dict[str, Any]:
    """Return a row as an object; an item of a list may be a text."""
    return row if isinstance(row, dict) else {"text": row}


def _parse(body: bytes) -> Any:
    """Return the value of a JSON document as RFC 8259 has it: no NaN, and no name twice."""
    if not body.strip():
        raise RefusedError(400, "the body is empty", "Send a JSON object.")
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_build_object)
    except UnicodeDecodeError as error:
        raise RefusedError(400, f"the body is no UTF-8 at byte {error.start}", "Encode it in UTF-8.") from None
    except json.JSONDecodeError as error:
        raise RefusedError(400, f"the body is no JSON at character {error.pos}: {error.msg}") from None
    except ValueError:  # a number of more than 4,300 digits
        raise RefusedError(400, "the body holds a number that is too long") from None
    except RecursionError:
        raise RefusedError(400, "the body's brackets are nested too deeply") from None


def _refuse_constant(name: str) -> NoReturn:
    raise RefusedError(400, f"the body holds {name}, which is no JSON")


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; of a name that stands in it twice, one value would be lost silently."""
    value = dict(pairs)
    if len(value) < len(pairs):
        raise RefusedError(400, "an object of the body has a name twice", "Write each name once.")
    return value


def _refuse_first(error: ValidationError, models: RequestModels) -> NoReturn:
    """Refuse a body for the first of its problems, in the words of this page's other messages."""
    problems = error.errors(include_url=False)
    # an unknown field first: it says more than that another one is missing
    problem = next((problem for problem in problems if problem["type"] == "extra_forbidden"), problems[0])
    location = _format_location([part for part in problem["loc"] if part not in _UNION_BRANCHES])
    context = problem.get("ctx", {})
    kind, value = problem["type"], problem["input"]
    if kind == "extra_forbidden":
        fields = models.list_fields()
        nearest = difflib.get_close_matches(str(problem["loc"][-1]), fields, 1)
        hint = f"Did you mean {nearest[0]}?" if nearest else f"There are {', '.join(fields)}."
        raise RefusedError(422, f"there is no field {location[:_SHOWN]}", hint)
    sentences = {
        "missing": f"{location} is missing",
        "string_type": f"{location} is {_name_type(value)}, and no text",
        "string_unicode": f"{location} holds half of a surrogate pair, which is no character",
        "string_too_long": f"{location} is longer than {context.get('max_length')} characters",
        "string_too_short": f"{location} is empty",
        "list_type": f"{location} is {_name_type(value)}, and no list",
        "too_long": f"{location} holds more than {context.get('max_length')} items",
        "too_short": f"{location} holds fewer than {context.get('min_length')} items",
        "model_type": f"{location} is {_name_type(value)}, and no object",
    }
    raise RefusedError(
        422, sentences.get(kind, f"{location}: {problem['msg']}"), "See /openapi.json for examples."
    )


_UNION_BRANCHES = {"constrained-str", "str", "list[constrained-int]", "list[int]", AS_TEXT, AS_WORDS}


def _format_location(parts: list[Any]) -> str:
    """Return where a value stands, such as pairs[3].head; items count from 0, as a program reads them."""
    location = ""
    for part in parts:
        location += f"[{part}]" if isinstance(part, int) else f"{'.' if location else ''}{part}"
    return location or "a name"  # that is no text has no place


def _name_type(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
