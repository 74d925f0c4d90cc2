"""The section `evaluate` of params.yaml: what is scored."""

from typing import Literal

from pydantic import Field

from cotpd.section import Section


class EvaluateParams(Section):
    """What is scored."""

    splits: tuple[Literal["valid", "test"], ...] = ("valid", "test")
    """Splits to score; one that the data set lacks is left out, and said so."""
    batch_size: int = Field(default=32, ge=1)
    """Posts at a time."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
