"""`cotpd explain`: for each prediction the nearest training posts, their reasoning chains, and the attention."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cotpd.cli.options import Device, File, Head, IsJson, ModelName, Tail, Texts
from cotpd.cli.output import build_console, make_printable, show_row
from cotpd.cli.posts import read_posts
from cotpd.cli.predict import choose_model, refuse_pair
from cotpd.errors import DataError
from cotpd.pipeline.workspace import Workspace
from cotpd.registry.model_address import find_student_folder

NEAREST = 3  # training posts
NO_LIMIT = 10**6  # characters of a text


def explain(
    texts: Texts = None,
    model: ModelName = None,
    data: Annotated[
        Path, typer.Option(help="What it was trained on: a folder with prepared/ and validated/.")
    ] = Path("data"),
    file: File = None,
    is_json: IsJson = None,
    head: Head = None,
    tail: Tail = None,
    nearest: Annotated[int, typer.Option(min=1, help="Training posts to show for each prediction.")] = NEAREST,
    full: Annotated[bool, typer.Option("--full", help="Do not shorten posts and answers.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON Lines, nothing shortened.")] = False,
    device: Device = "auto",
) -> None:
    """Show near training posts, reasoning chains and prompt attention.

    They are evidence, not the cause of a prediction: see docs/explain.md. The first call reads all training posts.

    \b
    Examples:
      cotpd explain "Eileen Collins waves from the pad at Kennedy Space Center"
      cotpd explain --model models/student --nearest 1 --file posts.txt --json
      cotpd explain --head "Collins" --tail "NASA" "Collins leaves NASA after 16 years"
    """
    posts = read_posts(texts or [], file, head, tail, is_json)
    folder = find_student_folder(choose_model(model))
    workspace = Workspace(data=data)
    require_training_tables(workspace)
    from cotpd.cli import explanations  # noqa: PLC0415  imports torch, which a wrong name or folder need not

    student, console = explanations.Student.from_pretrained(folder, device), build_console()
    refuse_pair(student.labels.task, head, tail)
    index = explanations.build_index(student, folder, workspace)
    for post in posts:  # not in batches: a person may be typing them
        explanation = explanations.explain_post(index, post, nearest)
        if as_json:
            names = {"id": post.row.get("id", explanation.id)}
            show_row(names | post.row | asdict(explanation) | names, post.where)
        else:
            explanations.print_explanation(make_printable(explanation), console, NO_LIMIT if full else None)


def require_training_tables(workspace: Workspace) -> None:
    """Refuse a folder without the tables that a student was trained on.

    Raises:
        DataError: A table is missing; the message names it.
    """
    validated = workspace.validated
    tables = (workspace.locate_posts("train"), validated / "captions.jsonl", validated / "knowledge.jsonl")
    for table in tables:
        if not table.is_file():
            raise DataError(
                f"{table}: there is no such table, so there are no training posts to show",
                "Name the folder of the data that the model was trained on with --data, or make it: dvc repro.",
            )
