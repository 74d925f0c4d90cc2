"""The section `caption` of params.yaml: how pictures become words."""

from typing import Literal

from pydantic import Field

from cotpd.llm.params import ExtraBody, HeaderVariables
from cotpd.section import Section, VariableName


class CaptionParams(Section):
    """How pictures become words."""

    backend: Literal["tags", "transformers", "openai", "dataset", "none"] = "tags"
    """tags (picture tags and text read in it, offline), transformers (BLIP-2 and others), openai (a vision model),
    dataset (only captions that came with the data), none."""
    model: str | None = None
    """transformers: a hub name or folder (Salesforce/blip2-opt-2.7b); openai: the vision model's name."""
    base_url: str | None = None
    """openai: the server's address; null takes llm.base_url."""
    api_key_env: VariableName | None = None
    """openai: the NAME of the variable with its key; null: llm's, or none at another address."""
    headers_env: HeaderVariables | None = None
    """openai: as llm.headers_env; null: llm's, or none at another address."""
    extra_body: ExtraBody | None = None
    """openai: as llm.extra_body; null: llm's, or nothing at another address."""
    max_tokens: int = Field(default=40, ge=1)
    """Longest caption, in the captioner's tokens."""
    batch_size: int = Field(default=4, ge=1)
    """Pictures at a time (transformers)."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
