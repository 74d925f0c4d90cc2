"""Prodigy's JSONL: `spans` in characters, `relations` between them; rejected and ignored answers are left out."""

from collections.abc import Iterator, Mapping
from typing import Any

from cotpd.data.readers.file_format import Format, Rows, Source
from cotpd.data.readers.json_posts import read_rows
from cotpd.data.readers.json_shapes import name_json_format
from cotpd.data.readers.json_values import RawRow, iterate_json_rows
from cotpd.data.readers.raw_posts import RawMention, RawPost, RawRelation, build_post
from cotpd.data.readers.tagged_posts import read_row_id
from cotpd.data.readers.values import RowError, read_whole, show_value
from cotpd.data.records import Post

EXAMPLE = """\
{"text": "Ada visits London", "answer": "accept", "_input_hash": 1, "_task_hash": 2,
 "tokens": [{"text": "Ada", "start": 0, "end": 3, "id": 0, "ws": true},
            {"text": "visits", "start": 4, "end": 10, "id": 1, "ws": true},
            {"text": "London", "start": 11, "end": 17, "id": 2, "ws": false}],
 "spans": [{"start": 0, "end": 3, "label": "PER"}, {"start": 11, "end": 17, "label": "LOC"}],
 "relations": [{"label": "visits", "head_span": {"start": 0, "end": 3, "label": "PER"},
                "child_span": {"start": 11, "end": 17, "label": "LOC"}}]}
                      <- one on each line; "answer": "reject" and "ignore" are left out and counted"""


def read(source: Source) -> Rows:
    """Read one split; see :class:`cotpd.data.readers.file_format.Format`."""
    yield from read_rows(source, "prodigy", _iterate_accepted(source), _build_post, "Mend the line.")


def _iterate_accepted(source: Source) -> Iterator[tuple[int, RawRow]]:
    """Yield the rows with their numbers; those that were rejected or ignored are counted."""
    for number, row in enumerate(iterate_json_rows(source.path, source.name), 1):
        answer = row.value.get("answer", "accept") if isinstance(row.value, dict) else "accept"
        if answer in ("reject", "ignore"):
            source.counts[f"answer:{answer}"] += 1
        else:
            yield number, row


def _build_post(source: Source, row: Any, number: int, line: int) -> Post:
    if not isinstance(row, dict):
        raise RowError(f"the row {show_value(row)} is no object", "Export it again: prodigy db-out NAME")
    meta = row.get("meta")
    values: dict[str, Any] = {**(meta if isinstance(meta, dict) else {}), **row}
    words = row.get("tokens")
    if isinstance(words, list):
        values["tokens"] = [_read_word(word) for word in words]
    else:
        values.pop("tokens", None)
    mentions, links = _read_spans(_list_objects(row, "spans"), _list_objects(row, "relations"))
    label = _choose_label(row)
    post_id = read_row_id(values, source, number)
    raw = RawPost(post_id, row.get("text"), mentions, links, values, label)
    return build_post(source, raw, line)


def _choose_label(row: Mapping[str, Any]) -> Any:
    """Return the only option that was accepted, or the label of a row without options."""
    chosen = row.get("accept")
    if isinstance(chosen, list) and len(chosen) > 1:
        raise RowError(f"the post has the labels {', '.join(map(show_value, chosen))}", "Leave it one label.")
    return chosen[0] if isinstance(chosen, list) and chosen else row.get("label")


def _read_spans(
    spans: list[dict[str, Any]], relations: list[dict[str, Any]]
) -> tuple[list[RawMention], list[RawRelation]]:
    """Read mentions and relations; a relation spells out its ends, which may be no spans themselves."""
    mentions = {
        _locate(span): RawMention(_locate(span), span["start"], span["end"], span.get("label")) for span in spans
    }
    for relation in relations:
        for end in (relation.get("head_span"), relation.get("child_span")):
            if not isinstance(end, dict):
                raise RowError(
                    "a relation has no head_span and child_span", "Export it again: prodigy db-out NAME"
                )
            mentions.setdefault(_locate(end), RawMention(_locate(end), end["start"], end["end"], end.get("label")))
    links = [
        RawRelation(_locate(row["head_span"]), _locate(row["child_span"]), row.get("label")) for row in relations
    ]
    return list(mentions.values()), links


def _list_objects(row: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    values = row.get(key) or []
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise RowError(f"{key} is not a list of objects", "Export it again: prodigy db-out NAME")
    return values


def _read_word(token: Any) -> str:
    if not isinstance(token, dict) or not isinstance(token.get("text"), str):
        raise RowError(f"the token {show_value(token)} has no text", "Export it again: prodigy db-out NAME")
    return str(token["text"])


def _locate(span: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Return what tells a span from the others: its ends and its label."""
    if span.get("start") is None or span.get("end") is None:
        raise RowError("a span has no start and end", "Export it again: prodigy db-out NAME")
    label = span.get("label")
    if isinstance(label, list | dict):
        raise RowError(f"the label of a span is {show_value(label)}, not a word", "Give it one label.")
    return read_whole(span["start"], "start"), read_whole(span["end"], "end"), label


FORMAT = Format(
    name="prodigy",
    title="Prodigy: {train,valid,test}.jsonl, as `prodigy db-out` writes it",
    suffixes=(".jsonl", ".json"),
    is_format_of=lambda head: name_json_format(head) == "prodigy",
    read=read,
    example=EXAMPLE,
    published=False,
)
