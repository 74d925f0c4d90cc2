"""`cotpd predict`: ask a student about posts given as arguments, in a file, or on standard input."""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from cotpd.cli.options import Device, File, Head, IsJson, ModelName, Tail, Texts
from cotpd.cli.output import console, json_line, make_printable, warn
from cotpd.cli.posts import Row, read_posts
from cotpd.config import load_params
from cotpd.errors import ConfigError
from cotpd.escaping import make_printable_line

if TYPE_CHECKING:
    from rich.text import Text

    from cotpd.student.prediction_input import Asked
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
) -> None:
    """Find the named entities of posts, or the relation of a pair.

    \b
    Examples:
      cotpd predict "Eileen Collins waves from the pad at Kennedy Space Center"
      cotpd predict --model models/baseline "Hopper invented the bug"
      cotpd predict --file posts.txt --json > found.jsonl
      tail -f stream.txt | cotpd predict --plain --file -
      cotpd predict --head "Collins" --tail "NASA" "Collins leaves NASA after 16 years"
    """
    posts = read_posts(texts or [], file, head, tail, is_json)
    from cotpd.registry.model_address import find_student_folder

    folder = find_student_folder(chosen(model))  # a wrong name costs no import of torch
    from cotpd.student import Student
    from cotpd.student.prediction_input import answer, read_row
    from cotpd.student.student import LOOK_AHEAD

    student, out = Student.from_pretrained(folder, device), console()
    task = student.labels.task
    require_relations(task, head, tail)
    read = ((post, read_row(task, post.row, post.where)) for post in posts)  # a bad row ends what is behind it
    for batch in batches(read, batch_size * LOOK_AHEAD):
        answers = answer(student, [asked for _, asked in batch], batch_size)
        for (post, asked), found in zip(batch, answers, strict=True):
            if as_json:
                print(json_line(post.row | found, post.where), flush=True)
            else:
                out.print(marked(asked, found), soft_wrap=True)


def chosen(model: str | None) -> str:
    """The model asked for, or the challenger of params.yaml, with a warning if it is not of the outputs here."""
    if model is not None:
        return model
    from cotpd.registry.agreement import find_disagreement

    params = load_params()
    if disagreement := find_disagreement(params.registered_name, params.register_):
        warn(f"warning: {disagreement}")
    return f"models:/{params.registered_name}@{params.register_.alias}"


def require_relations(task: "TaskName", head: str | None, tail: str | None) -> None:
    """Refuse a pair that a model would not look at.

    Raises:
        ConfigError: Head or tail is given, and the model finds entities.
    """
    from cotpd.student.tasks import find_task

    if not find_task(task).reads_pair and (head is not None or tail is not None):
        raise ConfigError(
            "--head and --tail ask for a relation, and this model finds named entities",
            "Leave them out, or name a model of relations with --model.",
        )


def batches(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """Batches of what has arrived: full ones from a file, single rows as they come from somebody who types.

    What stands before an error is handed out before the error is raised.
    """
    arrived: queue.Queue[T | BaseException | None] = queue.Queue(maxsize=4 * size)

    def read() -> None:
        try:
            for row in rows:
                arrived.put(row)
            arrived.put(None)
        except BaseException as error:  # re-raised in the reader of the queue
            arrived.put(error)

    threading.Thread(target=read, daemon=True).start()
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


def marked(asked: "Asked", found: Row) -> "Text":
    """A prediction for the terminal: ``[mention TYPE 0.98]`` in the text, or the relation behind it."""
    from rich.text import Text

    text, line, at = make_printable(asked.text), Text(), 0  # a mark for each control character, so offsets hold
    for one in found.get("entities", ()):
        line.append(text[at : one["start"]])
        style = COLOURS[sum(map(ord, one["type"])) % len(COLOURS)]  # the same colour in every run
        mention = text[one["start"] : one["end"]]
        line.append(f"[{mention} {make_printable_line(one['type'])} {one['score']:.2f}]", style=f"bold {style}")
        at = one["end"]
    line.append(text[at:])
    if asked.head and asked.tail:
        head, tail = text[slice(*asked.head)], text[slice(*asked.tail)]
        line.append(
            f"  {head} → {tail}: {make_printable_line(found['label'])} {found['score']:.2f}", style="bold cyan"
        )
    return line
