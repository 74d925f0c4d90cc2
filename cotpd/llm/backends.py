"""The models of a study: the model that the pipeline uses, and others that are asked the same questions.

Trade-off: the models differ only in name, address, key, headers and extra fields. Temperature, seed and limits are
shared, because a study compares models and not settings. The ledger keeps the answers of all of them: to use
another model's answers, name it under llm.model, and nothing is asked again.
"""

from collections.abc import Iterable

from cotpd.errors import ConfigError
from cotpd.llm.params import LlmParams


def list_backends(llm: LlmParams, names: Iterable[str] | None = None) -> list[LlmParams]:
    """Return the parameters to ask each model with, ``llm.model`` first.

    Args:
        llm: The section of params.yaml.
        names: Only these models, in this order; None returns all.

    Raises:
        ConfigError: Two models have the same name, or a name is unknown.
    """
    backends = {llm.model: llm.model_copy(update={"others": ()})}
    for model in llm.others:
        if model.model in backends:
            raise ConfigError(f"llm.others: {model.model} is there twice", "Give each model once.")
        fields = {name: value for name, value in model.model_dump().items() if value is not None}
        if model.base_url is not None:
            # one server's key and headers are never sent to another, nor fields that it may not know
            fields = {"api_key_env": "", "headers_env": {}, "extra_body": {}} | fields
        backends[model.model] = backends[llm.model].model_copy(update=fields)
    chosen = list(backends) if names is None else list(dict.fromkeys(names))
    for name in chosen:
        if name not in backends:
            raise ConfigError(
                f"{name}: no such model", f"Under llm are {', '.join(backends)}; add it to llm.others."
            )
    return [backends[name] for name in chosen]
