"""`cotpd data corrections`: check, merge and import files of corrected labels."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from cotpd.cli.data_options import validate_reading
from cotpd.cli.output import build_console, show
from cotpd.config import load_params
from cotpd.counts import format_count
from cotpd.data.correction_file import Correction, read_corrections, write_corrections
from cotpd.data.correction_import import import_corrections
from cotpd.data.correction_merge import merge_corrections
from cotpd.data.dataset_report import format_problem, list_companion_lines
from cotpd.data.dataset_warnings import list_reader_notes
from cotpd.data.load import load_dataset
from cotpd.data.records import iterate_posts
from cotpd.errors import ConfigError, DataError
from cotpd.escaping import make_printable_line
from cotpd.evaluation.gold_errors import find_label_key
from cotpd.student.tasks import find_task

app = typer.Typer(
    help="Check, merge and import files of corrected labels (data.corrections).",
    no_args_is_help=True,
    add_completion=False,
)
Output = Annotated[Path, typer.Option(help="The file to write.")]


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="The file; left out, that of data.corrections.")] = None,
) -> None:
    """Check that each correction fits the data set of params.yaml; exit status 1 if one does not.

    Example: cotpd data corrections check corrections.jsonl
    """
    params = load_params().data
    if file is not None:
        folder = Path(params.path) if Path(params.path).is_dir() else Path(params.path).parent
        params = params.model_copy(update={"corrections": os.path.relpath(file, folder)})
    elif not params.has_corrections():
        raise DataError("data.corrections names no file", "Name one: cotpd data corrections check FILE")
    dataset = load_dataset(params, require_train=False)
    out = build_console()
    out.print(list_companion_lines(dataset)[-1])
    refused = [row for row in dataset.quarantine if row.file == dataset.stats["corrections"]["file"]]
    for row in refused:
        out.print(make_printable_line(format_problem(row)), soft_wrap=True, style="red")
    if refused:
        raise typer.Exit(1)


@app.command()
def merge(
    files: Annotated[list[Path], typer.Argument(help="Two files or more.")],
    output: Output,
    prefer: Annotated[
        Literal["first", "last"] | None, typer.Option(help="Which file is right where they differ.")
    ] = None,
) -> None:
    """Merge files of corrections; where two differ nothing is written, unless --prefer says who is right.

    Example: cotpd data corrections merge ann.jsonl ben.jsonl --output corrections.jsonl
    """
    merged = merge_corrections([_read_whole(file) for file in files], prefer)
    if merged.conflicts:
        for conflict in merged.conflicts:
            show(make_printable_line(conflict.describe()), fg="red")
        posts = format_count(len(merged.conflicts), "post is", "posts are")
        raise DataError(
            f"{posts} corrected in different ways; nothing was written",
            "Decide each with its annotators, or name the file to believe: --prefer first",
        )
    count = write_corrections(output, merged.corrections)
    show(f"{output}: {format_count(count, 'correction')}, {merged.repeated} of them in several files")


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="What an annotation tool exported, in any format that is read.")],
    output: Output,
    by: Annotated[str, typer.Option(help="Who corrected the labels.")] = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    format_: Annotated[str, typer.Option("--format", help="The file's format, or auto.")] = "auto",
    annotators: Annotated[
        Literal["first", "latest", "agreed"],
        typer.Option(help="Of several annotations of a post: the first, the latest, or what all marked."),
    ] = "latest",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace corrections that are there.")] = False,
) -> None:
    """Compare an annotation tool's export with the data set, and write the differences as corrections.

    Example: cotpd data corrections import export.json --output corrections.jsonl --by mk
    """
    _refuse_overwriting(output, file, overwrite=overwrite)
    params = load_params()
    source = validate_reading({"path": str(file), "format": format_, "annotators": annotators})
    dataset = load_dataset(params.data.model_copy(update={"corrections": "."}), require_train=False)
    export = load_dataset(source, require_train=False, words=dataset.words)
    key = find_label_key(find_task(params.task))
    imported = import_corrections(dataset, iterate_posts(export.posts), key, by=by, reason=reason)
    for counts in export.stats["splits"].values():
        for note in list_reader_notes(counts["noticed"]):
            show(make_printable_line(f"note: {note}"))
    problems = [*imported.problems, *map(format_problem, export.quarantine)]
    for problem in problems:
        show(make_printable_line(problem), fg="red")
    count = write_corrections(output, imported.corrections)
    unchanged = format_count(imported.unchanged, "post")
    show(f"{output}: {format_count(count, 'correction')}, {unchanged} as before, {len(problems)} refused")
    if problems:
        raise typer.Exit(1)


def _refuse_overwriting(output: Path, file: Path, *, overwrite: bool) -> None:
    """Refuse to write over the export itself, or over earlier corrections unless that is meant.

    Raises:
        ConfigError: The output is there.
    """
    if not output.exists():
        return
    if file.exists() and output.samefile(file):
        raise ConfigError(f"{output}: is the export itself, which would be lost", "Name another file.")
    if not overwrite:
        remedy = "Name another file and merge the two (cotpd data corrections merge), or say --overwrite."
        raise ConfigError(f"{output}: exists", remedy)


def _read_whole(file: Path) -> list[Correction]:
    """Read a file of corrections.

    Raises:
        DataError: It is missing, or a row of it is no correction: the merged file would lack it.
    """
    corrections, refused = read_corrections(file, str(file))
    if refused:
        raise DataError(format_problem(refused[0]), "Mend the row first: a merged file would lack it.")
    return corrections
