"""The typed records that steps hand to each other, one JSON object a line in every table.

Every table is keyed by post id. Spans count tokens, end exclusive. A post keeps its text and the character offsets
of each token, so that a span can always be shown in its text.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from itertools import chain
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cotpd.counts import format_count

SPLITS = ("train", "valid", "test")
TaskName = str  # cotpd.student.tasks knows which there are, and no module below it needs to
Span = tuple[int, int]  # start and end, end exclusive; tokens, unless a name or a comment says characters
FEW_SHOT, ZERO_SHOT = "llm", "llm_zero_shot"  # the language model alone, as rows of a result
TextRule = Literal["social", "syllables", "characters", "whitespace", "graphemes"]  # see cotpd.data.tokenization
WordRule = TextRule | Literal["given"]
WordSetting = Literal["auto", "social", "syllables", "characters", "whitespace", "given"]
NO_RELATION = "None"  # MNRE's name for "these two are not related"; left out of the micro-F1


class Kind(StrEnum):
    """The kinds of question to the LLM: three ask for knowledge, three for augmentation (arXiv 2306.14122).

    ``extract`` asks it for the labels themselves, so that a result can say what the LLM alone would score.
    """

    NOUN = "noun"
    SENTENCE = "sentence"
    MULTIMODALITY = "multimodality"
    STYLE = "style"
    ENTITY = "entity"
    IMAGE = "image"
    EXTRACT = "extract"


KNOWLEDGE_KINDS = (Kind.NOUN, Kind.SENTENCE, Kind.MULTIMODALITY)
AUGMENT_KINDS = (Kind.STYLE, Kind.ENTITY, Kind.IMAGE)


class Record(BaseModel):
    """Base of every record: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WordSplitting(Record):
    """The rule by which text becomes words; earlier students, whose cards lack it, split by ``social``.

    Attributes:
        rule: A rule for text; or given: the words come with the data, and no rule makes the like of them.
        text_rule: The rule for text without words of its own: ``rule`` itself, or the nearest one to given words.
        agreement: The share of the data's own words that ``text_rule`` makes as well; 1 where it has none.
    """

    rule: WordRule = "social"
    text_rule: TextRule = "social"
    agreement: float = 1.0

    @property
    def is_given(self) -> bool:
        """Whether the words come with the data."""
        return self.rule == "given"

    def explain_mismatch(self) -> str:
        """Return a warning for text that is split although its student learnt from given words."""
        return (
            f"warning: this student learnt from words that came with its data; text is split by the rule"
            f" {self.text_rule}, which makes {self.agreement:.0%} of them. Give the words:"
            ' {"tokens": [...]}'
        )


class Entity(Record):
    """A mention: tokens ``start`` to ``end`` (exclusive). ``type`` is None in data sets without types (MNRE)."""

    start: int = Field(ge=0)
    end: int
    type: str | None = None

    @model_validator(mode="after")
    def _check_not_empty(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"entity ends at token {self.end}, not after its start {self.start}")
        return self


class Relation(Record):
    """A labelled pair; ``head`` and ``tail`` index the post's entities."""

    head: int = Field(ge=0)
    tail: int = Field(ge=0)
    label: str


class Post(Record):
    """One post with its annotation, and with the caption and the knowledge that its data set holds for it.

    ``label`` is the post's own, such as its sentiment. ``file`` and ``line`` say where it was read, for messages.
    ``image`` is a path relative to the data set's folder, or a bare id if the pictures are not at hand.
    ``image_digest`` is the SHA-256 of that file: captions are stored under it, so that a replaced picture gets a
    new caption and a renamed one keeps its own.
    """

    id: str
    text: str
    tokens: tuple[str, ...]
    offsets: tuple[Span, ...]
    image: str | None = None
    image_digest: str | None = None
    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()
    label: str | None = None
    caption: str | None = None
    knowledge: dict[Kind, str] = Field(default_factory=dict)
    file: str = ""
    line: int = 0

    @model_validator(mode="after")
    def _check_tokens(self) -> Self:
        if not self.tokens:
            raise ValueError("the post has no tokens")
        if len(self.tokens) != len(self.offsets):
            raise ValueError(
                f"{format_count(len(self.tokens), 'token')} but {format_count(len(self.offsets), 'offset')}"
            )
        for token, (start, end) in zip(self.tokens, self.offsets, strict=True):
            if self.text[start:end] != token:
                raise ValueError(f"token {token!r} does not stand at {start}:{end} of the text")
        return self

    @model_validator(mode="after")
    def _check_annotation(self) -> Self:
        for entity in self.entities:
            if entity.end > len(self.tokens):
                raise ValueError(f"entity ends at token {entity.end} of {len(self.tokens)}")
        for relation in self.relations:
            if max(relation.head, relation.tail) >= len(self.entities):
                raise ValueError("a relation names an entity that the post does not have")
        return self

    def list_types(self) -> list[str]:
        """Return the type of each entity that has one."""
        return [entity.type for entity in self.entities if entity.type]

    def list_labels(self) -> list[str]:
        """Return the label of each relation."""
        return [relation.label for relation in self.relations]

    def list_classes(self) -> list[str]:
        """Return the label of the post as a whole, if it has one."""
        return [] if self.label is None else [self.label]

    def get_mention(self, entity: Entity) -> str:
        """Return the text of an entity as it stands in the post."""
        return self.text[self.offsets[entity.start][0] : self.offsets[entity.end - 1][1]]


def replace_entities(post: Post, entities: Iterable[Entity]) -> Post:
    """Return the post with other mentions, in the order of the text.

    A relation follows its two mentions to those that share most tokens with them; it is left out if a mention
    has no such follower, or both have the same.
    """
    ordered = sorted(entities, key=lambda entity: (entity.start, entity.end))
    follower = {index: _find_follower(entity, ordered) for index, entity in enumerate(post.entities)}
    relations = []
    for relation in post.relations:
        head, tail = follower[relation.head], follower[relation.tail]
        if head is not None and tail is not None and head != tail:
            relations.append(relation.model_copy(update={"head": head, "tail": tail}))
    return post.model_copy(update={"entities": tuple(ordered), "relations": tuple(relations)})


def _find_follower(entity: Entity, candidates: list[Entity]) -> int | None:
    """Return the index of the mention that shares most tokens with another one; None if none shares any."""
    shared = [min(entity.end, candidate.end) - max(entity.start, candidate.start) for candidate in candidates]
    best = max(range(len(candidates)), key=shared.__getitem__, default=None)
    return best if best is not None and shared[best] > 0 else None


Splits = dict[str, list[Post]]


def iterate_posts(splits: Mapping[str, Iterable[Post]]) -> Iterator[Post]:
    """Yield the posts of all splits, split by split."""
    return chain.from_iterable(splits.values())


class Quarantined(Record):
    """A row that was set aside, with the reason and the remedy."""

    id: str
    step: str
    reason: str
    remedy: str = ""
    file: str = ""
    line: int = 0
    row: Any = None


class Caption(Record):
    """A captioner's words for a post's picture; ``caption`` is None if it has none, and ``problem`` says why."""

    id: str
    image: str | None
    caption: str | None
    backend: str
    problem: str = ""


class Answer(Record):
    """One LLM answer before any check, without reasoning and control tokens; the ledger holds the raw completion.

    ``key`` is its ledger key, empty for imported answers. ``problem`` says why the completion holds no answer; it
    is empty if there is one. ``draw`` counts the answers to one question from 0 (ask.answers).
    """

    id: str
    kind: Kind
    text: str
    source: Literal["llm", "dataset"]
    model: str = ""
    key: str = ""
    finish_reason: str = ""
    problem: str = ""
    draw: int = 0


class Knowledge(Record):
    """The answers to one question about a post that passed their checks, ready for the knowledge view.

    ``text`` is what a model reads. Where several answers were asked for (ask.answers), ``answers`` holds all that
    passed, in the order of their draws.
    """

    id: str
    kind: Kind
    text: str
    answers: tuple[str, ...] = ()


class Augmented(Record):
    """A training post made from the post ``of``; ``keep_knowledge`` names the kinds that hold for it too."""

    post: Post
    of: str
    kind: Kind
    keep_knowledge: tuple[Kind, ...] = ()
    caption: str | None = None
    evidence: str = ""


class Extracted(Record):
    """The labels that the language model alone gave one example.

    ``id`` is the example's: a post, or ``<post>#<index of the relation>``. ``row`` is FEW_SHOT or ZERO_SHOT.
    ``label`` is that of a pair or a post. ``problem`` says why the answer cannot be used: it then scores as no
    mention, or no label. ``key`` is the answer's in the ledger.
    """

    id: str
    split: str
    row: str
    mentions: tuple[Entity, ...] = ()
    label: str | None = None
    problem: str = ""
    key: str = ""
