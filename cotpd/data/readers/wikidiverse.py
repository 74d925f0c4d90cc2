"""WikiDiverse: Wikinews captions with linked mentions, as one JSON list (or one row a line).

A row is [sentence, picture's address, topic, [[mention, type, start, end, link], ...]], as its repository says,
offsets in characters. Its fine types become the four of the Twitter sets by CoNLL's rule: persons, places,
organizations, and MISC for whatever else has a name. Fine types are counted, so that one which the rule puts into
MISC can be seen. Sentences are not tokenized in the release; cotpd.data.text does it.
"""

import json
from collections.abc import Iterator
from typing import Any

from cotpd.data.readers.base import Format, RowError, Rows, Source, attempt, read_text, refuse, refuse_overlaps
from cotpd.data.readers.jsonl import to_token_span
from cotpd.data.records import Entity, Post
from cotpd.data.text import tokenize
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
    """Read one split; see :class:`cotpd.data.readers.base.Format`."""
    for number, (line, row, problem) in enumerate(_rows(source), 1):
        post_id = f"{source.split}-{number:05d}"  # rows have no id; their number can be looked up
        if problem:
            yield refuse(source, line, row, problem, "Each row is one JSON list.", post_id)
        else:
            yield attempt(source, line, row, lambda r=row, n=line, i=post_id: _post(source, r, n, i), post_id)


def _rows(source: Source) -> Iterator[tuple[int, Any, str]]:
    """Line, value and problem of every row. In one big list nothing after a syntax error can be read.

    Raises:
        DataError: Such an error.
    """
    text = read_text(source.path, source.name)
    at = _skip(text, 0)
    one_list = text[at : at + 1] == "[" and text[_skip(text, at + 1) : _skip(text, at + 1) + 1] in ("[", "]")
    if not one_list:
        yield from _lines(text)
        return
    at, line, counted = _skip(text, at + 1), 1, 0
    decoder = json.JSONDecoder()
    while text[at : at + 1] != "]":
        line, counted = line + text.count("\n", counted, at), at
        try:
            row, at = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError) as error:
            where = error.lineno if isinstance(error, json.JSONDecodeError) else line
            raise DataError(f"{source.name}:{where}: not JSON: {error}", "Mend the list there.") from None
        yield line, row, ""
        at = _skip(text, at)
        if text[at : at + 1] not in (",", "]"):
            where = text.count("\n", 0, at) + 1
            raise DataError(f"{source.name}:{where}: the list of rows breaks off", "Is the file complete?")
        if text[at] == ",":
            at = _skip(text, at + 1)


def _lines(text: str) -> Iterator[tuple[int, Any, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line), ""
            except (ValueError, RecursionError) as error:
                yield number, line, f"not JSON: {error}"


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
    entities = [_entity(sentence, tokens, mention, fine) for mention in row[3]]
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
    source.counts.update(f"fine_type:{name}" for name in fine)
    return post


def _entity(sentence: str, tokens: list[Any], mention: Any, fine: list[str]) -> Entity:
    try:
        surface, kind, start, end = mention[:4]
        start, end = int(start), int(end)
    except (TypeError, ValueError, KeyError, OverflowError):
        raise RowError("a mention is not [text, type, start, end, link]", "Mend the mention.") from None
    if not isinstance(kind, str) or not kind:
        raise RowError(f"mention {surface!r} has no type", "Add it.")
    if sentence[max(start, 0) : max(end, 0)] != surface:
        raise RowError(f"characters {start}:{end} are not the mention {surface!r}", "Mend start and end.")
    first, last = to_token_span(tokens, start, end)
    fine.append(kind)
    return Entity(start=first, end=last, type=COARSE.get(kind.strip().lower(), "MISC"))


def looks_like(head: list[str]) -> bool:
    """The first characters open a list whose first row is a list that begins with a sentence."""
    compact = "".join("".join(head).split())
    return compact.startswith(('[["', '["'))


FORMAT = Format(
    name="wikidiverse",
    title="WikiDiverse: {train,valid,test}.json, a list of sentences with linked mentions",
    suffix=".json",
    looks_like=looks_like,
    read=read,
    example=EXAMPLE,
)
