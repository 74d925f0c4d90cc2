"""The version that the outputs in this folder are, and whether the registry's alias agrees.

DVC restores outputs, but the alias is the registry's own: a user or another checkout may have moved it meanwhile.
"""

from dataclasses import dataclass
from pathlib import Path

from cotpd.data.tables import read_json
from cotpd.errors import DataError, ModelError
from cotpd.registry.params import RegisterParams
from cotpd.registry.store_answers import ask_store
from cotpd.registry.tracking_store import connect, find_database, resolve_uri
from cotpd.registry.versions import Version, list_versions

_REGISTER_AGAIN = "dvc repro -f -s register"


@dataclass(frozen=True)
class Disagreement:
    """An alias that is on another version than the one that the outputs are, or on none."""

    address: str
    """The address that `cotpd predict` asks for, models:/NAME@ALIAS."""
    registry_version: int | None
    """The alias's version in the registry; None if there is no such alias."""
    output_version: int
    """The version that these outputs were registered as."""

    def __str__(self) -> str:
        state = "on no version" if self.registry_version is None else f"version {self.registry_version}"
        return (
            f"{self.address} is {state}, and the outputs here are version {self.output_version}; "
            f"if that is not meant: {_REGISTER_AGAIN}"
        )


@dataclass(frozen=True)
class RegisteredOutputs:
    """The contents of `Workspace.registered`: the version that stage register made of the outputs here."""

    name: str
    alias: str
    version: int

    @classmethod
    def read(cls, path: Path) -> "RegisteredOutputs":
        """Read the file that stage register wrote, ``Workspace.registered``.

        Raises:
            DataError: It is missing, or was edited to something else.
        """
        values = read_json(path, "name", "alias", "version")
        try:
            return cls(str(values["name"]), str(values["alias"]), int(values["version"]))
        except (ValueError, TypeError):
            raise DataError(f"{path}: version is no number", f"Run: {_REGISTER_AGAIN}") from None

    def read_versions(self, params: RegisterParams) -> list[Version]:
        """Read the registry's versions under this name, the oldest first.

        Raises:
            ModelError: The registry cannot be reached, or has no such model.
        """
        return list_versions(connect(params, Path()), self.name)

    def list_alias_versions(self, versions: list[Version]) -> list[int]:
        """Return the number of the version that has the alias, in a list that is empty without such an alias."""
        return [version.number for version in versions if self.alias in version.aliases]

    def compare(self, numbers: list[int]) -> Disagreement | None:
        """Return how the alias in the registry disagrees with this version; None if it is on this version."""
        if self.version in numbers:
            return None
        return Disagreement(f"models:/{self.name}@{self.alias}", numbers[0] if numbers else None, self.version)


def find_disagreement(path: Path, name: str, params: RegisterParams) -> Disagreement | None:
    """Return how a registered name's alias disagrees with the outputs here; None if they agree.

    None, too, if nothing was registered here under this name and alias, or if the registry cannot be read: loading
    a model reports that.

    Args:
        path: The file that stage register wrote, ``Workspace.registered``.
        name: The registered name.
        params: The registry's address, and the alias.
    """
    try:
        outputs = RegisteredOutputs.read(path)
        if (outputs.name, outputs.alias) != (name, params.alias):
            return None
        database = find_database(resolve_uri(params, Path()))
        question = f"versions of {outputs.name}@{outputs.alias}"
        numbers = ask_store(database, question, lambda: outputs.list_alias_versions(outputs.read_versions(params)))
        return outputs.compare(numbers)
    except (DataError, ModelError):
        return None
