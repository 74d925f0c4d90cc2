"""The options that commands share: which posts, which model on which device, and the columns of a file."""

from typing import Annotated, Literal

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
Backend = Annotated[
    Literal["auto", "torch", "onnx", "onnx-int8"],
    typer.Option(help="What runs the model; auto takes the fastest that passed its check here."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]
_FILES = "Scoring a file"
Input = Annotated[
    str | None,
    typer.Option(
        "--input",
        help="A file to score: .parquet, .jsonl, .csv or .tsv, also .gz or .zst; - reads JSON Lines from stdin.",
        rich_help_panel=_FILES,
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        help="Where its rows go with their predictions, in the format of its name; - writes JSON Lines.",
        rich_help_panel=_FILES,
    ),
]
TextColumn = Annotated[
    str | None, typer.Option(help="The column of posts; else text.", rich_help_panel=_FILES, show_default=False)
]
HeadColumn = Annotated[
    str | None,
    typer.Option(help="Relations: the first mentions; else head.", rich_help_panel=_FILES, show_default=False),
]
TailColumn = Annotated[
    str | None,
    typer.Option(help="Relations: the second mentions; else tail.", rich_help_panel=_FILES, show_default=False),
]
Keep = Annotated[
    list[str] | None,
    typer.Option(
        help="A column that comes out again; repeat it. Else all do.", rich_help_panel=_FILES, show_default=False
    ),
]
Prefix = Annotated[
    str | None,
    typer.Option(help="Put before the names of predicted columns.", rich_help_panel=_FILES, show_default=False),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the output if it exists.", rich_help_panel=_FILES)
]
Restart = Annotated[
    bool,
    typer.Option(
        "--restart",
        help="Discard what was scored before the input or the model changed.",
        rich_help_panel=_FILES,
    ),
]
To = Annotated[
    Literal["label-studio", "doccano", "prodigy", "argilla"] | None,
    typer.Option(
        "--to", help="Write a file that this annotation tool imports as suggestions.", show_default=False
    ),
]
EngineName = Annotated[
    Literal["local", "ray"] | None,
    typer.Option(
        "--engine",
        help="Where rows are scored; else scale.engine of params.yaml.",
        rich_help_panel=_FILES,
        show_default=False,
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Fail at the first row that cannot be read.", rich_help_panel=_FILES)
]
