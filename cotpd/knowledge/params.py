"""The section `ask` of params.yaml: which knowledge is asked for."""

from typing import Literal

from pydantic import Field

from cotpd.data.params import KnowledgeKind
from cotpd.data.records import KNOWLEDGE_KINDS
from cotpd.section import Section


class AskParams(Section):
    """Which knowledge is asked for."""

    kinds: tuple[KnowledgeKind, ...] = KNOWLEDGE_KINDS
    """Chain-of-thought kinds: noun, sentence, multimodality; [] asks nothing."""
    prompts: str = "default"
    """Prompt set: default, paper (folders of cotpd/prompts), or a path."""
    answers: int = Field(default=1, ge=1, le=50)
    """Answers to each question; further ones are sampled (at 0.7 where llm.temperature is 0), and each is paid."""
    combine: Literal["agreed", "joined"] = "agreed"
    """Of several answers: agreed takes the one that shares most words with the others, joined takes them all."""
    max_tokens: int = Field(default=64, ge=1)
    """Longest answer, in the model's tokens."""
    max_failed_share: float = Field(default=0.02, ge=0, le=1)
    """The step fails if more than this share of its requests could not be answered."""
