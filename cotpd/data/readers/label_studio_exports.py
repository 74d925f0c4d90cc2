"""Exports of Label Studio: JSON (tasks with annotations by several people) and JSON-MIN.

Trade-off: suggestions (`predictions`) are never read as annotation, and a task that nobody annotated is set aside
as a row: as a post without mentions it would teach that there are none. Cancelled annotations do not count.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any
from urllib.parse import unquote

from cotpd.data.readers.annotator_choice import choose_annotation
from cotpd.data.readers.file_format import Format, Rows, Source, build_or_refuse, refuse_row
from cotpd.data.readers.json_posts import show_id
from cotpd.data.readers.json_shapes import name_json_format
from cotpd.data.readers.json_values import RawRow, iterate_json_rows
from cotpd.data.readers.raw_posts import RawAnnotation, RawMention, RawPost, RawRelation, build_post
from cotpd.data.readers.values import RowError, read_id, show_value
from cotpd.data.records import Post

EXAMPLE = """\
[{"id": 1, "data": {"text": "Ada visits London", "image": "1.jpg"},
  "annotations": [{"id": 5, "completed_by": 1, "result": [
    {"id": "a", "type": "labels", "from_name": "label", "to_name": "text",
     "value": {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}},
    {"id": "b", "type": "labels", "from_name": "label", "to_name": "text",
     "value": {"start": 11, "end": 17, "text": "London", "labels": ["LOC"]}},
    {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right", "labels": ["visits"]}]}]}, ...]
                      <- the export JSON; JSON-MIN is read, too. Several annotators: data.annotators"""
_LABELS = ("labels", "hypertextlabels", "paragraphlabels")
_TEXTS = ("text", "post", "content", "tweet", "sentence", "body")
_UPLOADED = re.compile(r"/data/(?:upload/(?:.*/)?(?P<name>[^/?]+)|local-files/\?d=(?P<local>[^&]+))$")
_CHOICES = ("class", "sentiment", "label", "choice")  # names of controls, as JSON-MIN has a choice as a text
_MIN_KEYS = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time"}


def read(source: Source) -> Rows:
    """Read one split; see :class:`cotpd.data.readers.file_format.Format`."""
    rows = iterate_json_rows(source.path, source.name)
    for number, group in enumerate(_group_annotations(rows), 1):
        first = group[0]
        if first.fault:
            error = RowError(first.fault, "Export the project again.")
            yield refuse_row(source, first.line, first.value, error, item=first.item)
        else:
            build = partial(_build_post, source, [row.value for row in group], number, first.line)
            yield build_or_refuse(source, first.line, first.value, build, show_id(first.value), first.item)


def _group_annotations(rows: Iterator[RawRow]) -> Iterator[list[RawRow]]:
    """Put rows of JSON-MIN together that are annotations of one task; they follow each other."""
    group: list[RawRow] = []
    for row in rows:
        if group and not (_is_min(row) and _is_min(group[0]) and row.value["id"] == group[0].value["id"]):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _is_min(row: RawRow) -> bool:
    return isinstance(row.value, dict) and "annotation_id" in row.value and "id" in row.value


def _build_post(source: Source, rows: Sequence[Any], number: int, line: int) -> Post:
    row = rows[0]
    if not isinstance(row, dict):
        raise RowError(f"the task {show_value(row)} is no object", "Export the project as JSON again.")
    data = row.get("data")
    values = data if isinstance(data, dict) else row
    own_id = values.get("id", row.get("id"))
    post_id = source.name_row(number) if own_id in (None, "") else read_id(own_id)
    chosen = _read_min(rows, source) if data is None else _read_task(row, source)
    meta = {**values, "image": _find_picture(values.get("image"))}
    raw = RawPost(post_id, _find_text(values), chosen.mentions, chosen.relations, meta, chosen.label)
    return build_post(source, raw, line)


def _find_text(values: dict[str, Any]) -> str:
    """Return the text of a task: under a usual name, or the only string with a blank that is no address."""
    for name in _TEXTS:
        if isinstance(values.get(name), str):
            return str(values[name])
    strings = [value for key, value in values.items() if key not in _MIN_KEYS and isinstance(value, str)]
    texts = [value for value in strings if " " in value and "://" not in value.partition(" ")[0]]
    if len(texts) == 1:
        return texts[0]
    raise RowError("the task has no text", "Name the text `text` in the task's data.")


def _find_picture(image: Any) -> Any:
    """Return the name of a picture's file, where Label Studio gives its own address for it."""
    if not isinstance(image, str):
        return image
    if match := _UPLOADED.search(image):
        return unquote(match["local"] or match["name"])
    return image


def _read_task(row: dict[str, Any], source: Source) -> RawAnnotation:
    """Read the annotation that ``data.annotators`` chooses."""
    annotations = row.get("annotations", row.get("completions")) or []
    if not isinstance(annotations, list) or not all(isinstance(item, dict) for item in annotations):
        raise RowError("annotations is not a list of objects", "Export the project as JSON again.")
    valid = [
        item for item in annotations if not item.get("was_cancelled") and isinstance(item.get("result"), list)
    ]
    if not valid:
        raise RowError(
            "nobody has annotated the task", "Annotate it, or leave it out of the export.", "unannotated"
        )
    stamps = [str(item.get("updated_at") or item.get("created_at") or "") for item in valid]
    readings = [_read_result(item["result"]) for item in valid]
    return choose_annotation(readings, stamps, source)


def _read_result(result: Sequence[Any]) -> RawAnnotation:
    """Read regions, relations and the choice for the whole post; other results are of other tasks."""
    mentions, relations = [], []
    choices: dict[str, list[Any]] = {}  # by the name of their control
    for item in result:
        if not isinstance(item, dict):
            raise RowError(f"the result {show_value(item)} is no object", "Export the project as JSON again.")
        value = item.get("value")
        if item.get("type") == "relation":
            relations.append(_read_relation(item))
        elif _is_mention(item, value):
            mentions.append(_read_region(item.get("id"), value))
        elif isinstance(value, dict) and isinstance(value.get("choices"), list) and "start" not in value:
            choices.setdefault(str(item.get("from_name")), []).extend(value["choices"])
    return RawAnnotation(mentions, relations, _choose_label(_choose_control(choices)))


def _choose_control(choices: dict[str, list[Any]]) -> list[Any]:
    """Return the choices of the control that labels the post: the only one, or the one with a usual name."""
    if len(choices) <= 1:
        return next(iter(choices.values()), [])
    named = [name for name in _CHOICES if name in choices]
    if not named:
        raise RowError(
            f"the post has choices in the controls {', '.join(map(show_value, choices))}",
            f"Name the one of its label {_CHOICES[0]} or {_CHOICES[1]}.",
        )
    return choices[named[0]]


def _choose_label(labels: Sequence[Any]) -> Any:
    """Return the only label of a post; None if it has none."""
    if len(labels) > 1:
        raise RowError(f"the post has the labels {', '.join(map(show_value, labels))}", "Leave it one label.")
    return labels[0] if labels else None


def _is_mention(item: dict[str, Any], value: Any) -> bool:
    """Whether a result marks a mention, and is no remark or choice about one."""
    kind = item.get("type")
    if kind in _LABELS:
        return True
    return isinstance(value, dict) and (
        (kind is None and "start" in value) or any(name in value for name in _LABELS)
    )


def _read_region(key: Any, value: Any) -> RawMention:
    """Read a region, which has a label for each way in which it was marked."""
    if not isinstance(value, dict) or "start" not in value:
        raise RowError("a region does not say where it starts", "Mark it again in the tool.")
    labels = next((value[name] for name in _LABELS if value.get(name)), None)
    if not isinstance(labels, list):
        raise RowError("a region has no label", "Label it in the tool, or delete it.")
    text = value.get("text")
    if len(labels) > 1:
        raise RowError(f"a region has the labels {', '.join(map(show_value, labels))}", "Leave it one label.")
    start, end = _find_borders(value)
    return RawMention(key, start, end, labels[0], text if isinstance(text, str) else None)


def _find_borders(value: dict[str, Any]) -> tuple[Any, Any]:
    """Return start and end in characters; in HTML and in dialogues `start` names an element."""
    if "startOffset" not in value:
        return value["start"], value.get("end")
    offsets = value.get("globalOffsets")
    if not isinstance(offsets, dict):
        raise RowError(
            f"a region stands in the element {show_value(value['start'])}, and says nothing of the whole text",
            "Annotate with <Text>, or export from a release that writes globalOffsets.",
        )
    return offsets.get("start"), offsets.get("end")


def _read_relation(item: dict[str, Any]) -> RawRelation:
    labels = item.get("labels")
    if not isinstance(labels, list) or not labels:
        raise RowError("a relation has no label", "Label it in the tool, or delete it.")
    ends = (item.get("from_id"), item.get("to_id"))
    head, tail = reversed(ends) if item.get("direction") == "left" else ends
    return RawRelation(head, tail, labels[0])


def _read_min(rows: Sequence[Any], source: Source) -> RawAnnotation:
    """Read the rows of a task in JSON-MIN, one an annotation, the latest first."""
    stamps = [str(row.get("updated_at") or row.get("created_at") or "") for row in rows]
    return choose_annotation([_read_min_row(row) for row in rows], stamps, source)


def _read_min_row(row: dict[str, Any]) -> RawAnnotation:
    """Read the regions of a row of JSON-MIN, which has them under the name of their control, and no relations."""
    mentions: list[RawMention] = []
    for value in row.values():
        if isinstance(value, list) and _are_mentions(value):
            mentions += [_read_region(len(mentions) + number, item) for number, item in enumerate(value)]
    choice = next((row[name] for name in _CHOICES if isinstance(row.get(name), str | dict)), None)
    if isinstance(choice, dict):  # of a control that allows several
        choices = choice.get("choices")
        choice = _choose_label(choices if isinstance(choices, list) else [])
    return RawAnnotation(mentions, [], choice)


def _are_mentions(items: list[Any]) -> bool:
    """Whether items are what a control marked, and no remarks about that."""
    if not all(isinstance(item, dict) and "start" in item for item in items):
        return False
    return any(not set(_LABELS).isdisjoint(item) for item in items)


FORMAT = Format(
    name="label-studio",
    title="Label Studio: {train,valid,test}.json, the export JSON or JSON-MIN",
    suffixes=(".json", ".jsonl"),
    is_format_of=lambda head: name_json_format(head) == "label-studio",
    read=read,
    example=EXAMPLE,
    published=False,
    tool_ids=True,
)
