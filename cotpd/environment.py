"""Environment variables that the libraries read at their import: no telemetry, no progress bars, few messages."""

import os

_DEFAULTS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TOKENIZERS_PARALLELISM": "false",  # the tokenizer's threads and forked workers do not mix
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TQDM_DISABLE": "1",  # cotpd.progress shows how far work has come
}


def silence_libraries() -> None:
    """Set each variable that the caller's environment does not; call it before the libraries are imported."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
