"""WikiDiverse: Wikinews captions with linked mentions, as one JSON list (or one row a line).

A row is [sentence, picture's address, topic, [[mention, type, start, end, link], ...]], as its repository says,
offsets in characters. Its fine types become the four of the Twitter sets by CoNLL's rule: persons, places,
organizations, and MISC for every other name. Fine types are counted, so that a user sees which of them became
MISC. Sentences are not tokenized in the release; cotpd.data.tokenization does it.
"""

import re
from functools import partial
from typing import Any

from cotpd.data.readers.file_format import Format, Rows, Source, build_or_refuse, refuse_row
from cotpd.data.readers.json_shapes import name_json_format
from cotpd.data.readers.json_values import iterate_json_rows
from cotpd.data.readers.nesting import resolve_nesting
from cotpd.data.readers.offsets import Unit, find_tokens
from cotpd.data.readers.values import RowError, make_writable, read_whole, show_value
from cotpd.data.records import Entity, Post
from cotpd.data.tokenization import Token, tokenize

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
    for number, row in enumerate(iterate_json_rows(source.path, source.name), 1):
        post_id = source.name_row(number)  # rows have no id; their number can be looked up
        if row.fault:
            error = RowError(row.fault, "Each row is one JSON list.")
            yield refuse_row(source, row.line, row.value, error, post_id, row.item)
        else:
            build = partial(_build_post, source, row.value, row.line, post_id)
            yield build_or_refuse(source, row.line, row.value, build, post_id, row.item)


def _build_post(source: Source, row: Any, line: int, post_id: str) -> Post:
    if not isinstance(row, list) or len(row) < 4 or not isinstance(row[3], list):
        raise RowError(
            "the row is not [sentence, picture's address, topic, mentions]",
            "Use the release with one row a sentence, not the one with a row a mention.",
        )
    sentence, url = row[0], row[1]
    if not isinstance(sentence, str) or not sentence.strip():
        raise RowError("the sentence is empty", "Remove the row.")
    tokens = tokenize(sentence, source.rule)
    entities = [_build_entity(sentence, tokens, mention, source.unit) for mention in row[3]]
    entities = resolve_nesting(
        entities, source, lambda entity: sentence[tokens[entity.start].start : tokens[entity.end - 1].end]
    )
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
    if name_json_format(head) not in ("wikidiverse", ""):
        return False
    compact = "".join("".join(head).split())
    return compact.startswith(('[["', '["')) or any(re.match(r'\s*\[?\s*\["', line) for line in head)


FORMAT = Format(
    name="wikidiverse",
    title="WikiDiverse: {train,valid,test}.json, a list of sentences with linked mentions",
    suffixes=(".json",),
    is_format_of=is_format_of,
    read=read,
    example=EXAMPLE,
)
