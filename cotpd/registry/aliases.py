"""The names that versions of a registered model go by: challenger, champion, previous, and how they move.

An alias moves in one write, so whoever serves ``models:/NAME@champion`` sees the old version or the new one, never
neither. Moving the champion takes two writes; the first keeps the way back.
"""

from typing import TYPE_CHECKING

from cotpd.registry.model_address import require_unchanged
from cotpd.registry.tracking_store import explained
from cotpd.registry.versions import Version, find, versions

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous"


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
        ModelError: There is no such model, version or alias, or its files are not those that were registered.
    """
    version = find(client, name, which)
    require_unchanged(client, version)
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
    require_unchanged(client, back)
    set_alias(client, name, CHAMPION, back.number)
    set_alias(client, name, PREVIOUS, former.number)
    return find(client, name, CHAMPION), former
