"""The parameters that a study or a cell changes: by dotted name, or in the sections of params.yaml."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationError

from cotpd.config import Params
from cotpd.parameter_file import describe_problem, propose

SECTIONS = ("student", "baseline", "teach", "train", "distil", "evaluate")
"""The sections of params.yaml that a cell may change: those of a training."""


def flatten_params(params: object, prefix: str = "") -> object:
    """Return parameters by dotted name, those in nested sections too; what is no mapping is left to validation.

    Raises:
        ValueError: A parameter is given twice: in a section, and by its dotted name.
    """
    if not isinstance(params, dict):
        return params
    flat: dict[str, Any] = {}
    for key, value in params.items():
        nested = flatten_params(value, f"{prefix}{key}.")
        part = nested if isinstance(nested, dict) else {f"{prefix}{key}": value}
        if twice := flat.keys() & part.keys():
            raise ValueError(f"{min(twice)} is given twice")
        flat |= part
    return flat


Overrides = Annotated[dict[str, Any], BeforeValidator(flatten_params)]


def find_bad_parameters(params: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each dotted name that no cell may change, or whose value is not valid, with the reason."""
    for key in params:
        section = key.partition(".")[0]
        if section not in SECTIONS:
            reason = "a study trains on the tables that the pipeline has prepared, and changes no other parameter"
            yield key, f"not a parameter of {', '.join(SECTIONS)}{propose(section, SECTIONS)}; {reason}"
            return
        if above := next((name for name in params if key.startswith(f"{name}.")), None):
            yield key, f"{above} has a value ({params[above]!r}), so that there is nothing below it"
            return
    try:
        Params.model_validate(build_sections(params))
    except ValidationError as error:
        for problem in error.errors():
            yield _find_key(params, problem), describe_problem(problem, Params)


def _find_key(params: dict[str, Any], problem: Mapping[str, Any]) -> str:
    """Return the dotted name that a problem is about; of parameters that do not fit together, one it names."""
    location = ".".join(map(str, problem["loc"]))
    if location:
        return next((key for key in params if location.startswith(key)), location)
    return next((key for key in params if key in problem["msg"]), next(iter(params)))


def build_sections(params: dict[str, Any], values: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return values as nested sections, with parameters of dotted names put into them."""
    nested = {} if values is None else values
    for key, value in params.items():
        section = nested
        *parents, last = key.split(".")
        for parent in parents:
            section = section.setdefault(parent, {})
        section[last] = value
    return nested
