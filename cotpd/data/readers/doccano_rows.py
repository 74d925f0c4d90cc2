"""doccano's JSONL: spans as `label`: [[start, end, type]], or as `entities` and `relations`."""

from typing import Any

from cotpd.data.readers.file_format import Format, Rows, Source
from cotpd.data.readers.json_posts import read_rows
from cotpd.data.readers.json_shapes import name_json_format
from cotpd.data.readers.json_values import iterate_json_rows
from cotpd.data.readers.raw_posts import RawMention, RawPost, RawRelation, build_post
from cotpd.data.readers.tagged_posts import read_row_id
from cotpd.data.readers.values import RowError, show_value
from cotpd.data.records import Post

EXAMPLE = """\
{"id": 1, "text": "Ada visits London", "label": [[0, 3, "PER"], [11, 17, "LOC"]]}
                      <- one on each line; of a project with relations:
{"id": 1, "text": "Ada visits London",
 "entities": [{"id": 7, "start_offset": 0, "end_offset": 3, "label": "PER"},
              {"id": 8, "start_offset": 11, "end_offset": 17, "label": "LOC"}],
 "relations": [{"id": 1, "from_id": 7, "to_id": 8, "type": "visits"}]}"""
_KEYS = ("label", "labels", "entities")


def read(source: Source) -> Rows:
    """Read one split; see :class:`cotpd.data.readers.file_format.Format`."""
    rows = enumerate(iterate_json_rows(source.path, source.name), 1)
    yield from read_rows(source, "doccano", rows, _build_post, "Mend the line.")


def _build_post(source: Source, row: Any, number: int, line: int) -> Post:
    if not isinstance(row, dict):
        raise RowError(f"the row {show_value(row)} is no object", "Export the project as JSONL again.")
    key = next((key for key in _KEYS if key in row), "label")
    marks, relations = row.get(key) or [], row.get("relations") or []
    labels = row.get("cats") or []
    if isinstance(marks, str):  # a label of the post, as people write it by hand; the tool itself writes a list
        marks, labels = [], [marks]
    elif isinstance(marks, list) and marks and all(isinstance(mark, str) for mark in marks):
        marks, labels = [], marks
    if not isinstance(labels, list) or len(labels) > 1:
        raise RowError(f"the post has the labels {show_value(labels)}", "Leave it one label.")
    if not isinstance(marks, list) or not isinstance(relations, list):
        raise RowError(f"{key} or relations is not a list", "Export the project as JSONL again.")
    mentions = [_read_mark(mark, position) for position, mark in enumerate(marks)]
    raw = RawPost(
        id=read_row_id(row, source, number),
        text=row.get("text", row.get("data")),
        mentions=mentions,
        relations=[_read_relation(relation) for relation in relations],
        meta=row,
        label=labels[0] if labels else None,
    )
    return build_post(source, raw, line)


def _read_mark(mark: Any, position: int) -> RawMention:
    """Read a mention in either shape."""
    if isinstance(mark, list) and len(mark) == 3:
        return RawMention(position, *mark)
    if isinstance(mark, dict) and "start_offset" in mark:
        return RawMention(
            mark.get("id", position), mark["start_offset"], mark.get("end_offset"), mark.get("label")
        )
    raise RowError(f"the label {show_value(mark)} is not [start, end, type]", "Export the project as JSONL again.")


def _read_relation(relation: Any) -> RawRelation:
    if not isinstance(relation, dict) or not {"from_id", "to_id", "type"} <= set(relation):
        raise RowError(f"the relation {show_value(relation)} has no from_id, to_id and type", "Mend the relation.")
    return RawRelation(relation["from_id"], relation["to_id"], relation["type"])


FORMAT = Format(
    name="doccano",
    title="doccano: {train,valid,test}.jsonl, JSONL as the tool exports it, with relations or without",
    suffixes=(".jsonl", ".json"),
    is_format_of=lambda head: name_json_format(head) == "doccano",
    read=read,
    example=EXAMPLE,
    published=False,
    tool_ids=True,
)
