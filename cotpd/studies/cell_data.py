"""The changes that a cell of a study makes to the data: labels, knowledge, and the source of its answers."""

import hashlib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from cotpd.config import Params
from cotpd.section import Section

ANSWERS = Path("studies", "cache", "answers")  # in a project: what the ledger holds of each source


class AnswerSource(Section):
    """Answers out of the ledger that were asked for in another way; null takes what params.yaml says."""

    model: str | None = None
    """The model, as llm.model."""
    base_url: str | None = None
    """Its address, as llm.base_url."""
    prompts: str | None = None
    """The prompt set, as ask.prompts."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """As llm.temperature."""
    seed: int | None = None
    """As llm.seed: another draw at the same temperature."""
    answers: int | None = Field(default=None, ge=1)
    """As ask.answers: several answers to each question."""
    combine: Literal["agreed", "joined"] | None = None
    """As ask.combine: how several answers become one."""

    def adapt(self, params: Params) -> Params:
        """Return the parameters with which the answers are asked for."""
        values = self.model_dump(exclude_none=True)
        names = ("prompts", "answers", "combine")
        ask_values: dict[str, Any] = {name: values.pop(name) for name in names if name in values}
        ask, llm = params.ask.model_copy(update=ask_values), params.llm.model_copy(update=values)
        return params.model_copy(update={"llm": llm, "ask": ask})

    def describe(self) -> str:
        """Return what differs, in words."""
        return ", ".join(f"{name} {value}" for name, value in self.model_dump(exclude_none=True).items())

    def locate(self, root: Path, project: str) -> Path:
        """Return the folder with this source's answers about the posts of a project."""
        name = hashlib.sha256(f"{project}\n{self.model_dump_json()}".encode()).hexdigest()[:32]
        return root / ANSWERS / name


class Changes(Section):
    """The changes that a cell makes to the prepared posts and their knowledge, in every split."""

    labels: float = Field(default=1.0, gt=0, le=1)
    """Share of the training posts that keep their labels; the draw is the same in every cell, larger ones hold
    smaller ones."""
    remainder: Literal["dropped", "unlabelled"] = "dropped"
    """What becomes of the training posts beyond that share; unlabelled ones teach through soft targets alone."""
    unlabelled: float = Field(default=1.0, ge=0, le=1)
    """Share of the unlabelled posts."""
    caption: bool = True
    """Whether there are captions."""
    kinds: tuple[Literal["noun", "sentence", "multimodality"], ...] = ("noun", "sentence", "multimodality")
    """The kinds of knowledge that stay."""
    knowledge: Literal["intact", "shuffled", "truncated", "masked", "constant"] = "intact"
    """Answers degraded on purpose: dealt to other posts, cut to the first half of their words, without the post's
    mentions, or the same one for every post."""
    augmented: tuple[Literal["style", "entity", "image"], ...] = ("style", "entity", "image")
    """The kinds of augmented training posts that stay; the baseline never sees any."""
    source: AnswerSource | None = None
    """Answers of another model, prompt set, temperature or seed, out of the ledger; null: the pipeline's."""
