"""The version that the outputs in this folder are, and whether the registry's alias agrees.

DVC restores outputs, but the alias is the registry's own: somebody may have moved it by hand, or another checkout.
"""

from dataclasses import dataclass
from pathlib import Path

from cotpd.data.tables import read_json
from cotpd.errors import DataError, ModelError
from cotpd.registry.params import RegisterParams
from cotpd.registry.tracking_store import connect
from cotpd.registry.versions import Version, versions

REGISTERED = Path("reports/registered.json")
_AGAIN = "dvc repro -f -s register"


@dataclass(frozen=True)
class Disagreement:
    """An alias that is on another version than the one that the outputs are, or on none."""

    alias: str
    """The address that `cotpd predict` asks, models:/NAME@ALIAS."""
    asked: int | None
    """The alias's version; None if there is no such alias."""
    outputs: int
    """The version of reports/registered.json."""

    def __str__(self) -> str:
        state = "on no version" if self.asked is None else f"version {self.asked}"
        return (
            f"{self.alias} is {state}, and the outputs here are version {self.outputs}; "
            f"if that is not meant: {_AGAIN}"
        )


@dataclass(frozen=True)
class RegisteredOutputs:
    """What reports/registered.json says."""

    name: str
    alias: str
    version: int

    @classmethod
    def read(cls, root: Path = Path()) -> "RegisteredOutputs":
        """Read the file that stage register wrote.

        Raises:
            DataError: It is missing, or was edited to something else.
        """
        values = read_json(root / REGISTERED, "name", "alias", "version")
        try:
            return cls(str(values["name"]), str(values["alias"]), int(values["version"]))
        except (ValueError, TypeError):
            raise DataError(f"{root / REGISTERED}: version is no number", f"Run: {_AGAIN}") from None

    def read_versions(self, params: RegisterParams, root: Path = Path()) -> list[Version]:
        """Read what the registry has under this name, the oldest version first.

        Raises:
            ModelError: The registry cannot be reached, or has no such model.
        """
        return versions(connect(params, root), self.name)

    def compare(self, registry: list[Version]) -> Disagreement | None:
        """Compare with the registry's versions; None where the alias is on this version."""
        asked = next((version.number for version in registry if self.alias in version.aliases), None)
        address = f"models:/{self.name}@{self.alias}"
        return None if asked == self.version else Disagreement(address, asked, self.version)


def find_disagreement(name: str, params: RegisterParams, root: Path = Path()) -> Disagreement | None:
    """Find out whether a registered name's alias is on another version than the outputs here; None if they agree.

    None, too, where nothing was registered here under this name and alias, or the registry cannot be read: whoever
    asks for a model next is told so.
    """
    try:
        outputs = RegisteredOutputs.read(root)
        if (outputs.name, outputs.alias) != (name, params.alias):
            return None
        return outputs.compare(outputs.read_versions(params, root))
    except (DataError, ModelError):
        return None
