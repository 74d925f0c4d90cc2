"""The prompts in MLflow's prompt registry, so that a run names the words that made its knowledge.

Trade-off: a prompt is registered as its whole file, head and body, which reads less smoothly in MLflow's page than
the body alone, but a changed system message or example is a changed prompt. An unchanged one gets no new version.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

_REFUSED_BY_MLFLOW = re.compile(r"[^A-Za-z0-9_.-]+")  # characters of a prompt's name


def build_prompt_name(prompt_set: str, kind: str) -> str:
    """Return a prompt's name in the registry: cotpd-SET-KIND."""
    return _REFUSED_BY_MLFLOW.sub("-", f"cotpd-{prompt_set}-{kind}")


def register_prompts(client: "MlflowClient", texts: Mapping[str, str]) -> dict[str, str]:
    """Register each prompt that is new or has changed, by its name; return the tags that name its version."""
    tags = {}
    for name, text in texts.items():
        latest = client.load_prompt(f"prompts:/{name}@latest", allow_missing=True)
        if latest is None or latest.template != text:
            latest = client.register_prompt(name, text, commit_message="as used by a run of the pipeline")
        tags[f"prompt.{name}"] = str(latest.version)
    return tags
