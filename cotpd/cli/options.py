"""The options that `cotpd predict` and `cotpd explain` share: which posts, and which model on which device."""

from typing import Annotated

import typer

Texts = Annotated[list[str] | None, typer.Argument(help="Posts.", show_default=False)]
ModelName = Annotated[
    str | None,
    typer.Option(
        help="A folder, models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN/student; else the challenger."
    ),
]
File = Annotated[
    str | None,
    typer.Option(
        help="One post a line, blank ones left out, or JSON Lines with text (head, tail) if named .jsonl or .json;"
        " .gz too; - reads stdin, whose first line tells which. UTF-8."
    ),
]
IsJson = Annotated[
    bool | None,
    typer.Option("--jsonl/--plain", help="How --file is written, whatever its name.", show_default=False),
]
Head = Annotated[str | None, typer.Option(help="Relations: the first mention, as the text has it.")]
Tail = Annotated[str | None, typer.Option(help="Relations: the second mention.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
