"""Further draws of an answer: the same question sampled again, as a request of its own.

Trade-off: the ledger answers an equal request again, so each draw has a seed of its own. Without a seed the
temperature falls a little with each draw, which costs some variety but needs no field that servers refuse.
"""

from cotpd.errors import ConfigError
from cotpd.llm.params import LlmParams

TEMPERATURE = 0.7  # of further answers, if the first is asked for at 0
_COOLING = 0.95  # without a seed: the temperature of each draw over that of the draw before


def build_draw_params(llm: LlmParams, draw: int) -> LlmParams:
    """Return the parameters of one of several answers to a question.

    Args:
        llm: The parameters of the first answer, which stay as they are for draw 0.
        draw: 0 for the first answer.

    Raises:
        ConfigError: Neither a seed nor a temperature is sent, so that all draws would be one request.
    """
    if draw == 0:
        return llm
    params = build_sampling_params(llm, draw, TEMPERATURE)
    if params is None:
        raise ConfigError(
            "several answers to one question (ask.answers) need llm.seed or llm.temperature",
            "Without both, every draw is the same request, which the ledger answers once. Set either.",
        )
    return params


def build_sampling_params(llm: LlmParams, number: int, temperature: float) -> LlmParams | None:
    """Return parameters that sample another answer.

    Args:
        llm: The parameters of the first request.
        number: Counts the further requests from 1; each has its own seed, or without a seed its own temperature.
        temperature: The temperature where ``llm.temperature`` is 0, at which another seed changes nothing.

    Returns:
        None if neither a seed nor a temperature is sent: it would be the same request.
    """
    sampling = temperature if llm.temperature == 0 else llm.temperature
    if llm.seed is not None:
        return llm.model_copy(update={"seed": llm.seed + number, "temperature": sampling})
    if sampling is None:
        return None
    cooler = float(f"{sampling * _COOLING**number:.4g}")  # downwards, because some servers allow 1 at most
    return llm.model_copy(update={"temperature": cooler})
