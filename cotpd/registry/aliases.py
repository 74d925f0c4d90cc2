"""The aliases of a registered model's versions: challenger, champion, previous, and how they move.

An alias moves in one write, so a server of ``models:/NAME@champion`` reads the old version or the new one, never
none. Moving the champion takes two writes; the first one keeps the way back.
"""

from typing import TYPE_CHECKING

from cotpd.registry.model_address import require_unchanged
from cotpd.registry.tracking_store import explain_errors
from cotpd.registry.versions import Version, find_version, list_versions

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous"


def set_alias(client: "MlflowClient", name: str, alias: str, number: int) -> None:
    """Give an alias to a version of a model, taking it from the version that had it.

    Raises:
        ModelError: MLflow refuses the alias, or cannot be reached.
    """
    with explain_errors(f"alias {alias} of model {name}", "Aliases are letters, digits, dashes and underscores."):
        client.set_registered_model_alias(name, alias, str(number))


def promote(client: "MlflowClient", name: str, label: str = CHALLENGER) -> tuple[Version, Version | None]:
    """Make a version, given by number or alias, the champion; the former champion becomes ``previous``.

    Every change of champion goes through here or through :func:`roll_back`.

    Returns:
        The new champion, and the former one: None if there was none or it is the same.

    Raises:
        ModelError: There is no such model, version or alias, or its files are not those that were registered.
    """
    version = find_version(client, name, label)
    require_unchanged(client, version)
    champions = [candidate for candidate in list_versions(client, name) if CHAMPION in candidate.aliases]
    former = champions[0] if champions else None
    if former is not None and former.number == version.number:
        return version, None

    if former is not None:
        set_alias(client, name, PREVIOUS, former.number)
    set_alias(client, name, CHAMPION, version.number)
    return find_version(client, name, CHAMPION), former


def roll_back(client: "MlflowClient", name: str) -> tuple[Version, Version]:
    """Make the previous champion champion again. The two change places, so a second rollback undoes the first.

    Returns:
        The champion after and before.

    Raises:
        ModelError: There is no champion or no previous one, or the previous one's files are not those that were
            registered.
    """
    former = find_version(client, name, CHAMPION)
    previous = find_version(client, name, PREVIOUS)
    require_unchanged(client, previous)

    set_alias(client, name, CHAMPION, previous.number)
    set_alias(client, name, PREVIOUS, former.number)
    return find_version(client, name, CHAMPION), former
