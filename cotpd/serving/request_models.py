"""The bodies that `/v1/predict` reads and writes: they check a request, and OpenAPI shows them.

A body is one row, or a list of texts or pairs. Unknown fields are refused.
"""

import copy
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from cotpd.serving.limits import Limits
from cotpd.student.tasks import TaskName, find_task


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ModelName(BaseModel):
    """The version that made all predictions of an answer."""

    name: str = Field(description="The registered model, or the folder.", examples=["cotpd-ner"])
    version: str | None = Field(description="Its number; null for a folder.", examples=["3"])
    backend: str = Field(description="What runs it.", examples=["torch"])


class Entity(BaseModel):
    """A mention, in characters of the text, end exclusive."""

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
    """Why a request was refused, and what to do."""

    error: str
    remedy: str = ""


class RequestModels:
    """The models of a request's two shapes, and the schema that OpenAPI shows.

    Args:
        task: Of the served student.
        limits: Bound lists and texts.
    """

    def __init__(self, task: TaskName, limits: Limits) -> None:
        self.task = find_task(task)
        self.many_field = self.task.many_field
        text = Annotated[str, Field(max_length=limits.characters, description="A post.")]
        row: Any = {"text": (text, ...)}
        if self.task.reads_pair:
            offsets = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2, max_length=2)]
            words = Annotated[str, Field(min_length=1, max_length=limits.characters)]
            description = "As it stands in the text, or [start, end] in characters."
            mention = (words | offsets, Field(description=description))
            row |= {"head": mention, "tail": mention}
        self.single: type[BaseModel] = create_model("OneRow", __base__=_Body, **row)
        items = self.single if "head" in row else text
        rows: Any = Annotated[list[items], Field(min_length=1, max_length=limits.texts)]  # type: ignore[valid-type]
        fields: Any = {self.many_field: (rows, ...)}
        self.several: type[BaseModel] = create_model("ManyRows", __base__=_Body, **fields)

    @property
    def answer(self) -> type[BaseModel]:
        """The model of an answer."""
        return EntityAnswer if self.task.output_list else LabelAnswer

    def build_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a body, without references."""
        single = self.single.model_json_schema()
        several = copy.deepcopy(self.several.model_json_schema())
        if several.pop("$defs", None):
            several["properties"][self.many_field]["items"] = single
        return {"oneOf": [single, several]}
