"""The JSON in which the language model answers: a list of mentions, or one label.

The schema that is sent names the labels, and a server that enforces schemas keeps to it. What comes back is
checked more leniently, since other servers let a model write ``per`` for ``PER``.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from cotpd.data.records import Entity
from cotpd.extraction.mention_positions import NamedMention, place_mentions
from cotpd.student.tasks import Task

if TYPE_CHECKING:
    from cotpd.student.examples import Example

Schema = dict[str, Any]


class Reading(NamedTuple):
    """An answer as labels: why parts of it were left out, and why the whole of it cannot be used."""

    mentions: tuple[Entity, ...] = ()
    label: str | None = None
    left_out: tuple[str, ...] = ()
    problem: str = ""


class AnswerForm(ABC):
    """One form of answer."""

    lenient_schema: ClassVar[Schema]  # what an answer is checked against

    @abstractmethod
    def build_schema(self, labels: Sequence[str]) -> Schema:
        """Return the schema that is sent."""

    @abstractmethod
    def write_gold(self, example: "Example") -> str:
        """Return the gold of an example as an answer."""

    @abstractmethod
    def read(self, answer: dict[str, Any], example: "Example", labels: Sequence[str]) -> Reading:
        """Read an answer that holds to the lenient schema."""


class MentionList(AnswerForm):
    """``{"mentions": [{"text": "Leeds", "type": "LOC"}]}``, in the order of the post."""

    lenient_schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {"mentions": {"type": "array"}},
        "required": ["mentions"],
    }

    def build_schema(self, labels: Sequence[str]) -> Schema:
        """Return the schema of a list of mentions, whose types are the inventory."""
        mention = _build_object({"text": {"type": "string"}, "type": {"type": "string", "enum": list(labels)}})
        return _build_object({"mentions": {"type": "array", "items": mention}})

    def write_gold(self, example: "Example") -> str:
        """Return the gold mentions in the order of the text."""
        rows = []
        for entity in sorted(example.entities, key=lambda entity: entity.start):
            first, last = example.offsets[entity.start][0], example.offsets[entity.end - 1][1]
            rows.append({"text": example.text[first:last], "type": entity.type})
        return json.dumps({"mentions": rows}, ensure_ascii=False)

    def read(self, answer: dict[str, Any], example: "Example", labels: Sequence[str]) -> Reading:
        """Place the mentions in the post; one of another type, or without a place, is left out with its reason."""
        mentions, left_out = [], []
        for item in answer["mentions"]:
            mention = _parse_mention(item, labels)
            if isinstance(mention, str):
                left_out.append(mention)
            else:
                mentions.append(mention)
        placement = place_mentions(example.text, example.offsets, mentions)
        return Reading(placement.mentions, left_out=(*left_out, *placement.problems))


class LabelChoice(AnswerForm):
    """``{"label": "positive"}``: one label of the inventory."""

    lenient_schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {"label": {"type": "string"}},
        "required": ["label"],
    }

    def build_schema(self, labels: Sequence[str]) -> Schema:
        """Return the schema of one label of the inventory."""
        return _build_object({"label": {"type": "string", "enum": list(labels)}})

    def write_gold(self, example: "Example") -> str:
        """Return the gold label."""
        return json.dumps({"label": example.label}, ensure_ascii=False)

    def read(self, answer: dict[str, Any], _example: "Example", labels: Sequence[str]) -> Reading:
        """Return the label; an answer with another one cannot be used."""
        label = find_label(answer["label"], labels)
        if label is None:
            return Reading(problem=f"{answer['label']!r} is none of {', '.join(labels)}")
        return Reading(label=label)


def find_form(task: Task) -> AnswerForm:
    """Return the form of a task's answers: mentions where a prediction has ends, else one label."""
    return MentionList() if task.has_extents else LabelChoice()


def find_label(name: str, labels: Sequence[str]) -> str | None:
    """Return the label of a name: the same spelling, or the only one that differs in case and spaces around."""
    if name in labels:
        return name
    folded = name.strip().casefold()
    similar = [label for label in labels if label.casefold() == folded]
    return similar[0] if len(similar) == 1 else None


def _parse_mention(item: object, labels: Sequence[str]) -> NamedMention | str:
    """Return a mention of an answer, or the reason why it is none."""
    text, name = (item.get("text"), item.get("type")) if isinstance(item, dict) else (None, None)
    if not isinstance(text, str) or not isinstance(name, str) or not text.strip():
        return f"{json.dumps(item, ensure_ascii=False)} has no text and type"
    label = find_label(name, labels)
    if label is None:
        return f"{text!r} is of type {name!r}, which is none of {', '.join(labels)}"
    return NamedMention(text, label)


def _build_object(properties: Schema) -> Schema:
    """Return the schema of an object with all of these properties and no others, which enforcing servers want."""
    closed = {"required": list(properties), "additionalProperties": False}
    return {"type": "object", "properties": properties, **closed}
