"""`cotpd data suspects`: the gold labels that several readings of a post contradict."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Column, Table

from cotpd.cli.output import build_console, format_json, show
from cotpd.counts import format_count
from cotpd.data.records import SPLITS
from cotpd.data.tables import read_table
from cotpd.errors import ConfigError, DataError
from cotpd.evaluation.gold_errors import SUSPECTED_ERRORS, Suspect
from cotpd.evaluation.gold_errors_export import WRITERS, build_annotated_posts
from cotpd.evaluation.gold_errors_page import SUSPECTS_PAGE
from cotpd.pipeline.workspace import Workspace

SHOWN = 20  # suspects of each split, unless --limit says otherwise


def list_suspects(
    split: Annotated[str | None, typer.Option(help="train, valid or test; left out, all.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="The first so many of each split; 0 for all.")] = SHOWN,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line instead of a table.")] = False,
    tool: Annotated[
        Literal["label-studio", "argilla"] | None,
        typer.Option("--to", help="Write tasks for this annotation tool into --output.", show_default=False),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="The file of tasks.", show_default=False)] = None,
) -> None:
    """List suspected gold errors: labels that independent readings agree against, the most probable first.

    Example: cotpd data suspects --split valid --limit 20
    """
    workspace = Workspace()
    rows = read_suspects(workspace, split, limit)
    if (tool is None) != (output is None):
        raise ConfigError("--to and --output go together", "Name a tool and the file to write.")
    if tool is not None and output is not None:
        _write_tasks(workspace, rows, tool, output)
        return
    if as_json:
        for row in rows:
            show(format_json(row.model_dump()))
        return
    console = build_console(width=100)
    console.print(build_suspects_table(rows))
    console.print(f"{len(rows)} shown; to decide on them: {workspace.evaluation / SUSPECTS_PAGE}", soft_wrap=True)
    if not any(row.split == "train" for row in rows):
        console.print("train is looked at only with cross-fitted teachers (teach.folds)", soft_wrap=True)


def _write_tasks(workspace: Workspace, rows: list[Suspect], tool: str, output: Path) -> None:
    """Write the posts of suspects for an annotation tool."""
    try:
        posts = build_annotated_posts(rows, {split: workspace.read_posts(split) for split in SPLITS})
    except KeyError as error:
        raise DataError(
            f"there is no post {error} any more", "The data has changed since: dvc repro evaluate"
        ) from None
    count = WRITERS[tool](posts, output)
    show(f"{output}: {format_count(count, 'post')} with {format_count(len(rows), 'suggestion')} for {tool}")


def read_suspects(workspace: Workspace, split: str | None = None, limit: int = 0) -> list[Suspect]:
    """Read what evaluate wrote.

    Args:
        workspace: The project.
        split: One split; None for all.
        limit: The first so many of each split; 0 for all.

    Raises:
        DataError: Nothing was written.
        ConfigError: There is no such split.
    """
    path = workspace.evaluation / SUSPECTED_ERRORS
    if not path.is_file():
        raise DataError(f"{path}: no gold labels were looked at", "Run the step that does: dvc repro evaluate")
    rows = read_table(path, Suspect)
    if split is not None:
        if split not in SPLITS:
            raise ConfigError(f"--split {split}: there is no such split", f"Name one of {', '.join(SPLITS)}.")
        rows = [row for row in rows if row.split == split]
    return [row for row in rows if not limit or row.rank <= limit]


def build_suspects_table(rows: list[Suspect]) -> Table:
    """Build a table of suspects."""
    columns = (Column(name, no_wrap=True) for name in ("split", "rank", "score", "post"))
    table = Table(*columns, Column("suggestion", overflow="fold"), Column("text", overflow="fold"))
    for row in rows:
        table.add_row(row.split, str(row.rank), f"{row.score:.2f}", row.id, row.reason, row.text)
    return table
