"""`cotpd predict`: ask a student about posts given as arguments, in a file, or on standard input."""

import gzip
import json
import queue
import sys
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from cotpd.config import load_params
from cotpd.errors import ConfigError, DataError

if TYPE_CHECKING:
    from rich.text import Text

Row = dict[str, Any]
COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")


def predict(
    texts: Annotated[list[str] | None, typer.Argument(help="Posts.", show_default=False)] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="A folder, models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN/student; else the challenger."
        ),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(
            help="One post a line, or JSON Lines with text (head, tail) if named .jsonl; .gz too; - reads stdin."
        ),
    ] = None,
    head: Annotated[str | None, typer.Option(help="Relations: the first mention, as the text has it.")] = None,
    tail: Annotated[str | None, typer.Option(help="Relations: the second mention.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON Lines instead of marked text.")] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Posts at a time.")] = 32,
) -> None:
    """Find the named entities of posts, or the relation of a pair, with a trained student.

    \b
    Examples:
      cotpd predict "Eileen Collins waves from the pad at Kennedy Space Center"
      cotpd predict --model models/baseline "Hopper invented the bug"
      cotpd predict --file posts.txt --json > found.jsonl
      tail -f stream.txt | cotpd predict --file -
      cotpd predict --head "Collins" --tail "NASA" "Collins leaves NASA after 16 years"
    """
    rows = read_rows(texts or [], file, head, tail)
    from cotpd.models import folder_of

    folder = folder_of(chosen(model))  # a wrong name costs no import of torch
    from cotpd.registry.rows import predict_rows
    from cotpd.student import Student
    from cotpd.student.student import LOOK_AHEAD

    student = Student.from_pretrained(folder)
    done = 0
    for batch in _batches(rows, batch_size * LOOK_AHEAD):
        answers = predict_rows(student, batch, first=done + 1, batch_size=batch_size)
        for row, found in zip(batch, answers, strict=True):
            _print(row, found, as_json)
        done += len(batch)


def chosen(model: str | None) -> str:
    """The model asked for, or the challenger of params.yaml."""
    if model is not None:
        return model
    params = load_params()
    return f"models:/{params.registered_name}@{params.register_.alias}"


def read_rows(texts: Sequence[str], file: str | None, head: str | None, tail: str | None) -> Iterable[Row]:
    """Rows with text, and head and tail where they are given or stand in the file, read as they are asked for."""
    if bool(texts) == (file is not None):
        raise ConfigError("nothing to predict, or too much", "Give posts as arguments, or --file, not both.")
    pair = {name: mention for name, mention in (("head", head), ("tail", tail)) if mention is not None}
    if file is None:
        return [{"text": text, **pair} for text in texts]
    return ({**pair, **row} for row in _read(file))


def _read(file: str) -> Iterator[Row]:
    if file == "-":
        yield from _parsed(sys.stdin, "standard input", False)
        return
    try:
        with _opened(Path(file)) as lines:
            yield from _parsed(lines, file, file.removesuffix(".gz").endswith(".jsonl"))
    except FileNotFoundError:
        raise DataError(f"{file}: there is no such file", "Name a text file, one post a line.") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{file}: damaged: {error}", "Compress it again.") from None
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}", "Name a text file, one post a line.") from None


def _opened(file: Path) -> IO[str]:
    return gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8")


def _parsed(lines: IO[str], name: str, is_json: bool) -> Iterator[Row]:
    try:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            row = json.loads(line) if is_json or line.startswith('{"text"') else {"text": line.strip()}
            if not isinstance(row, dict):
                raise DataError(f"{name}:{number}: not a JSON object", 'Write {"text": "..."} on each line.')
            if not isinstance(row.get("text"), str):
                raise DataError(
                    f"{name}:{number}: no text, or not a string", 'Write {"text": "..."} on each line.'
                )
            yield row
    except UnicodeDecodeError:
        raise DataError(f"{name}: not UTF-8", "Convert it to UTF-8.") from None
    except json.JSONDecodeError as error:
        raise DataError(f"{name}:{number}: not JSON: {error.msg}", 'Write {"text": "..."} on each line.') from None


def _batches(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Batches of what has arrived: full ones from a file, single rows as they come from somebody who types."""
    arrived: queue.Queue[Row | BaseException | None] = queue.Queue(maxsize=4 * size)

    def read() -> None:
        try:
            for row in rows:
                arrived.put(row)
            arrived.put(None)
        except BaseException as error:  # re-raised in the reader of the queue
            arrived.put(error)

    threading.Thread(target=read, daemon=True).start()
    while True:
        batch: list[Row] = []
        item = arrived.get()
        while isinstance(item, dict):
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


def _print(row: Row, found: Row, as_json: bool) -> None:
    if as_json:
        print(_json_line(row | found, sys.stdout.encoding), flush=True)
        return
    from rich.console import Console

    line = marked(row, found)
    line.plain = _printable(line.plain)
    Console(highlight=False).print(line, soft_wrap=True)


def _json_line(row: Row, encoding: str) -> str:
    """JSON as it is read best, or in ASCII where the output cannot hold it, such as half of a surrogate pair."""
    line = json.dumps(row, ensure_ascii=False)
    try:
        line.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(row)
    return line


def _printable(text: str) -> str:
    """The text with a mark for each half of a surrogate pair, in as many characters."""
    return text.encode("utf-8", "replace").decode()


def marked(row: Row, found: Row) -> "Text":
    """A prediction for the terminal: ``[mention TYPE 0.98]`` in the text, or the relation behind it."""
    from rich.text import Text

    text, line, at = row["text"], Text(), 0
    for one in found.get("entities", ()):
        line.append(text[at : one["start"]])
        style = COLOURS[sum(map(ord, one["type"])) % len(COLOURS)]  # the same colour in every run
        line.append(f"[{one['text']} {one['type']} {one['score']:.2f}]", style=f"bold {style}")
        at = one["end"]
    line.append(text[at:])
    if "label" in found:
        line.append(f"  {row['head']} → {row['tail']}: {found['label']} {found['score']:.2f}", style="bold cyan")
    return line
