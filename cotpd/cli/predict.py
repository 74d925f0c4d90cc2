"""`cotpd predict`: ask a student about posts given as arguments, in a file or on a pipe, or score a whole file."""

import queue
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.text import Text

from cotpd.annotation.annotated_posts import AnnotatedPost
from cotpd.annotation.suggestions import build_suggestion
from cotpd.cli.batch_scoring import BatchArguments, refuse_posts, score_batch
from cotpd.cli.options import (
    Backend,
    Device,
    EngineName,
    File,
    Head,
    HeadColumn,
    Input,
    IsJson,
    Keep,
    ModelName,
    Output,
    Overwrite,
    Prefix,
    Restart,
    Strict,
    Tail,
    TailColumn,
    TextColumn,
    Texts,
    To,
)
from cotpd.cli.output import build_console, make_printable, show_row, warn
from cotpd.cli.posts import PostRow, Row, count_lines, read_posts
from cotpd.cli.suggestions import add_content, locate_in_text, print_suggestions
from cotpd.config import load_params
from cotpd.errors import ConfigError
from cotpd.escaping import make_printable_line
from cotpd.inference.loading import load_predictor
from cotpd.pipeline.workspace import Workspace
from cotpd.progress import Progress
from cotpd.registry.agreement import find_disagreement
from cotpd.registry.model_address import find_student_folder
from cotpd.student.prediction_input import PredictionInput, predict_inputs, read_input
from cotpd.student.predictor import LOOK_AHEAD
from cotpd.student.tasks import find_task

if TYPE_CHECKING:
    from cotpd.student.predictor import Predictor
    from cotpd.student.tasks import TaskName

T = TypeVar("T")
COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")


def predict(
    texts: Texts = None,
    model: ModelName = None,
    file: File = None,
    is_json: IsJson = None,
    head: Head = None,
    tail: Tail = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON Lines instead of marked text.")] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Posts at a time.")] = 32,
    device: Device = "auto",
    backend: Backend = "auto",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say what runs the model.")] = False,
    source: Input = None,
    output: Output = None,
    text_column: TextColumn = None,
    head_column: HeadColumn = None,
    tail_column: TailColumn = None,
    keep: Keep = None,
    prefix: Prefix = None,
    overwrite: Overwrite = False,
    restart: Restart = False,
    strict: Strict = False,
    to: To = None,
    engine: EngineName = None,
) -> None:
    """Find the named entities of posts, or label a pair or a post.

    \b
    Examples:
      cotpd predict "Eileen Collins waves from the pad at Kennedy Space Center"
      cotpd predict --model models/baseline "Hopper invented the bug"
      cotpd predict --file posts.txt --json > found.jsonl
      tail -f stream.txt | cotpd predict --plain --file -
      cotpd predict --head "Collins" --tail "NASA" "Collins leaves NASA after 16 years"
      cotpd predict --input posts.parquet --output spans.parquet
      cotpd predict --file posts.txt --to label-studio > tasks.json
    """
    batch = BatchArguments(
        source, output, text_column, head_column, tail_column, keep, prefix, overwrite, restart, strict, engine
    )
    if batch.are_given():
        refuse_posts(**{"posts": texts, "--file": file, "--json": as_json, "--head": head, "--tail": tail})
        score_batch(batch, choose_model(model), backend, device, batch_size, collect_batches, to)
        return
    posts = read_posts(texts or [], file, head, tail, is_json)
    model = choose_model(model)
    folder = find_student_folder(model)
    student = load_predictor(folder, backend, device)
    if verbose:
        warn(f"{folder} runs on {student.backend}")
    refuse_pair(student.labels.task, head, tail)
    total = count_lines(file) if file and not sys.stdout.isatty() else None
    with Progress("predict", total, show=total is not None) as progress:
        if to is not None:
            suggestions = iterate_suggestions(student, posts, batch_size, model, progress.advance)
            print_suggestions(suggestions, to, with_relations=student.labels.definition.reads_pair)
            return
        print_predictions(student, posts, batch_size, as_json=as_json, advance=progress.advance)


def iterate_suggestions(
    student: "Predictor", posts: Iterable[PostRow], batch_size: int, model: str, advance: Callable[[int], None]
) -> Iterator[AnnotatedPost]:
    """Yield each post with its prediction as a suggestion, as soon as its batch is predicted."""
    for batch in iterate_predictions(student, posts, batch_size):
        for post, row, prediction in batch:
            content = add_content(dict(post.row), row)
            yield build_suggestion(content, locate_in_text(row, prediction), model, post.where)
        advance(len(batch))


def iterate_predictions(
    student: "Predictor", posts: Iterable[PostRow], batch_size: int
) -> Iterator[list[tuple[PostRow, PredictionInput, Row]]]:
    """Yield posts with what was read of them and their predictions, a batch at a time."""
    inputs = ((post, read_input(student.labels.task, post.row, post.where)) for post in posts)
    for batch in collect_batches(inputs, batch_size * LOOK_AHEAD):
        predictions = predict_inputs(student, [row for _, row in batch], batch_size)
        yield [(post, row, prediction) for (post, row), prediction in zip(batch, predictions, strict=True)]


def print_predictions(
    student: "Predictor",
    posts: Iterable[PostRow],
    batch_size: int,
    *,
    as_json: bool,
    advance: Callable[[int], None],
) -> None:
    """Print each post with its predictions, marked or as JSON, as soon as its batch is predicted.

    Args:
        student: Predicts.
        posts: The posts, which may still be arriving.
        batch_size: Posts that the student reads at a time.
        as_json: Whether to print JSON Lines.
        advance: Called with the number of posts that were printed.
    """
    console = build_console()
    for batch in iterate_predictions(student, posts, batch_size):
        for post, row, prediction in batch:
            if as_json:
                show_row(post.row | prediction, post.where)
            else:
                console.print(mark_prediction(row, prediction), soft_wrap=True)
        advance(len(batch))


def choose_model(model: str | None) -> str:
    """Return the model asked for, or the challenger of params.yaml.

    It warns if the challenger is not the student that lies in the output folders here.
    """
    if model is not None:
        return model
    if not Path("params.yaml").exists():
        raise ConfigError(
            f"no model is named, and {Path.cwd()} holds no params.yaml, whose registered student is the default",
            "Name one: --model FOLDER or --model models:/NAME@ALIAS; or run it in the project's folder.",
        )
    params = load_params()
    if disagreement := find_disagreement(Workspace().registered, params.registered_name, params.register_):
        warn(f"warning: {disagreement}")
    return f"models:/{params.registered_name}@{params.register_.alias}"


def refuse_pair(task: "TaskName", head: str | None, tail: str | None) -> None:
    """Refuse a head or tail that the model would ignore.

    Raises:
        ConfigError: Head or tail is given, and the model reads no pairs.
    """
    definition = find_task(task)
    if not definition.reads_pair and (head is not None or tail is not None):
        raise ConfigError(
            f"--head and --tail ask for a relation, and this model is one of {definition.title.lower()}",
            "Leave them out, or name a model of relations with --model.",
        )


def collect_batches(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the rows that have arrived: full batches from a file, single rows from a person who types.

    Rows before an error are yielded before the error is raised. A thread reads, so that the student predicts
    while the next rows arrive.
    """
    arrived: queue.Queue[T | BaseException | None] = queue.Queue(maxsize=4 * size)
    threading.Thread(target=_fill_queue, args=(rows, arrived), daemon=True).start()
    while True:
        batch: list[T] = []
        item = arrived.get()
        while item is not None and not isinstance(item, BaseException):
            batch.append(item)
            if len(batch) == size or arrived.empty():
                break
            item = arrived.get()

        if batch:
            yield batch
        if isinstance(item, BaseException):
            raise item
        if item is None:
            return


def _fill_queue(rows: Iterable[T], arrived: "queue.Queue[T | BaseException | None]") -> None:
    """Put each row into a queue, then None, or the error that ended the rows."""
    try:
        for row in rows:
            arrived.put(row)
        arrived.put(None)
    except BaseException as error:  # raised again by the thread that reads the queue, or it would wait for ever
        arrived.put(error)


def mark_prediction(row: PredictionInput, prediction: Row) -> Text:
    """Format a prediction for the terminal: ``[mention TYPE 0.98]`` in the text, or the label behind it."""
    text = make_printable(row.text)  # one mark for each control character: offsets still hold
    line, position = Text(), 0
    for entity in prediction.get("entities", ()):
        (start, end), label = row.find_characters((entity["start"], entity["end"])), entity["type"]
        colour = COLOURS[sum(map(ord, label)) % len(COLOURS)]  # the same in every run
        line.append(text[position:start])
        line.append(
            f"[{text[start:end]} {make_printable_line(label)} {entity['score']:.2f}]", style=f"bold {colour}"
        )
        position = end
    line.append(text[position:])

    if prediction.get("label") is not None:
        pair = [text[slice(*row.find_characters(span))] for span in (row.head, row.tail) if span]
        subject = f"{' → '.join(pair)}: " if pair else ""
        label = make_printable_line(prediction["label"])
        line.append(f"  {subject}{label} {prediction['score']:.2f}", style="bold cyan")
    return line
