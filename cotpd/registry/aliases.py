"""Versions of a registered model and the names they go by: challenger, champion, previous.

An alias moves in one write, so whoever serves ``models:/NAME@champion`` sees the old version or the new one, never
neither. Moving the champion takes two writes; the first keeps the way back.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cotpd.errors import ModelError
from cotpd.registry.store import explained

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous"


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
    with explained(f"model {name}", _known(client)):
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


def set_alias(client: "MlflowClient", name: str, alias: str, number: int) -> None:
    """Give an alias to a version, taking it from whichever had it."""
    with explained(f"alias {alias} of model {name}", "Aliases are letters, digits, dashes and underscores."):
        client.set_registered_model_alias(name, alias, str(number))


def promote(client: "MlflowClient", name: str, which: str = CHALLENGER) -> tuple[Version, Version | None]:
    """Make a version the champion; the former champion becomes ``previous``.

    Every change of champion goes through here or through :func:`rollback`.

    Returns:
        The new champion, and the former one: None if there was none or it is the same.

    Raises:
        ModelError: There is no such model, version or alias.
    """
    version = find(client, name, which)
    former = next((one for one in versions(client, name) if CHAMPION in one.aliases), None)
    if former is not None and former.number == version.number:
        return version, None
    if former is not None:
        set_alias(client, name, PREVIOUS, former.number)
    set_alias(client, name, CHAMPION, version.number)
    return find(client, name, CHAMPION), former


def rollback(client: "MlflowClient", name: str) -> tuple[Version, Version]:
    """Put the previous champion back; the two change places, so that a second rollback undoes the first.

    Returns:
        The champion after and before.

    Raises:
        ModelError: There is no champion, or nothing to go back to.
    """
    former, back = find(client, name, CHAMPION), find(client, name, PREVIOUS)
    set_alias(client, name, CHAMPION, back.number)
    set_alias(client, name, PREVIOUS, former.number)
    return find(client, name, CHAMPION), former


def _known(client: "MlflowClient") -> str:
    names = ", ".join(sorted(model.name for model in client.search_registered_models()))
    return f"Registered: {names}." if names else "Nothing is registered yet: make run, or dvc repro."
