"""The prompts in MLflow's prompt registry, so that a run names the words that made its knowledge.

Trade-off: a prompt is registered as its whole file, head and body, which reads less smoothly in MLflow's page than
the body alone, but a changed system message or example is a changed prompt. What has not changed gets no version.
"""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from cotpd.config import Params
from cotpd.data.records import Kind
from cotpd.llm.prompts import PromptSet

if TYPE_CHECKING:
    from mlflow import MlflowClient

_FOREIGN = re.compile(r"[^A-Za-z0-9_.-]+")  # what MLflow takes in no name


def used_prompts(params: Params) -> dict[str, str]:
    """The text of each prompt file that a run's parameters use, by its name in the registry: cotpd-SET-KIND.

    Raises:
        ConfigError: A prompt set cannot be used.
    """
    wanted: Iterable[tuple[str, tuple[Kind, ...]]] = (
        (params.ask.prompts, params.ask.kinds),
        (params.augment.prompts, params.augment.kinds),
    )
    found = {}
    for name, kinds in wanted:
        prompts = PromptSet.load(name, kinds)
        for kind in kinds:
            entry = _FOREIGN.sub("-", f"cotpd-{prompts.folder.name}-{kind}")
            found[entry] = prompts.prompts[kind].path.read_text("utf-8-sig")
    return found


def register_prompts(client: "MlflowClient", texts: Mapping[str, str]) -> dict[str, str]:
    """Register what is new or has changed; returns the tags that name each prompt's version."""
    tags = {}
    for name, text in texts.items():
        latest = client.load_prompt(f"prompts:/{name}@latest", allow_missing=True)
        if latest is None or latest.template != text:
            latest = client.register_prompt(name, text, commit_message="as used by a run of the pipeline")
        tags[f"prompt.{name}"] = str(latest.version)
    return tags
