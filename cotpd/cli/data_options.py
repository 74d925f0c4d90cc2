"""The options of `cotpd data` that say how annotation is read: parameters of the section data, by their names."""

from typing import Annotated

import typer

Offsets = Annotated[str | None, typer.Option(help="What start and end count: characters, utf16 or bytes.")]
TagColumn = Annotated[int | None, typer.Option(help="The column of the tags, from 1; -1 is the last.")]
TagNames = Annotated[str | None, typer.Option(help="File of the names of tags that are numbers.")]
Annotators = Annotated[str | None, typer.Option(help="Of several annotators: first, latest or agreed.")]
Nested = Annotated[str | None, typer.Option(help="Overlapping mentions: refuse, outermost or innermost.")]
Words = Annotated[
    str | None,
    typer.Option(help="How text becomes words: auto, social, syllables, characters, whitespace or given."),
]
