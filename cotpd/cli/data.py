"""`cotpd data`: look at a data set before money or hours are spent on it, or convert it."""

from pathlib import Path
from typing import Annotated

import typer

from cotpd.annotation.dataset_conversion import convert_posts
from cotpd.annotation.gold_writers import GoldFormatName
from cotpd.cli import corrections
from cotpd.cli.data_options import Annotators, Nested, Offsets, TagColumn, TagNames, Words, validate_reading
from cotpd.cli.gold_errors import list_suspects
from cotpd.cli.output import build_console, format_json, show
from cotpd.config import load_params
from cotpd.counts import format_count
from cotpd.data.dataset_report import (
    build_report,
    build_table,
    format_problem,
    list_companion_lines,
    list_word_lines,
)
from cotpd.data.load import Dataset, load_dataset
from cotpd.data.params import DataParams
from cotpd.data.readers import FORMATS
from cotpd.data.records import iterate_posts
from cotpd.data.split_drawing import draw_splits
from cotpd.errors import ConfigError
from cotpd.escaping import make_printable_line
from cotpd.parameter_file import propose
from cotpd.student.params import StudentParams
from cotpd.student.vocabulary import describe_unknown_share, measure_unknown_share

app = typer.Typer(
    help="Check or convert a data set, or explain the formats.",
    no_args_is_help=True,
    add_completion=False,
)
app.command("suspects")(list_suspects)
app.add_typer(corrections.app, name="corrections")
SHOWN = 20  # problems, unless --all is given


@app.command()
def check(
    path: Annotated[str | None, typer.Argument(help="Folder or file; left out, the one of params.yaml.")] = None,
    format_: Annotated[str, typer.Option("--format", help="A format's name, or auto.")] = "auto",
    captions: Annotated[str | None, typer.Option(help="File or pattern of captions, below the folder.")] = None,
    answers: Annotated[str | None, typer.Option(help="File or folder of LLM answers, below the folder.")] = None,
    pictures: Annotated[
        str | None, typer.Option(help="Folder of pictures, from the folder; it may be a link to elsewhere.")
    ] = None,
    offsets: Offsets = None,
    words: Words = None,
    tag_column: TagColumn = None,
    tag_names: TagNames = None,
    annotators: Annotators = None,
    nested: Nested = None,
    show_all: Annotated[bool, typer.Option("--all", help=f"Every problem, not the first {SHOWN}.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
) -> None:
    """Count what a data set holds and list each row that cannot be used; exit status 1 if there are any.

    Example: cotpd data check ~/data/twitter2017 --captions captions_blip2.txt --answers chatgpt_knowledge
    """
    reading = {"tag_column": tag_column, "tag_names": tag_names, "annotators": annotators, "nested": nested}
    files = {"captions": captions, "answers": answers, "pictures": pictures}
    params = _build_params(path, format=format_, offsets=offsets, words=words, **files, **reading)
    dataset = load_dataset(params, Path(), require_train=False)
    encoder = _name_encoder()
    share = measure_unknown_share(encoder, iterate_posts(dataset.posts))
    dataset.stats["encoder"] = {"name": encoder, "unknown_share": share}
    if unknown := describe_unknown_share(encoder, share):
        dataset.stats["warnings"].append(unknown)
    if as_json:
        show(format_json(build_report(dataset), indent=2))
    else:
        _print_report(dataset, None if show_all else SHOWN)
    if dataset.quarantine:
        raise typer.Exit(1)


@app.command("formats")
def list_formats(
    name: Annotated[str | None, typer.Argument(help="One of them; left out, all.", show_default=False)] = None,
) -> None:
    """Explain each format that is read, with an example."""
    if name is not None and name not in FORMATS:
        problem = f"{name} is no format that is read{propose(name, FORMATS)}"
        raise ConfigError(problem, f"Formats: {', '.join(FORMATS)}.")
    for data_format in [FORMATS[name]] if name else FORMATS.values():
        show(data_format.title, bold=True)
        show("\n".join("    " + line for line in data_format.example.splitlines()) + "\n")


def _name_encoder() -> str:
    """Return the student's encoder; that of the defaults in a folder without parameters."""
    try:
        return load_params().student.encoder
    except ConfigError:
        return StudentParams().encoder


@app.command()
def convert(
    path: Annotated[str, typer.Argument(help="Folder or file of a data set.")],
    target: Annotated[Path, typer.Argument(help="Folder to write a file for each split into.")],
    to: Annotated[GoldFormatName, typer.Option("--to", help="The format to write.")],
    format_: Annotated[str, typer.Option("--format", help="The format of the data set, or auto.")] = "auto",
    offsets: Offsets = None,
    tag_column: TagColumn = None,
    tag_names: TagNames = None,
    annotators: Annotators = None,
    nested: Nested = None,
    split: Annotated[
        str | None, typer.Option(help="Divide one file by chance: percentages of train, valid and test.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws the splits.")] = 13,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Write a data set in another format, and say what the format loses; exit status 1 if a row was refused.

    \b
    Examples:
      cotpd data convert exports/project-1.json my-posts --to jsonl
      cotpd data convert exports/project-1.json my-posts --to jsonl --split 80/10/10
      cotpd data convert my-posts tasks --to label-studio
    """
    reading = {"tag_column": tag_column, "tag_names": tag_names, "annotators": annotators, "nested": nested}
    dataset = load_dataset(
        _build_params(path, format=format_, offsets=offsets, **reading), Path(), require_train=False
    )
    posts = dataset.posts if split is None else draw_splits(dataset.posts, split, seed)
    conversion = convert_posts(posts, to, target, overwrite=overwrite)
    for written, count in conversion.written.items():
        show(f"{written}: {format_count(count, 'post')}")
    for line in conversion.losses:
        show(f"lost: {line}")
    for row in dataset.quarantine[:SHOWN]:
        show(format_problem(row), fg="red")
    if dataset.quarantine:
        show(f"{format_count(len(dataset.quarantine), 'row')} refused; see `cotpd data check {path}`")
        raise typer.Exit(1)


def _build_params(path: str | None, **options: str | int | None) -> DataParams:
    """Build the data section: that of params.yaml where no path is given, with the options over it.

    Raises:
        ConfigError: An option has a value that the section does not allow; the message names the option.
    """
    base = load_params().data.model_dump() if path is None else {"path": path}
    changes = {key: value for key, value in options.items() if value is not None}
    if changes.get("format") == "auto":
        del changes["format"]  # the option's default, which must not replace the format in params.yaml
    return validate_reading(base | changes)


def _print_report(dataset: Dataset, limit: int | None) -> None:
    """Print counts, notes and problems.

    Args:
        dataset: What was read.
        limit: At most so many problems; None prints all.
    """
    out, problems = build_console(), dataset.quarantine
    out.print(build_table(dataset))
    lines = [*list_companion_lines(dataset), *list_word_lines(dataset)]
    for line in [*lines, *(f"note: {warning}" for warning in dataset.stats["warnings"])]:
        out.print(make_printable_line(line), soft_wrap=True)
    for row in problems[:limit]:
        out.print(make_printable_line(format_problem(row)), soft_wrap=True, style="red")
    if limit is not None and len(problems) > limit:
        out.print(f"... and {len(problems) - limit} more; --all shows them")
    out.print(_format_verdict(len(problems), dataset.stats["pictures"]["missing"]))


def _format_verdict(refused: int, missing: int) -> str:
    """Format the last line: how many rows were refused, and how many pictures are missing."""
    if not refused and not missing:
        return "no problems"
    pictures = format_count(missing, "picture is", "pictures are")
    return f"{format_count(refused, 'row')} refused" + (f", {pictures} not at hand" if missing else "")
