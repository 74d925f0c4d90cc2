"""Versions of a registered model as they are: numbers, aliases, tags. What moves an alias is in cotpd.registry."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cotpd.errors import ModelError
from cotpd.registry.tracking_store import REACHABLE, explained

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class Version:
    """One registered version: its number, its aliases and its tags (scores, digests, commit)."""

    name: str
    number: int
    aliases: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    run_id: str = ""
    model_id: str = ""


def versions(client: "MlflowClient", name: str) -> list[Version]:
    """All versions of a model, the oldest first.

    Raises:
        ModelError: No model of that name is registered.
    """
    with explained(f"model {name}", REACHABLE):
        names = sorted(model.name for model in client.search_registered_models())
        if name not in names:
            raise ModelError(f"there is no registered model {name}", _known(names))
        aliases: dict[int, list[str]] = {}
        for alias, number in client.get_registered_model(name).aliases.items():
            aliases.setdefault(int(number), []).append(alias)
        found = client.search_model_versions(f"name = '{name}'", max_results=1000)
    return sorted(
        (
            Version(
                name,
                int(one.version),
                tuple(sorted(aliases.get(int(one.version), ()))),
                dict(one.tags),
                one.run_id or "",
                getattr(one, "model_id", None) or "",
            )
            for one in found
        ),
        key=lambda version: version.number,
    )


def find(client: "MlflowClient", name: str, which: str) -> Version:
    """The version that a number ("3") or an alias ("champion") means.

    Raises:
        ModelError: There is no such model, version or alias; the message names those that exist.
    """
    known = versions(client, name)
    for version in known:
        if which in version.aliases or which == str(version.number):
            return version
    have = ", ".join(
        [*sorted(alias for version in known for alias in version.aliases), *(str(v.number) for v in known)]
    )
    raise ModelError(
        f"model {name} has no version or alias {which!r}",
        f"It has: {have or 'no version at all'}. `cotpd registry list` shows more.",
    )


def _known(names: list[str]) -> str:
    return f"Registered: {', '.join(names)}." if names else "Nothing is registered yet: make run, or dvc repro."
