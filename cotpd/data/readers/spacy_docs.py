"""spaCy's documents: `.spacy` files where spaCy is installed, and JSON (Doc.to_json, spaCy 2, pairs).

Tokens of blanks alone, which spaCy makes of doubled spaces and line ends, are no words and are left out.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, count
from typing import Any

from cotpd.data.readers.file_format import Format, Rows, Source
from cotpd.data.readers.json_posts import read_rows
from cotpd.data.readers.json_shapes import name_json_format
from cotpd.data.readers.json_values import RawRow, iterate_json_rows
from cotpd.data.readers.raw_posts import RawMention, RawPost, RawRelation, build_post
from cotpd.data.readers.tagged_posts import read_row_id
from cotpd.data.readers.values import RowError, read_whole, show_value
from cotpd.data.records import Post
from cotpd.data.tag_schemes import TagReader
from cotpd.data.tokenization import tokenize
from cotpd.errors import DataError

BINARY = ".spacy"
EXAMPLE = """\
[{"text": "Ada visits London",
  "ents": [{"start": 0, "end": 3, "label": "PER"}, {"start": 11, "end": 17, "label": "LOC"}],
  "tokens": [{"id": 0, "start": 0, "end": 3}, {"id": 1, "start": 4, "end": 10},
             {"id": 2, "start": 11, "end": 17}]}, ...]
                      <- doc.to_json(); also train.spacy (DocBin.to_disk) where spaCy is installed, the JSON of
                         spaCy 2, and ["text", {"entities": [[0, 3, "PER"]]}]"""


def read(source: Source) -> Rows:
    """Read one split; see :class:`cotpd.data.readers.file_format.Format`."""
    rows = _iterate_binary(source) if source.path.suffix == BINARY else _iterate_documents(source)
    yield from read_rows(source, "spacy", enumerate(rows, 1), _build_post, "Write the file again.")


def _iterate_binary(source: Source) -> Iterator[RawRow]:
    """Yield the documents of a DocBin as JSON.

    Raises:
        DataError: spaCy is not installed, or the file is damaged.
    """
    try:
        import spacy  # noqa: PLC0415  of an extra
        from spacy.tokens import DocBin  # noqa: PLC0415
    except ModuleNotFoundError:
        raise DataError(
            f"{source.name}: a file of spaCy's, which is not installed here",
            "Install it (pip install 'cotpd[spacy]'), or write the documents as JSON: doc.to_json()",
        ) from None
    with _explain_damage(source.name):
        docs = DocBin().from_disk(source.path).get_docs(spacy.blank("xx").vocab)
    for number in count(1):  # one document at a time: unpacked, they are many times as large
        with _explain_damage(source.name):
            doc = next(docs, None)
            row = RawRow(number, None if doc is None else doc.to_json())
        if row.value is None:
            return
        yield row


@contextmanager
def _explain_damage(name: str) -> Iterator[None]:
    """Turn the errors of a damaged DocBin into a DataError."""
    try:
        yield
    except (ValueError, KeyError, TypeError, OSError, EOFError) as error:
        message = str(error)[:120].partition("\n")[0]
        raise DataError(f"{name}: not a file of spaCy's, or damaged: {message}", "Write it again.") from None
    except Exception as error:  # zlib and msgpack have errors of their own
        raise DataError(f"{name}: damaged: {type(error).__name__}", "Write it again.") from None


def _iterate_documents(source: Source) -> Iterator[RawRow]:
    """Yield the documents of a JSON file; one of spaCy 2 holds several paragraphs."""
    for row in iterate_json_rows(source.path, source.name):
        paragraphs = row.value.get("paragraphs") if isinstance(row.value, dict) else None
        if isinstance(paragraphs, list):
            yield from (row._replace(value=paragraph) for paragraph in paragraphs)
        else:
            yield row


def _build_post(source: Source, row: Any, number: int, line: int) -> Post:
    if isinstance(row, list) and len(row) == 2 and isinstance(row[1], dict):
        row = {"text": row[0], **row[1]}
    if not isinstance(row, dict):
        raise RowError(f"the document {show_value(row)} is no object", "Write it with doc.to_json().")
    custom = row.get("cotpd", row.get("_"))
    values: dict[str, Any] = {**row, **(custom if isinstance(custom, dict) else {})}
    text = row.get("text", row.get("raw"))
    values["tokens"] = _list_words(row, text)
    post_id = read_row_id(custom if isinstance(custom, dict) else {}, source, number)
    mentions, label = _list_mentions(row, values["tokens"]), _find_class(row.get("cats"))
    raw = RawPost(post_id, text, mentions, _list_relations(values), values, label)
    return build_post(source, raw, line)


def _find_class(cats: Any) -> str | None:
    """Return the category with the highest score, if it is more likely than not.

    Raises:
        RowError: A score is no number, or several categories have the highest one.
    """
    scores = cats if isinstance(cats, dict) else {}
    for name, score in scores.items():
        if not isinstance(score, int | float) or not 0 <= score <= 1:  # NaN is less than nothing, and not more
            raise RowError(f"the score of {show_value(name)} is {show_value(score)}", "Write numbers from 0 to 1.")
    highest = max(scores.values(), default=0)
    names = [name for name, score in scores.items() if score == highest]
    if highest < 0.5:
        return None
    if len(names) > 1:
        raise RowError(f"the post has the labels {', '.join(map(show_value, names))}", "Leave it one label.")
    return str(names[0])


def _list_words(row: Mapping[str, Any], text: Any) -> list[str] | None:
    """Return the words of a document; None if it has none, so that this project's rule applies."""
    if isinstance(row.get("sentences"), list):
        return [
            str(token.get("orth", "")) for token in _iterate_old_tokens(row) if str(token.get("orth", "")).strip()
        ]
    tokens = row.get("tokens")
    if not isinstance(tokens, list) or not isinstance(text, str):
        return None
    if not all(isinstance(token, dict) for token in tokens):
        raise RowError("tokens is not a list of objects", "Write the document with doc.to_json().")
    spans = [(read_whole(token.get("start"), "start"), read_whole(token.get("end"), "end")) for token in tokens]
    words = [text[start:end] for start, end in spans]
    return [word for word in words if tokenize(word)]  # control characters are blank to str.strip


def _iterate_old_tokens(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for sentence in row["sentences"]:
        for token in sentence.get("tokens", ()) if isinstance(sentence, dict) else ():
            if isinstance(token, dict):
                yield token


def _list_mentions(row: Mapping[str, Any], words: list[str] | None) -> list[RawMention]:
    """Return the mentions: `ents`, `entities`, a group of `spans`, or the tags of the tokens."""
    marks = row.get("ents", row.get("entities"))
    groups = row.get("spans")
    if not marks and isinstance(groups, dict):
        marks = list(chain.from_iterable(group for group in groups.values() if isinstance(group, list)))
    if marks is None and isinstance(row.get("sentences"), list):
        return _decode_old_tags(row, words or [])
    if not isinstance(marks or [], list):
        raise RowError("ents is not a list", "Write the document with doc.to_json().")
    return [_read_mark(mark, number) for number, mark in enumerate(marks or [])]


def _read_mark(mark: Any, number: int) -> RawMention:
    if isinstance(mark, dict):
        return RawMention(number, mark.get("start"), mark.get("end"), mark.get("label"))
    if isinstance(mark, list) and len(mark) >= 3:
        return RawMention(number, *mark[:3])
    raise RowError(f"the entity {show_value(mark)} is not start, end and label", "Write it with doc.to_json().")


def _decode_old_tags(row: Mapping[str, Any], words: list[str]) -> list[RawMention]:
    """Decode the tags of spaCy 2's tokens, which stand in for entities in older files."""
    text, position, spans = row.get("raw") or "", 0, []
    for word in words:
        start = text.find(word, position)
        spans.append((start, start + len(word)))
        position = start + len(word)
    tags = [
        str(token.get("ner") or "O") for token in _iterate_old_tokens(row) if str(token.get("orth", "")).strip()
    ]
    try:
        decoded = TagReader().decode([tag if tag != "-" else "O" for tag in tags])
    except ValueError as error:
        raise RowError(str(error), "Mend the tag.") from None
    return [
        RawMention(number, spans[span.start][0], spans[span.end - 1][1], span.type)
        for number, span in enumerate(decoded)
    ]


def _list_relations(values: Mapping[str, Any]) -> list[RawRelation]:
    """Return the relations that this project writes into a document's own data."""
    rows = values.get("relations") or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RowError("relations is not a list of objects", "Leave them out.")
    return [RawRelation(row.get("head"), row.get("tail"), row.get("label")) for row in rows]


def is_format_of(head: list[str]) -> bool:
    """Whether a file is packed as spaCy packs its documents, or holds them as JSON."""
    return bool(head) and (head[0].startswith("x\x9c") or name_json_format(head) == "spacy")


FORMAT = Format(
    name="spacy",
    title="spaCy: {train,dev,test}.spacy or .json, documents with entities",
    suffixes=(".json", BINARY, ".jsonl"),
    is_format_of=is_format_of,
    read=read,
    example=EXAMPLE,
    published=False,
)
