"""Pictures into words: one captioner a module, all behind the interface of :mod:`cotpd.images.captioner`.

A picture is asked afresh by every backend but ``dataset``, which alone uses the captions that came with the
posts: a table in which two captioners are mixed would compare with nothing.
"""

from typing import TYPE_CHECKING

from cotpd.images.params import CaptionParams
from cotpd.llm.params import LlmParams

if TYPE_CHECKING:
    from cotpd.images.captioner import Captioner


def captioner(params: CaptionParams, llm: LlmParams) -> "Captioner":
    """The captioner that ``params.backend`` names. Models are loaded when the first picture is described.

    Args:
        params: The caption section.
        llm: Where the openai backend keeps its answers, and its address where ``params.base_url`` is null.

    Raises:
        ConfigError: The backend needs ``caption.model`` and it is null.
    """
    # Each backend is imported when it is chosen: torch and transformers take seconds.
    match params.backend:
        case "tags":
            from cotpd.images.tags_captioner import TagCaptioner

            return TagCaptioner(params)
        case "transformers":
            from cotpd.images.transformers_captioner import TransformersCaptioner

            return TransformersCaptioner(params)
        case "openai":
            from cotpd.images.openai_captioner import OpenAICaptioner

            return OpenAICaptioner(params, llm)
        case "dataset":
            from cotpd.images.dataset_captioner import DatasetCaptioner

            return DatasetCaptioner()
        case "none":
            from cotpd.images.dataset_captioner import NoCaptioner

            return NoCaptioner()
