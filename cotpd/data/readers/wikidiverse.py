"""WikiDiverse: Wikinews captions with linked mentions, as one JSON list (or one row a line).

A row is [sentence, picture's address, topic, [[mention, type, start, end, link], ...]], as its repository says,
offsets in characters. Its fine types become the four of the Twitter sets by CoNLL's rule: persons, places,
organizations, and MISC for whatever else has a name. Fine types are counted, so that one which the rule puts into
MISC can be seen. Sentences are not tokenized in the release; cotpd.data.tokenization does it.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from cotpd.data.readers.file_format import Format, Rows, Source, attempt, refuse, refuse_overlaps
from cotpd.data.readers.offsets import Unit, find_tokens
from cotpd.data.readers.text_files import read_text
from cotpd.data.readers.values import (
    RowError,
    build_object,
    explain_json_error,
    parse_json,
    read_whole,
    show_value,
    writable,
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


def read(source: Source) -> Rows:
    """Read one split; see :class:`cotpd.data.readers.file_format.Format`."""
    for number, (line, row, problem) in enumerate(_rows(source), 1):
        post_id = f"{source.split}-{number:05d}"  # rows have no id; their number can be looked up
        if problem:
            yield refuse(source, line, row, problem, "Each row is one JSON list.", post_id)
        else:
            yield attempt(source, line, row, lambda r=row, n=line, i=post_id: _post(source, r, n, i), post_id)


def _rows(source: Source) -> Iterator[tuple[int, Any, str]]:
    """Line, value and problem of every row. In one big list nothing after a syntax error can be read.

    Raises:
        DataError: Such an error, or something stands behind the list.
    """
    text = read_text(source.path, source.name)
    at = _skip(text, 0)
    one_list = text[at : at + 1] == "[" and text[_skip(text, at + 1) : _skip(text, at + 1) + 1] in ("[", "]")
    if one_list:
        yield from _list_rows(source.name, text, _skip(text, at + 1))
    else:
        yield from _lines(text)


def _list_rows(name: str, text: str, at: int) -> Iterator[tuple[int, Any, str]]:
    line, counted = 1, 0
    decoder = json.JSONDecoder(object_pairs_hook=build_object)
    while text[at : at + 1] != "]":
        line, counted = line + text.count("\n", counted, at), at
        try:
            row, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            where = error.lineno if isinstance(error, json.JSONDecodeError) else line
            detail = error.reason if isinstance(error, RowError) else explain_json_error(error)
            raise DataError(f"{name}:{where}: not JSON: {detail}", "Mend the list there.") from None
        yield line, row, ""
        at = _skip(text, at)
        if text[at : at + 1] not in (",", "]") or not text[at:]:
            raise DataError(f"{name}:{_line_at(text, at)}: the list of rows breaks off", "Is the file complete?")
        if text[at] == ",":
            at = _skip(text, at + 1)
    _refuse_rest(name, text, _skip(text, at + 1))


def _refuse_rest(name: str, text: str, at: int) -> None:
    """Refuse what stands behind the list: two files put together would lose the second."""
    if text[at:]:
        second = "a second list begins" if text[at] == "[" else f"{text[at : at + 20]!r} stands"
        raise DataError(
            f"{name}:{_line_at(text, at)}: {second} behind the end of the list",
            "Write one list: put a comma in place of the brackets between the two.",
        )


def _line_at(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _lines(text: str) -> Iterator[tuple[int, Any, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, parse_json(line), ""
            except RowError as bad:
                yield number, line, bad.reason


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _post(source: Source, row: Any, line: int, post_id: str) -> Post:
    if not isinstance(row, list) or len(row) < 4 or not isinstance(row[3], list):
        raise RowError(
            "the row is not [sentence, picture's address, topic, mentions]",
            "Use the release with one row a sentence, not the one with a row a mention.",
        )
    sentence, url = row[0], row[1]
    if not isinstance(sentence, str) or not sentence.strip():
        raise RowError("the sentence is empty", "Remove the row.")
    tokens = tokenize(sentence)
    fine: list[str] = []
    entities = [_entity(sentence, tokens, mention, source.unit, fine) for mention in row[3]]
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
    source.counts.update(f"fine_type:{writable(name)}" for name in fine)
    return post


def _entity(sentence: str, tokens: list[Token], mention: Any, unit: Unit, fine: list[str]) -> Entity:
    if not isinstance(mention, list) or len(mention) < 4 or not isinstance(mention[0], str):
        raise RowError("a mention is not [text, type, start, end, link]", "Mend the mention.")
    surface, kind = mention[:2]
    start, end = read_whole(mention[2], "start"), read_whole(mention[3], "end")
    if not isinstance(kind, str) or not kind.strip():
        raise RowError(f"mention {show_value(surface)} has no type", "Add it.")
    first, last = find_tokens(sentence, tokens, (start, end), surface, unit)
    fine.append(kind)
    return Entity(start=first, end=last, type=COARSE.get(kind.strip().lower(), "MISC"))


def looks_like(head: list[str]) -> bool:
    """Whether one of the first lines opens a list that begins with a sentence; the very first may be damaged."""
    compact = "".join("".join(head).split())
    return compact.startswith(('[["', '["')) or any(re.match(r'\s*\[?\s*\["', line) for line in head)


FORMAT = Format(
    name="wikidiverse",
    title="WikiDiverse: {train,valid,test}.json, a list of sentences with linked mentions",
    suffix=".json",
    looks_like=looks_like,
    read=read,
    example=EXAMPLE,
)
