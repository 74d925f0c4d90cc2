"""The version that an alias names at this moment, read often and cheaply: a server follows it."""

from pathlib import Path
from typing import TYPE_CHECKING

from cotpd.errors import ModelError
from cotpd.registry.model_address import parse_version_address
from cotpd.registry.params import RegisterParams
from cotpd.registry.tracking_store import REACHABLE, connect, explain_errors, find_database, read_store_params

if TYPE_CHECKING:
    from mlflow import MlflowClient


class AliasTarget:
    """An alias of a registered model.

    Args:
        client: A client of the registry.
        name: The registered model.
        alias: One of its aliases.
    """

    def __init__(self, client: "MlflowClient", name: str, alias: str) -> None:
        self.name, self.alias, self._client = name, alias, client

    def read_number(self) -> int | None:
        """Return the number of the version that has the alias; None if there is no such alias or model.

        Raises:
            ModelError: The registry does not answer, or is not there.
        """
        from mlflow.exceptions import MlflowException  # noqa: PLC0415  takes a second; only servers come here

        database = find_database(self._client.tracking_uri)
        if database is not None and not database.is_file():  # SQLite would make an empty one
            raise ModelError(f"{database}: there is no registry here", REACHABLE)
        with explain_errors(f"alias {self.alias} of model {self.name}", REACHABLE):
            try:
                version = self._client.get_model_version_by_alias(self.name, self.alias)
            except MlflowException as error:
                if error.error_code in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"):
                    return None
                raise
        return int(version.version)


def open_alias(address: str, params: RegisterParams | None = None, root: Path | None = None) -> AliasTarget | None:
    """Return the alias of an address ``models:/NAME@ALIAS``; None for any other address or a folder.

    Args:
        address: As for :func:`cotpd.registry.model_address.find_student_folder`.
        params: Names the registry; params.yaml in ``root`` unless given. MLFLOW_TRACKING_URI outweighs both.
        root: The project's folder; the current one unless given.

    Raises:
        ModelError: There is no registry.
        ConfigError: params.yaml is needed and cannot be read.
    """
    parts = parse_version_address(address)
    if parts is None or parts.alias is None:
        return None
    root = root or Path.cwd()
    return AliasTarget(connect(params or read_store_params(root), root), parts.name, parts.alias)
