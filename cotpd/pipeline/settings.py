"""The parameters that decide how a run comes out, as its report shows them."""

from typing import Any

from cotpd.config import Params

# Batch sizes of the captioner, time-outs and the like are left out: they do not make the evaluation run again, so
# that the report would show stale values. None shows a section whole.
SHOWN: dict[str, tuple[str, ...] | None] = {
    "data": ("format", "limit"),
    "caption": ("backend", "model"),
    "llm": ("model", "temperature", "seed"),
    "ask": ("kinds", "prompts", "max_tokens"),
    "augment": ("kinds", "share", "prompts"),
    "student": None,
    "baseline": None,
    "teach": None,
    "train": None,
    "distil": None,
    "control": None,
}


def list_settings(params: Params) -> list[tuple[str, Any]]:
    """Return name and value of each parameter that a report shows; a list is joined by commas."""
    sections = params.model_dump(mode="json", by_alias=True)
    settings: list[tuple[str, Any]] = [("task", params.task), ("seed", params.seed)]
    for section, keys in SHOWN.items():
        settings += [(f"{section}.{key}", sections[section][key]) for key in keys or sections[section]]
    return [(name, ", ".join(map(str, value)) if isinstance(value, list) else value) for name, value in settings]
