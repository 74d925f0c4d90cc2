"""Which captioner the parameters name: one module a backend, all behind the interface of cotpd.images.captioner.

A picture is described afresh by every backend but ``dataset``, which alone uses the captions that came with the
posts: a table in which two captioners are mixed would compare with nothing. Each backend is imported when it is
chosen, for each needs packages of its own, which may not be installed.
"""

from cotpd.images.captioner import Captioner
from cotpd.images.params import CaptionParams
from cotpd.llm.params import LlmParams


def build_captioner(params: CaptionParams, llm: LlmParams) -> Captioner:
    """Build the captioner that ``params.backend`` names. Models are loaded when the first picture is described.

    Args:
        params: The caption section.
        llm: Where the openai backend keeps its answers, and its address where ``params.base_url`` is null.

    Raises:
        ConfigError: The backend needs ``caption.model`` and it is null, or its device does not exist.
    """
    match params.backend:
        case "tags":
            from cotpd.images.tags_captioner import TagsCaptioner  # noqa: PLC0415  see the head

            return TagsCaptioner(params)
        case "transformers":
            from cotpd.images.transformers_captioner import TransformersCaptioner  # noqa: PLC0415  see the head

            return TransformersCaptioner(params)
        case "openai":
            from cotpd.images.openai_captioner import OpenAICaptioner  # noqa: PLC0415  see the head

            return OpenAICaptioner(params, llm)
        case "dataset":
            from cotpd.images.dataset_captioner import DatasetCaptioner  # noqa: PLC0415  see the head

            return DatasetCaptioner()
        case "none":
            from cotpd.images.dataset_captioner import NoCaptioner  # noqa: PLC0415  see the head

            return NoCaptioner()
