"""The section `validate` of params.yaml: how many rows may fail their checks."""

from pydantic import Field

from cotpd.section import Section


class ValidateParams(Section):
    """How many of an LLM's answers and a captioner's captions may fail their checks."""

    max_failed_share: float = Field(default=0.1, ge=0, le=1)
    """The step fails if more than this share of the rows fail their checks."""
    reask: int = Field(default=0, ge=0)
    """How often an answer that fails its checks is asked for again, each time with another seed."""
