"""The section `data` of params.yaml: where the posts are, and what comes with them."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from cotpd.data.records import KNOWLEDGE_KINDS, Kind
from cotpd.section import Section


def allow_kinds(kinds: tuple[Kind, ...]) -> AfterValidator:
    """Return a validator that refuses other kinds, which no step would ask or know how to use."""

    def check(kind: Kind) -> Kind:
        if kind not in kinds:
            raise ValueError(f"{kind} is no kind for this place; it takes {', '.join(kinds)}")
        return kind

    return AfterValidator(check)


KnowledgeKind = Annotated[Kind, allow_kinds(KNOWLEDGE_KINDS)]


class SourceParams(Section):
    """A data set: its files, and what comes with them."""

    path: str
    """Folder (or file) of the data set."""
    format: Literal["auto", "jsonl", "twitter", "snap", "wikidiverse", "mnre"] = "auto"
    """How the files are written; auto looks at their names and first lines."""
    captions: str | None = None
    """Captions that the data set brings along, a file or pattern below path; see docs/your-data.md."""
    answers: str | None = None
    """LLM answers that the data set brings along, a file or folder below path."""
    answers_kind: KnowledgeKind = Kind.SENTENCE
    """The kind of knowledge that those answers are."""
    offsets: Literal["characters", "utf16", "bytes"] = "characters"
    """What start and end count: characters; UTF-16 code units (JavaScript, Java); or UTF-8 bytes."""
    limit: int | None = Field(default=None, ge=1)
    """Use only the first so many posts of each split, for trying things out. Types, labels and the names that
    augment swaps in are still those of all posts, so that a limit changes no question."""


class UnlabelledParams(SourceParams):
    """Posts whose labels, if they have any, are not read; ``path`` is relative to ``data.path``."""


class DataParams(SourceParams):
    """Where the posts are and what comes with them."""

    path: str = "sample"
    """Folder (or file) of the data set."""
    pictures: str = "."
    """A folder of pictures, from path. It alone may be a link to elsewhere (images) or outside (../pictures)."""
    types: tuple[str, ...] | None = None
    """Entity types or relation labels allowed; null takes those found, train's first."""
    unlabelled: tuple[UnlabelledParams, ...] = ()
    """Posts without labels, on which frozen teachers teach the student (distil.way: frozen)."""

    @field_validator("pictures")
    @classmethod
    def _relative(cls, pictures: str) -> str:
        if not pictures or Path(pictures).is_absolute():
            raise ValueError("must be a path relative to data.path; . is that folder itself")
        return pictures
