"""The section `ask` of params.yaml: which knowledge is asked for."""

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
    max_tokens: int = Field(default=64, ge=1)
    """Longest answer, in the model's tokens."""
    max_failed_share: float = Field(default=0.02, ge=0, le=1)
    """The step fails if more than this share of its requests could not be answered."""
