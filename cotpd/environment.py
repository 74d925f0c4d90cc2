"""Process-wide settings, in one place: nothing phones home, nothing chatters."""

import os

_DEFAULTS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",  # the tokenizer's threads and forked workers do not mix
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TQDM_DISABLE": "1",  # our own bars say what is going on
}


def silence_libraries() -> None:
    """Switch telemetry and chatter off, unless the caller's environment says otherwise."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
