"""The registry that a command works on, and the registered model that it means."""

from pathlib import Path
from typing import TYPE_CHECKING

from cotpd.config import load_params
from cotpd.registry.relocation import repair_paths
from cotpd.registry.tracking_store import connect, find_database, read_store_params

if TYPE_CHECKING:
    from cotpd.registry.tracking_store import MlflowClient


def open_registry(name: str | None, *, writes: bool = False) -> tuple["MlflowClient", str]:
    """Connect to the registry of MLFLOW_TRACKING_URI, otherwise of params.yaml.

    Args:
        name: A registered name; None takes that of params.yaml.
        writes: Whether an alias will be moved. The paths of a moved project are then repaired: MLflow alone may
            serve the version, and it knows no other folder than the one in the database.

    Returns:
        The client, and the registered name.

    Raises:
        ModelError: There is no registry.
        ConfigError: params.yaml is needed and cannot be read.
    """
    if name is None:
        params = load_params()
        store, name = params.register_, params.registered_name
    else:
        store = read_store_params(Path())
    client = connect(store, Path())
    if writes:
        repair_paths(find_database(client.tracking_uri))
    return client, name
