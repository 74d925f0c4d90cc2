"""The section `data` of params.yaml: where the posts are, and what comes with them."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from cotpd.data.records import KNOWLEDGE_KINDS, Kind, WordSetting
from cotpd.section import Section

FormatName = Literal[
    "auto",
    "jsonl",
    "twitter",
    "snap",
    "wikidiverse",
    "mnre",
    "conll",
    "tags",
    "parquet",
    "huggingface",
    "doccano",
    "label-studio",
    "prodigy",
    "brat",
    "spacy",
    "inception",
    "argilla",
    "csv",
]


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
    format: FormatName = "auto"
    """auto looks at file names and contents; `cotpd data formats` lists the names (docs/formats.md)."""
    captions: str | None = None
    """Captions that come with the data: a file or pattern below path; see docs/your-data.md."""
    answers: str | None = None
    """LLM answers that come with the data: a file or folder below path."""
    answers_kind: KnowledgeKind = Kind.SENTENCE
    """The kind of knowledge that those answers are."""
    offsets: Literal["characters", "utf16", "bytes"] = "characters"
    """What start and end count: characters, utf16 (units of JavaScript and Java) or bytes (of UTF-8)."""
    tag_column: int | None = None
    """The column of the tags in files of columns: 4 the fourth, -1 the last, which null reads."""
    tag_names: str | None = None
    """File below path with the names of tags that are numbers; null looks for labels.txt and its kin."""
    annotators: Literal["first", "latest", "agreed"] = "first"
    """Where several people annotated a post: the first, the latest, or only what all of them marked."""
    nested: Literal["refuse", "outermost", "innermost"] = "refuse"
    """Mentions that overlap: refuse sets the post aside; else the longest or the shortest of them is read."""
    limit: int | None = Field(default=None, ge=1)
    """Only the first so many posts of each split, for trying things out. Types, labels and the names that augment
    swaps in are still those of all posts, so that a limit changes no question."""

    @field_validator("tag_column")
    @classmethod
    def _check_column(cls, column: int | None) -> int | None:
        if column == 0:
            raise ValueError("columns count from 1; -1 is the last")
        return column


class UnlabelledParams(SourceParams):
    """Posts whose labels, if they have any, are not read; ``path`` is relative to ``data.path``."""


class DataParams(SourceParams):
    """Where the posts are and what comes with them."""

    path: str = ""
    """Folder (or file) of the data set; may lie outside the repository."""
    types: tuple[str, ...] | None = None
    """Entity types, relation labels or labels of posts allowed; null takes those found, train's first."""
    words: WordSetting = "auto"
    """social, syllables, characters, whitespace, given (words of the data), or auto; see docs/languages.md."""
    pictures: str = "."
    """Folder of pictures, from path; may be a link (images) or outside of it (../pictures)."""
    corrections: str = "."
    """File of corrected labels, from path (corrections.jsonl), laid over those of the data set; . for none. See
    docs/gold-errors.md."""
    held_out: float | None = Field(default=None, gt=0, lt=0.5)
    """Where the data set is one train split: the share of its posts for valid, and for test; null keeps all."""
    unlabelled: tuple[UnlabelledParams, ...] = ()
    """Posts whose labels are not read, for frozen teachers to teach (distil.way: frozen):
    {path: FROM-DATA.PATH, format: auto, captions: null, answers: null}."""

    @field_validator("pictures", "corrections")
    @classmethod
    def _check_relative(cls, path: str) -> str:
        if not path or Path(path).is_absolute():
            raise ValueError("must be a path relative to data.path; . is that folder itself")
        return path

    def has_corrections(self) -> bool:
        """Return whether a file of corrected labels is named."""
        return self.corrections != "."
