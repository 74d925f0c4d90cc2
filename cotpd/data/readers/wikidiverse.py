"""WikiDiverse: Wikinews captions with linked mentions, as one JSON list (or one row a line).

A row is [sentence, picture's address, topic, [[mention, type, start, end, link], ...]], as its repository says,
offsets in characters. Its fine types become the four of the Twitter sets by CoNLL's rule: persons, places,
organizations, and MISC for every other name. Fine types are counted, so that a user sees which of them became
MISC. Sentences are not tokenized in the release; cotpd.data.tokenization does it.
"""

import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from cotpd.data.readers.file_format import Format, Rows, Source, build_or_refuse, refuse_overlaps, refuse_row
from cotpd.data.readers.offsets import Unit, find_tokens
from cotpd.data.readers.text_files import read_text
from cotpd.data.readers.values import (
    RowError,
    build_object,
    explain_json_error,
    make_writable,
    parse_json,
    read_whole,
    show_value,
)
from cotpd.data.records import Entity, Post
from cotpd.data.tokenization import Token, tokenize
from cotpd.errors import DataError

COARSE = {
    "person": "PER",
    "people": "PER",
    "location": "LOC",
    "place": "LOC",
    "country": "LOC",
    "city": "LOC",
    "building": "LOC",
    "facility": "LOC",
    "nature": "LOC",
    "organization": "ORG",
    "organisation": "ORG",
    "company": "ORG",
}
EXAMPLE = """\
[["Ada visits London.", "https://upload.example.org/ada.jpg", "science",
  [["Ada", "Person", 0, 3, "https://en.wikipedia.org/wiki/Ada_Lovelace"]]], ...]"""


class RawRow(NamedTuple):
    """A row of the file, its cells not checked yet; ``fault`` says why it could not be parsed, or is empty."""

    line: int
    value: Any
    fault: str = ""


def read(source: Source) -> Rows:
    """Read one split; see :class:`cotpd.data.readers.file_format.Format`."""
    for number, row in enumerate(_iterate_rows(source), 1):
        post_id = f"{source.split}-{number:05d}"  # rows have no id; their number can be looked up
        if row.fault:
            error = RowError(row.fault, "Each row is one JSON list.")
            yield refuse_row(source, row.line, row.value, error, post_id)
        else:
            build = partial(_build_post, source, row.value, row.line, post_id)
            yield build_or_refuse(source, row.line, row.value, build, post_id)


def _iterate_rows(source: Source) -> Iterator[RawRow]:
    """Yield the rows of a file that is one big list, or has a row on each line.

    Raises:
        DataError: The one list has a syntax error, behind which no row can be read, or is not the whole file.
    """
    text = read_text(source.path, source.name)
    start = _skip_space(text, 0)
    inner = _skip_space(text, start + 1)
    if text[start : start + 1] == "[" and text[inner : inner + 1] in ("[", "]"):
        yield from _iterate_list(source.name, text, inner)
    else:
        yield from _iterate_lines(text)


def _iterate_list(name: str, text: str, position: int) -> Iterator[RawRow]:
    """Yield the rows of one big list; ``position`` is that of the first row."""
    line, counted = 1, 0  # line ends are counted once, up to each row in turn: the file may be long
    decoder = json.JSONDecoder(object_pairs_hook=build_object)
    while text[position : position + 1] != "]":
        line, counted = line + text.count("\n", counted, position), position
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            where = error.lineno if isinstance(error, json.JSONDecodeError) else line
            detail = error.reason if isinstance(error, RowError) else explain_json_error(error)
            raise DataError(f"{name}:{where}: not JSON: {detail}", "Mend the list there.") from None
        yield RawRow(line, value)
        position = _skip_separator(name, text, position)
    _refuse_second_list(name, text, _skip_space(text, position + 1))


def _skip_separator(name: str, text: str, position: int) -> int:
    """Return the position of the next row, or of the list's end."""
    position = _skip_space(text, position)
    sign = text[position : position + 1]
    if sign not in (",", "]"):
        where = _find_line(text, position)
        raise DataError(f"{name}:{where}: the list of rows breaks off", "Is the file complete?")
    return _skip_space(text, position + 1) if sign == "," else position


def _refuse_second_list(name: str, text: str, position: int) -> None:
    """Refuse text behind the list: of two files put together, the second would be lost."""
    if text[position:]:
        second = "a second list begins" if text[position] == "[" else f"{text[position : position + 20]!r} stands"
        raise DataError(
            f"{name}:{_find_line(text, position)}: {second} behind the end of the list",
            "Write one list: put a comma in place of the brackets between the two.",
        )


def _find_line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _iterate_lines(text: str) -> Iterator[RawRow]:
    """Yield the row of each line that is not blank."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield RawRow(number, parse_json(line))
            except RowError as error:
                yield RawRow(number, line, error.reason)


def _skip_space(text: str, position: int) -> int:
    """Return the first position that is no white space of JSON."""
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _build_post(source: Source, row: Any, line: int, post_id: str) -> Post:
    if not isinstance(row, list) or len(row) < 4 or not isinstance(row[3], list):
        raise RowError(
            "the row is not [sentence, picture's address, topic, mentions]",
            "Use the release with one row a sentence, not the one with a row a mention.",
        )
    sentence, url = row[0], row[1]
    if not isinstance(sentence, str) or not sentence.strip():
        raise RowError("the sentence is empty", "Remove the row.")
    tokens = tokenize(sentence)
    entities = [_build_entity(sentence, tokens, mention, source.unit) for mention in row[3]]
    refuse_overlaps(entities, lambda entity: sentence[tokens[entity.start].start : tokens[entity.end - 1].end])
    post = Post(
        id=post_id,
        text=sentence,
        tokens=tuple(token.text for token in tokens),
        offsets=tuple((token.start, token.end) for token in tokens),
        image=url if isinstance(url, str) and url else None,
        entities=tuple(sorted(entities, key=lambda entity: entity.start)),
        file=source.name,
        line=line,
    )
    source.counts.update(f"fine_type:{make_writable(mention[1])}" for mention in row[3])
    return post


def _build_entity(sentence: str, tokens: list[Token], mention: Any, unit: Unit) -> Entity:
    """Build an entity with its coarse type."""
    if not isinstance(mention, list) or len(mention) < 4 or not isinstance(mention[0], str):
        raise RowError("a mention is not [text, type, start, end, link]", "Mend the mention.")
    surface, fine_type = mention[:2]
    span = read_whole(mention[2], "start"), read_whole(mention[3], "end")
    if not isinstance(fine_type, str) or not fine_type.strip():
        raise RowError(f"mention {show_value(surface)} has no type", "Add it.")
    start, end = find_tokens(sentence, tokens, span, surface, unit)
    return Entity(start=start, end=end, type=COARSE.get(fine_type.strip().lower(), "MISC"))


def is_format_of(head: list[str]) -> bool:
    """Whether one of the first lines opens a list that begins with a sentence; the very first may be damaged."""
    compact = "".join("".join(head).split())
    return compact.startswith(('[["', '["')) or any(re.match(r'\s*\[?\s*\["', line) for line in head)


FORMAT = Format(
    name="wikidiverse",
    title="WikiDiverse: {train,valid,test}.json, a list of sentences with linked mentions",
    suffix=".json",
    is_format_of=is_format_of,
    read=read,
    example=EXAMPLE,
)
