"""The versions of a registered model: numbers, aliases, tags. What moves an alias is in cotpd.registry.aliases."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from cotpd.errors import ModelError
from cotpd.registry.alias_state import read_effective_aliases
from cotpd.registry.tracking_store import REACHABLE, explain_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PAGE = 1000  # rows that are asked for at once; MLflow returns no more


@dataclass(frozen=True)
class Version:
    """One registered version: its number, its aliases and its tags (scores, digests, commit)."""

    name: str
    number: int
    aliases: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    run_id: str = ""
    created: datetime | None = None

    @property
    def address(self) -> str:
        """Its address in MLflow."""
        return f"models:/{self.name}/{self.number}"


def list_versions(client: "MlflowClient", name: str) -> list[Version]:
    """Return all versions of a model, the oldest first.

    Their aliases are those of the record of moves, should a killed process have left MLflow's own behind it.

    Raises:
        ModelError: No model of that name is registered; the message names those that are.
    """
    with explain_errors(f"model {name}", REACHABLE):
        names = list_model_names(client)
        if name not in names:
            raise ModelError(f"there is no registered model {name}", _describe_names(names))
        number_of_alias = read_effective_aliases(client, name)
        search = partial(client.search_model_versions, f"name = '{name}'", max_results=_PAGE)
        rows = list(_read_pages(search))

    aliases: dict[int, list[str]] = {}
    for alias, number in sorted(number_of_alias.items()):
        aliases.setdefault(number, []).append(alias)
    versions = []
    for row in rows:
        number = int(row.version)
        created = datetime.fromtimestamp(row.creation_timestamp / 1000, UTC)
        labels = tuple(aliases.get(number, ()))
        versions.append(Version(name, number, labels, dict(row.tags), row.run_id or "", created))
    return sorted(versions, key=lambda version: version.number)


def list_model_names(client: "MlflowClient") -> list[str]:
    """Return the names of all registered models, sorted; a team's server has those of other projects, too."""
    search = partial(client.search_registered_models, max_results=_PAGE)
    return sorted(model.name for model in _read_pages(search))


def _read_pages(search: Callable[..., Any]) -> Iterator[Any]:
    """Yield the rows of all pages of a search: MLflow returns the first page alone, and does not say so."""
    token = None
    while True:
        page = search(page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def find_version(client: "MlflowClient", name: str, label: str) -> Version:
    """Return the version that a number ("3") or an alias ("champion") means.

    Raises:
        ModelError: There is no such model, version or alias; the message names those that exist.
    """
    versions = list_versions(client, name)
    for version in versions:
        if label in version.aliases or label == str(version.number):
            return version

    aliases = sorted(chain.from_iterable(version.aliases for version in versions))
    labels = ", ".join([*aliases, *(str(version.number) for version in versions)])
    raise ModelError(
        f"model {name} has no version or alias {label!r}",
        f"It has: {labels or 'no version at all'}. `cotpd registry list` shows more.",
    )


def _describe_names(names: list[str]) -> str:
    return f"Registered: {', '.join(names)}." if names else "Nothing is registered yet: make run, or dvc repro."
