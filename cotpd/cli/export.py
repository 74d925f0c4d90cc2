"""`cotpd export`: write a student for ONNX Runtime, and say how it compares with torch."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cotpd.cli.options import IsJson
from cotpd.cli.output import build_console, make_printable, show_row
from cotpd.cli.posts import read_posts
from cotpd.data.records import SPLITS
from cotpd.export.posts import Posts, gather_labelled, gather_texts
from cotpd.inference.export_record import Export, ExportRecord, Verdict
from cotpd.inference.loading import BACKENDS
from cotpd.pipeline.training_examples import read_text_examples
from cotpd.pipeline.workspace import Workspace
from cotpd.registry.model_address import attach_export_of, find_student_folder
from cotpd.student.card import Card, read_card
from cotpd.student.prediction_input import build_example, read_input
from cotpd.student.tasks import TaskName, find_task

_REFUSED = 3  # exit status: written, and the exact graph refused


def export(
    model: Annotated[
        str, typer.Option(help="A folder, models:/NAME@ALIAS or models:/NAME/VERSION.")
    ] = "models/student",
    posts: Annotated[
        str | None,
        typer.Option(help="Posts without labels to compare on, as predict --file; else valid and test."),
    ] = None,
    is_json: IsJson = None,
    int8: Annotated[bool, typer.Option(help="Whether to write an int8 graph, too.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="The record as JSON instead of a table.")] = False,
) -> None:
    """Write a student for ONNX Runtime, with a verdict on each graph.

    \b
    Examples:
      cotpd export
      cotpd export --model models/baseline --no-int8
      cotpd export --model student --posts posts.txt
    """
    folder = find_student_folder(model)
    card = read_card(folder)
    chosen = _read_texts(card, posts, is_json) if posts is not None else _read_splits(card.labels.task)
    # torch, which the help of this command need not load
    from cotpd.export.writer import write_export  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as scratch:
        # a version's folder belongs to the registry, whose digests of it are fixed
        target = Path(scratch) / "export" if model.startswith("models:") else None
        written = write_export(folder, chosen, int8=int8, target=target)
        if target is not None:
            attach_export_of(model, target, written.record.weights)
    if as_json:
        show_row(written.record.model_dump(mode="json"), str(written.folder))
    else:
        _show(written, find_task(card.labels.task).score_name)
    if not written.record.verdicts["onnx"].passed:
        raise typer.Exit(_REFUSED)


def _read_splits(task: TaskName) -> Posts:
    """Return the posts of the prepared data set here.

    Raises:
        DataError: There are no held-out ones.
    """
    workspace = Workspace()
    return gather_labelled({name: read_text_examples(workspace, task, name) for name in SPLITS})


def _read_texts(card: Card, file: str, is_json: bool | None) -> Posts:
    """Return the posts of a file, as `cotpd predict --file` reads it.

    Raises:
        DataError: There are none, or a line is no post.
    """
    task, posts = card.labels.task, read_posts((), file, is_json=is_json)
    examples = (build_example(read_input(task, post.row, post.where), card.words) for post in posts)
    return gather_texts([example for example in examples if example is not None], file)


def _show(written: Export, score_name: str) -> None:
    """Print a row for each backend, and the reason behind each refusal."""
    table = Table("backend", "verdict", "same posts", score_name, "posts/s", "ms a post", box=None)
    for name in BACKENDS[1:]:
        if name == "torch" or name in written.record.verdicts:
            table.add_row(name, *_format_row(written.record, name))
    console = build_console()
    console.print(table)
    for name, verdict in written.record.verdicts.items():
        if not verdict.passed:
            console.print(make_printable(f"{name} is refused: {verdict.reason}"))


def _format_row(record: ExportRecord, name: str) -> list[str]:
    """Return the figures of a backend; of torch those that it is compared with."""
    verdicts: dict[str, Verdict] = dict(record.verdicts.items())
    verdict, speed = verdicts.get(name), record.speeds.get(name)
    speeds = ["", ""] if speed is None else [f"{speed.posts_per_second:.1f}", f"{speed.milliseconds:.2f}"]
    if verdict is None:
        first = next(iter(record.verdicts.values()))
        return ["", "", f"{first.torch_f1:.2f}" if first.has_gold else "", *speeds]
    state = "passed" if verdict.passed else "refused"
    return [state, f"{100 * verdict.same:.2f} %", f"{verdict.f1:.2f}", *speeds]
