"""The bodies that `/v1/predict` reads and writes: they check a request, and OpenAPI shows them.

A body is one row, or a list of texts or pairs. Unknown fields are refused.
"""

import copy
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, create_model

from cotpd.serving.limits import Limits
from cotpd.student.tasks import TaskName, find_task

AS_TEXT, AS_WORDS = "as text", "as words"  # in the location of an error


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ModelName(BaseModel):
    """The version that made all predictions of an answer."""

    name: str = Field(description="The registered model, or the folder.", examples=["cotpd-ner"])
    version: str | None = Field(description="Its number; null for a folder.", examples=["3"])
    backend: str = Field(description="What runs it.", examples=["torch"])


class Entity(BaseModel):
    """A mention, end exclusive: in characters of the text, or in tokens where the request gave them."""

    start: int
    end: int
    text: str
    type: str
    score: float = Field(description="A probability.")


class Entities(BaseModel):
    """The mentions of one text, in their order."""

    entities: list[Entity]


class Label(BaseModel):
    """The label of one pair or text; null for a text without a word."""

    label: str | None
    score: float | None = Field(description="A probability.")


class EntityAnswer(BaseModel):
    """The mentions of each text, in the order of the request."""

    model: ModelName
    predictions: list[Entities]


class LabelAnswer(BaseModel):
    """The label of each pair or text, in the order of the request."""

    model: ModelName
    predictions: list[Label]


class Problem(BaseModel):
    """The reason why a request was refused, and the remedy."""

    error: str
    remedy: str = ""


class RequestModels:
    """The models of a request's shapes, and the schema that OpenAPI shows.

    A post is a text, or the list of its words, which a student that learnt from given words should get.

    Attributes:
        many_field: The field that lists the rows of a request.
        most_characters: The most characters of a text.
        single, in_words: A request of one row, with its text or its words.
        several: A request of many rows.

    Args:
        task: The task of the served student.
        limits: Bound lists and texts.
    """

    def __init__(self, task: TaskName, limits: Limits) -> None:
        self.task = find_task(task)
        self.many_field, self.most_characters = self.task.many_field, limits.characters
        text = Annotated[str, Field(max_length=limits.characters, description="A post.")]
        word = Annotated[str, Field(min_length=1, max_length=limits.characters)]
        description = "The words of a post; starts and ends then count them."
        words = Annotated[
            list[word],
            Field(min_length=1, max_length=limits.characters, description=description),
        ]
        pair = _list_pair_fields(limits) if self.task.reads_pair else {}
        self.single = create_model("OneRow", __base__=_Body, text=(text, ...), **pair)
        self.in_words = create_model("OneRowInWords", __base__=_Body, tokens=(words, ...), **pair)
        as_text = self.single if pair else text
        items: Any = Annotated[
            Annotated[as_text, Tag(AS_TEXT)] | Annotated[self.in_words, Tag(AS_WORDS)], Discriminator(_tell_shape)
        ]
        rows: Any = Annotated[list[items], Field(min_length=1, max_length=limits.texts)]
        fields: Any = {self.many_field: (rows, ...)}
        self.several: type[BaseModel] = create_model("ManyRows", __base__=_Body, **fields)

    def find_model(self, body: Mapping[str, Any]) -> type[BaseModel]:
        """Return the model of a body: one row, or many."""
        if self.many_field in body:
            return self.several
        return self.in_words if "tokens" in body else self.single

    def list_fields(self) -> list[str]:
        """Return the names of all fields."""
        return [*self.single.model_fields, "tokens", self.many_field]

    @property
    def answer(self) -> type[BaseModel]:
        """The model of an answer."""
        return EntityAnswer if self.task.output_list else LabelAnswer

    def build_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a body, without references."""
        shapes = [self.single.model_json_schema(), self.in_words.model_json_schema()]
        several = copy.deepcopy(self.several.model_json_schema())
        if several.pop("$defs", None):
            items = several["properties"][self.many_field]["items"]
            text = [item for item in items["oneOf"] if "$ref" not in item]
            several["properties"][self.many_field]["items"] = {"oneOf": [*text, *(shapes[1:] if text else shapes)]}
        return {"oneOf": [*shapes, several]}


def _list_pair_fields(limits: Limits) -> dict[str, Any]:
    """Return the fields of a pair's two mentions."""
    offsets = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2, max_length=2)]
    mention = Annotated[str, Field(min_length=1, max_length=limits.characters)]
    description = "As it stands in the text, or [start, end] in characters, or in tokens where these are given."
    field: Any = (mention | offsets, Field(description=description))
    return {"head": field, "tail": field}


def _tell_shape(row: Any) -> str:
    """Return which shape an item of a list has; a wrong value is told that it is no text."""
    return AS_WORDS if isinstance(row, dict) and "tokens" in row else AS_TEXT
