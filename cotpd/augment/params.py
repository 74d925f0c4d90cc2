"""The section `augment` of params.yaml: further training posts."""

from typing import Annotated

from pydantic import Field

from cotpd.data.params import allow_kinds
from cotpd.data.records import AUGMENT_KINDS, Kind
from cotpd.section import Section

AugmentKind = Annotated[Kind, allow_kinds(AUGMENT_KINDS)]


class AugmentParams(Section):
    """Further training posts. Valid and test are never touched."""

    kinds: tuple[AugmentKind, ...] = AUGMENT_KINDS
    """style, entity, image; [] augments nothing."""
    share: float = Field(default=0.5, ge=0, le=1)
    """Share of the training posts for which each kind is tried."""
    max_tokens: int = Field(default=64, ge=1)
    """Longest answer, in the model's tokens."""
    fact_check_max_tokens: int = Field(default=4, ge=1)
    """Longest answer of a fact check (entity): yes or no; a reasoning model needs hundreds."""
    prompts: str = "default"
    """Prompt set, as for ask."""

    def find_limit(self, kind: Kind) -> tuple[int, str]:
        """Return the longest answer of a kind, and the name of the parameter that sets it."""
        if kind is Kind.ENTITY:
            return self.fact_check_max_tokens, "augment.fact_check_max_tokens"
        return self.max_tokens, "augment.max_tokens"
