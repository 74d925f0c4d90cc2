"""The section `llm` of params.yaml: a server, how it is asked, and what may be spent."""

import json
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from cotpd.section import Section, VariableName

_OWN_FIELDS = {
    "model": "llm.model",
    "messages": "the prompts",
    "max_tokens": "ask.max_tokens",
    "max_completion_tokens": "llm.length_key",
    "temperature": "llm.temperature",
    "seed": "llm.seed",
    "response_format": "llm.structured",
}


def _check_extra_body(fields: dict[str, Any]) -> dict[str, Any]:
    """Refuse what is no JSON, and fields that have a parameter or would change how an answer is read."""
    try:
        if json.loads(json.dumps(fields, allow_nan=False)) != fields:
            raise ValueError("it has a key that is no string: put it in quotes")
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"cannot be sent as JSON: {error}") from None
    for name in fields:
        if name in _OWN_FIELDS:
            raise ValueError(f"{name} has its own place: {_OWN_FIELDS[name]}")
        if name in ("stream", "n"):
            raise ValueError(f"{name} cannot be set: one whole answer is read")
    return fields


def _check_header_names(variables: dict[str, str]) -> dict[str, str]:
    for name in variables:
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
            raise ValueError(f"{name!r} is not the name of a header")
    if len({name.lower() for name in variables}) < len(variables):
        raise ValueError("a header is there twice, in other case")
    return variables


ExtraBody = Annotated[dict[str, Any], AfterValidator(_check_extra_body)]
HeaderVariables = Annotated[dict[str, VariableName], AfterValidator(_check_header_names)]


class OtherLlmParams(Section):
    """A further model that `cotpd ask` asks the same questions."""

    model: str
    """The model's name as its server knows it."""
    base_url: str | None = None
    """Its address; null takes llm.base_url."""
    api_key_env: VariableName | None = None
    """The environment variable that holds its key; null: that of llm, or none at another address."""
    headers_env: HeaderVariables | None = None
    """Its headers, as llm.headers_env; null: those of llm, or none at another address."""
    extra_body: ExtraBody | None = None
    """Its further fields, as llm.extra_body; null: those of llm, or none at another address."""


class LlmParams(Section):
    """The language model and the ledger of its answers. The API key stays in the environment."""

    base_url: str = "http://127.0.0.1:8993/v1"
    """Address of any OpenAI-compatible server; `cotpd llm serve` starts one at the default."""
    model: str = "qwen2.5-coder-1.5b-instruct"
    """The model's name as the server knows it."""
    api_key_env: VariableName = "OPENAI_API_KEY"
    """NAME of the environment variable with the key, which itself stays there; a local server needs none."""
    headers_env: HeaderVariables = Field(default_factory=dict)
    """Further headers, each with the NAME of its value's variable: {OpenAI-Organization: OPENAI_ORG_ID}. They go
    to the server of base_url and to no other."""
    extra_body: ExtraBody = Field(default_factory=dict)
    """Further fields of each request, sent as they are: {reasoning_effort: low}. They are part of its key."""
    others: tuple[OtherLlmParams, ...] = ()
    """Further models for `cotpd ask`, to compare: {model: NAME, base_url: null, api_key_env: null}; the pipeline
    asks the model above alone."""
    temperature: float | None = Field(default=0.0, ge=0, le=2)
    """Sampling temperature; null sends none, for models that refuse one."""
    seed: int | None = 13
    """Sampling seed sent with every request; null sends none."""
    length_key: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """max_tokens, or max_completion_tokens, which OpenAI's reasoning models want."""
    vision: bool = False
    """Show the model the picture itself (multimodality); false shows it the caption."""
    picture_tokens: int = Field(default=765, ge=0)
    """Tokens of a picture, for `cotpd plan`; the default is gpt-4o's at 768 pixels."""
    structured: bool = True
    """Send a prompt's schema as response_format; a server that refuses it is asked without."""
    concurrency: int = Field(default=8, ge=1)
    """Requests in flight at once."""
    timeout: float = Field(default=120.0, gt=0)
    """Seconds before a request is given up."""
    max_answer_bytes: int = Field(default=2_000_000, ge=1000)
    """Longest answer of a server, unpacked; a longer one is not read on, and counts as failed."""
    retries: int = Field(default=4, ge=0)
    """Further tries after a passing fault, with growing pauses."""
    prices: str | None = None
    """A price file of your own (YAML); null takes cotpd/llm/spending/prices.yaml."""
    mode: Literal["live", "batch"] = "live"
    """live: ask one by one. batch: OpenAI's Batch API, half the price and answered within a day."""
    batch_requests: int = Field(default=50_000, ge=1, le=50_000)
    """batch: requests in one job; fewer where the server's queue takes fewer tokens."""
    batch_wait: float | None = Field(default=None, ge=0)
    """batch: seconds to wait before the step ends, to be run again; null waits for the answers."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """Most requests sent in a minute; null leaves it to the server's headers."""
    tokens_per_minute: float | None = Field(default=None, gt=0)
    """Most tokens in a minute, sent and allowed to come back; null leaves it to the server's headers."""
    max_cost: float | None = Field(default=None, ge=0)
    """Dollars that one step may spend; it then ends, and goes on when run again. Needs a known price."""
    max_tokens: int | None = Field(default=None, ge=0)
    """Tokens, sent and received, that one step may use; likewise."""
    ledger: str = "ledger.db"
    """Keeps every answer: an SQLite file, or an SQLAlchemy URL (postgresql+psycopg://user@host/db). COTPD_LEDGER
    outweighs it."""
    recorded: str | None = None
    """Recorded answers to import into the ledger on first use; null imports none."""
