"""The options of `cotpd data` that say how annotation is read: parameters of the section data, by their names."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from cotpd.data.params import DataParams
from cotpd.errors import ConfigError

Offsets = Annotated[str | None, typer.Option(help="What start and end count: characters, utf16 or bytes.")]
TagColumn = Annotated[int | None, typer.Option(help="The column of the tags, from 1; -1 is the last.")]
TagNames = Annotated[str | None, typer.Option(help="File of the names of tags that are numbers.")]
Annotators = Annotated[str | None, typer.Option(help="Of several annotators: first, latest or agreed.")]
Nested = Annotated[str | None, typer.Option(help="Overlapping mentions: refuse, outermost or innermost.")]
Words = Annotated[
    str | None,
    typer.Option(help="How text becomes words: auto, social, syllables, characters, whitespace or given."),
]


def validate_reading(values: Mapping[str, Any]) -> DataParams:
    """Return the data section of these values.

    Raises:
        ConfigError: One is not allowed; the message names its option.
    """
    try:
        return DataParams.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        where = "the path" if name == "path" else f"--{name.replace('_', '-')} {values.get(name)}"
        raise ConfigError(f"{where}: {first['msg']}", "`cotpd data formats` shows each format.") from None
