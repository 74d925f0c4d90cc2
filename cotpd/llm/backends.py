"""The models of a study: the one that the pipeline uses, and others that are asked the same questions.

Trade-off: the others differ in name, address, key, headers and extra fields only; temperature, seed and limits are
those of the one, as a study compares models and not settings. Answers of all stay side by side in the ledger, so
that to use another model's is to name it under llm.model: nothing is asked again.
"""

from collections.abc import Iterable

from cotpd.errors import ConfigError
from cotpd.llm.params import LlmParams


def list_backends(llm: LlmParams, names: Iterable[str] | None = None) -> list[LlmParams]:
    """The parameters to ask each model with, ``llm.model`` first; of ``names``, in their order, if they are given.

    Raises:
        ConfigError: Two models have one name, or a name is not among them.
    """
    found = {llm.model: llm.model_copy(update={"others": ()})}
    for other in llm.others:
        if other.model in found:
            raise ConfigError(f"llm.others: {other.model} is there twice", "Give each model once.")
        given = {name: value for name, value in other.model_dump().items() if value is not None}
        if other.base_url is not None:
            # one server's key and headers are never sent to another, nor fields that it may not know
            given = {"api_key_env": "", "headers_env": {}, "extra_body": {}} | given
        found[other.model] = found[llm.model].model_copy(update=given)
    wanted = list(found) if names is None else list(dict.fromkeys(names))
    for name in wanted:
        if name not in found:
            raise ConfigError(f"{name}: no such model", f"Under llm are {', '.join(found)}; add it to llm.others.")
    return [found[name] for name in wanted]
