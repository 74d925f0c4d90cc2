"""Records of Argilla 2, as `records.to_json` writes them: the answers to a question of spans.

Relations are read where this project wrote them: Argilla has no question for relations, so they are lines of text.
Suggestions are no annotation: a record without a response is set aside.
"""

import json
from typing import Any

from cotpd.data.readers.annotator_choice import choose_annotation
from cotpd.data.readers.file_format import Format, Rows, Source
from cotpd.data.readers.json_posts import read_rows
from cotpd.data.readers.json_shapes import name_json_format
from cotpd.data.readers.json_values import iterate_json_rows
from cotpd.data.readers.raw_posts import RawAnnotation, RawMention, RawPost, RawRelation, build_post
from cotpd.data.readers.tagged_posts import read_row_id
from cotpd.data.readers.values import RowError, show_value
from cotpd.data.records import KNOWLEDGE_KINDS, Post

EXAMPLE = """\
[{"id": "1", "fields": {"text": "Ada visits London"}, "metadata": {}, "suggestions": {},
  "responses": {"spans": [{"value": [{"start": 0, "end": 3, "label": "PER"},
                                     {"start": 11, "end": 17, "label": "LOC"}], "user_id": "..."}]}}, ...]
                      <- dataset.records.to_json("train.json"); several annotators: data.annotators"""
NOBODY = "00000000-0000-0000-0000-000000000000"  # answers that went out with a record: Argilla wants a user's id
_EXPORT = "Export the records again: dataset.records.to_json(...)"
Response = dict[str, Any]


def read(source: Source) -> Rows:
    """Read one split; see :class:`cotpd.data.readers.file_format.Format`."""
    yield from read_rows(
        source, "argilla", enumerate(iterate_json_rows(source.path, source.name), 1), _build_post, _EXPORT
    )


def _build_post(source: Source, row: Any, number: int, line: int) -> Post:
    fields = row.get("fields") if isinstance(row, dict) else None
    if not isinstance(fields, dict):
        raise RowError(f"the record {show_value(row)} has no fields", _EXPORT)
    text = _choose_text(fields)
    by_user = _group_by_user(row.get("responses") or {})
    if not by_user:
        raise RowError(
            "nobody has answered the record", "Annotate it, or leave it out of the export.", "unannotated"
        )
    annotations = [_read_answers(answers) for answers in by_user]
    chosen = choose_annotation(annotations, [""] * len(annotations), source)
    meta = _read_metadata(row.get("metadata"))
    raw = RawPost(read_row_id(row, source, number), text, chosen.mentions, chosen.relations, meta, chosen.label)
    return build_post(source, raw, line)


def _choose_text(fields: dict[str, Any]) -> Any:
    """Return the field `text`, or the only field of text: a record does not say which one is marked."""
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    if "text" in fields or len(texts) == 1:
        return fields.get("text", next(iter(texts.values()), None))
    if not texts:
        raise RowError("the record has no field of text", "Name it `text`.")
    raise RowError(f"the record has the texts {', '.join(texts)}", "Name the one that is marked `text`.")


def _group_by_user(responses: Any) -> list[Response]:
    """Return the answers of each user, by question; users who answered no question are left out.

    The answers that went out with the record do not count beside those of a user.
    """
    if not isinstance(responses, dict):
        raise RowError("responses is no object", _EXPORT)
    by_user: dict[str, Response] = {}
    for question, answers in responses.items():
        for answer in answers if isinstance(answers, list) else []:
            if isinstance(answer, dict) and answer.get("status", "submitted") not in ("discarded", "draft"):
                by_user.setdefault(str(answer.get("user_id")), {})[question] = answer.get("value")
    answered = {user: answers for user, answers in by_user.items() if _has_answers(answers)}
    return [answers for user, answers in answered.items() if user != NOBODY] or [*answered.values()]


def _has_answers(answers: Response) -> bool:
    return any(isinstance(value, list | str) for value in answers.values())


def _read_answers(answers: Response) -> RawAnnotation:
    lists = [value for value in answers.values() if isinstance(value, list)]
    spans = next((value for value in lists if not _are_labels(value)), [])
    chosen = next((value for value in lists if _are_labels(value)), [])  # of a question with several labels
    if not all(isinstance(span, dict) for span in spans):
        raise RowError("an answer is no list of spans", "Ask for spans with a SpanQuestion.")
    if len(chosen) > 1:
        raise RowError(f"the post has the labels {', '.join(map(show_value, chosen))}", "Leave it one label.")
    mentions = [
        RawMention(number, span.get("start"), span.get("end"), span.get("label"))
        for number, span in enumerate(spans)
    ]
    lines = answers.get("relations")
    relations = [_read_relation(line) for line in lines.split("\n")] if isinstance(lines, str) and lines else []
    texts = [value for name, value in answers.items() if isinstance(value, str) and name != "relations"] + chosen
    return RawAnnotation(mentions, relations, answers.get("label", texts[0] if texts else None))


def _are_labels(value: list[Any]) -> bool:
    return bool(value) and all(isinstance(label, str) for label in value)


def _read_relation(line: str) -> RawRelation:
    """Read a relation as this project writes it: [label, head, tail, words]."""
    try:
        label, head, tail, _ = json.loads(line)
    except (ValueError, TypeError, RecursionError):
        raise RowError(f"the relation {line[:60]!r} cannot be read", 'Write ["label", 0, 1, "words"].') from None
    return RawRelation(head, tail, label)


def _read_metadata(metadata: Any) -> dict[str, Any]:
    """Return metadata as rows of jsonl have it: Argilla keeps it flat, knowledge_noun and so on."""
    values = dict(metadata) if isinstance(metadata, dict) else {}
    names = {kind: f"knowledge_{kind.value}" for kind in KNOWLEDGE_KINDS}
    knowledge = {kind.value: values[name] for kind, name in names.items() if name in values}
    if not isinstance(values.get("tokens"), list):
        values.pop("tokens", None)
    return values | ({"knowledge": knowledge} if knowledge else {})


FORMAT = Format(
    name="argilla",
    title="Argilla 2: {train,valid,test}.json, as `dataset.records.to_json` writes it",
    suffixes=(".json", ".jsonl"),
    is_format_of=lambda head: name_json_format(head) == "argilla",
    read=read,
    example=EXAMPLE,
    published=False,
)
