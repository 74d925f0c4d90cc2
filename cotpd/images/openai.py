"""Captions by a vision model behind an OpenAI-compatible address, each bought once: they go through the ledger.

A picture travels in the request, resized as in :mod:`cotpd.images.sight`.
"""

from collections.abc import Sequence

from cotpd.config import CaptionParams, LlmParams
from cotpd.data.records import Kind
from cotpd.errors import ConfigError
from cotpd.images.captioner import PictureCaptioner, Said
from cotpd.images.pictures import Picture
from cotpd.images.sight import data_url
from cotpd.llm.ask import Request, ask_all

WORDING = (
    "Describe the picture in one plain sentence: what and who can be seen, and any text in it. At most 25 words."
)


class OpenAICaptioner(PictureCaptioner):
    """Asks a vision chat model.

    Args:
        params: ``model`` is the vision model's name; ``base_url`` null takes the one under llm, and its key is
            that of llm at the same address, at another the one that ``api_key_env`` names, or none.
        llm: Ledger, limits and the name of the key's variable.

    Raises:
        ConfigError: ``params.model`` is null.
    """

    backend = "openai"
    batch_size = 64  # decoded pictures held in memory; of these llm.concurrency are in flight

    def __init__(self, params: CaptionParams, llm: LlmParams) -> None:
        if not params.model:
            raise ConfigError("caption.model: the openai backend needs a model", "Name one that sees pictures.")
        at = params.base_url or llm.base_url
        key = llm.api_key_env if at.rstrip("/") == llm.base_url.rstrip("/") else ""  # no server gets another's key
        key = params.api_key_env or key
        self._llm = llm.model_copy(update={"model": params.model, "base_url": at, "api_key_env": key})
        self._max_tokens = params.max_tokens

    def describe(self, pictures: Sequence[Picture]) -> list[Said]:
        """See :class:`PictureCaptioner`.

        Raises:
            LlmError: Nothing answers, or the server refuses key, quota or model.
        """
        requests = [self._request(picture) for picture in pictures]
        result = ask_all(requests, self._llm, progress=False, step="caption")
        said = {answer.id: _said(answer.id, answer.text, answer.finish_reason) for answer in result.answers}
        failed = {row.id: Said(None, f"{row.id}: {row.reason}: {row.remedy}") for row in result.failed}
        return [(said | failed)[picture.name] for picture in pictures]

    def _request(self, picture: Picture) -> Request:
        content = [
            {"type": "text", "text": WORDING},
            {"type": "image_url", "image_url": {"url": data_url(picture.image)}},
        ]
        # A request must have a kind; of the six, this is the one about what a picture shows.
        return Request(picture.name, Kind.IMAGE, [{"role": "user", "content": content}], None, self._max_tokens)


def _said(name: str, text: str, finish_reason: str) -> Said:
    if finish_reason in ("refusal", "content_filter", "empty") or not text.strip():
        return Said(None, f"{name}: the model would not describe it ({finish_reason or 'empty answer'})")
    return Said(text)
