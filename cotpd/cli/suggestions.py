"""`cotpd predict --to TOOL`: predictions in the file that an annotation tool imports as suggestions."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cotpd.annotation.annotated_posts import AnnotatedPost
from cotpd.annotation.json_lines import format_list, write_lines, write_list
from cotpd.annotation.suggestions import ToolName, build_suggestion, find_suggestion_format
from cotpd.cli.output import format_json, show, warn
from cotpd.counts import format_count
from cotpd.data.words import TextInWords
from cotpd.errors import ConfigError
from cotpd.scoring.batch_job import BatchJob
from cotpd.scoring.columns import ERROR
from cotpd.scoring.file_formats import STANDARD
from cotpd.scoring.row_predictions import BatchOptions
from cotpd.scoring.source_rows import SourceRow
from cotpd.scoring.text_sources import read_objects
from cotpd.student.prediction_input import PredictionInput
from cotpd.student.tasks import TaskName, find_task

if TYPE_CHECKING:
    from cotpd.scoring.scoring_model import ScoringModel


def print_suggestions(posts: Iterable[AnnotatedPost], tool: ToolName, *, with_relations: bool) -> None:
    """Print posts as a tool imports them, each as soon as it is predicted."""
    form = find_suggestion_format(tool, with_relations=with_relations)
    rows = (format_json(form.build(post)) for post in posts)
    for piece in format_list(rows) if form.is_list else (f"{row}\n" for row in rows):
        sys.stdout.write(piece)
        sys.stdout.flush()


def locate_in_text(row: PredictionInput, prediction: dict[str, Any]) -> dict[str, Any]:
    """Return a prediction whose spans count characters of the text, also where words were given."""
    changes: dict[str, Any] = {}
    if row.head and row.tail:
        changes = {"head": row.find_characters(row.head), "tail": row.find_characters(row.tail)}
    if prediction.get("entities") is not None:
        changes["entities"] = [_locate_mention(row, mention) for mention in prediction["entities"]]
    return prediction | changes


def _locate_mention(row: PredictionInput, mention: dict[str, Any]) -> dict[str, Any]:
    start, end = row.find_characters((mention["start"], mention["end"]))
    return mention | {"start": start, "end": end}


def add_content(values: dict[str, Any], row: PredictionInput) -> dict[str, Any]:
    """Return the values of a row with its text, and with its words if it gave them."""
    words = list(row.content.words) if isinstance(row.content, TextInWords) else None
    return values | {"text": row.text, "tokens": words}


def score_for_tool(
    source: str, output: str, options: BatchOptions, model: "ScoringModel", tool: ToolName, name: str
) -> None:
    """Score a file, and write its rows as a tool imports them; a killed run goes on where it stopped.

    Raises:
        ConfigError: The output is standard output, or exists.
    """
    path = Path(output)
    if output == STANDARD:
        raise ConfigError("--to writes a whole file", "Name it with --output, or give the posts with --file.")
    if path.exists() and not options.overwrite:
        raise ConfigError(f"{output}: exists", "Name another file, or say --overwrite.")
    rows_path = path.with_name(f"{path.name}.rows.jsonl")
    job = BatchJob(source, str(rows_path), replace(_keep_content(options, model.task), overwrite=True))
    result = job.run(model)
    form = find_suggestion_format(tool, with_relations=find_task(model.task).reads_pair)
    write = write_list if form.is_list else write_lines
    count = write(map(form.build, _iterate_suggestions(rows_path, job.options, model, name)), path)
    for leftover in (rows_path, rows_path.with_name(f"{rows_path.name}.meta.json")):
        leftover.unlink(missing_ok=True)
    if result.unreadable:
        warn(f"{format_count(result.unreadable, 'row')} left out, which could not be read: {result.quarantine}")
    show(f"{output}: {format_count(count, 'post')} of {source} with suggestions for {tool}")


def _keep_content(options: BatchOptions, task: TaskName) -> BatchOptions:
    """Return options that keep the columns which the model reads, too: the tool's file is made of them."""
    columns = options.columns
    if columns.keep is None:
        return options
    keep = tuple(dict.fromkeys([*columns.keep, *columns.list_read(task)]))
    return replace(options, columns=replace(columns, keep=keep))


def _iterate_suggestions(
    path: Path, options: BatchOptions, model: "ScoringModel", name: str
) -> Iterator[AnnotatedPost]:
    """Yield the scored rows of a file; those that could not be read are left out."""
    columns, prefix = options.columns, options.columns.prefix
    with path.open(encoding="utf-8") as lines:
        for number, (row, _) in enumerate(read_objects(lines), 1):
            values = dict(row.values)
            if values.get(f"{prefix}{ERROR}") is None:
                read = columns.read(model.task, SourceRow(values), number)
                prediction = {key.removeprefix(prefix): value for key, value in values.items()}
                yield build_suggestion(
                    add_content(values, read), locate_in_text(read, prediction), name, f"row-{number:05d}"
                )
