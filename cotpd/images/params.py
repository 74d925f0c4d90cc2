"""The section `caption` of params.yaml: how pictures become words."""

from typing import Literal

from pydantic import Field

from cotpd.llm.params import ExtraBody, HeaderVariables
from cotpd.section import Section, VariableName


class CaptionParams(Section):
    """How pictures become words."""

    backend: Literal["tags", "transformers", "openai", "dataset", "none"] = "tags"
    """tags: picture tags and the text read in it, offline. dataset: only captions that came with the data."""
    model: str | None = None
    """transformers: a hub name or folder (Salesforce/blip2-opt-2.7b); openai: the vision model's name."""
    base_url: str | None = None
    """openai: the server's address; null takes the one under llm."""
    api_key_env: VariableName | None = None
    """openai: the environment variable that holds its key; null: that of llm, or none at another address."""
    headers_env: HeaderVariables | None = None
    """openai: as llm.headers_env; null: that of llm, or none at another address."""
    extra_body: ExtraBody | None = None
    """openai: as llm.extra_body; null: that of llm, or nothing at another address."""
    max_tokens: int = Field(default=40, ge=1)
    """Longest caption, in the captioner's tokens."""
    batch_size: int = Field(default=4, ge=1)
    """Pictures at a time (transformers)."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
