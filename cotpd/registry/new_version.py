"""Register a trained student as a new version: one MLflow run with its origin, its package and its digests."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse
from urllib.request import url2pathname

from cotpd.registry.aliases import set_alias
from cotpd.registry.leftovers import clear_leftovers, open_registration_run
from cotpd.registry.model_card import render_card, shorten_card
from cotpd.registry.origin import Origin, format_headlines, log_origin
from cotpd.registry.pack import Interface, log_model
from cotpd.registry.params import RegisterParams
from cotpd.registry.tracking_store import connect, explain_errors, get_or_create_experiment, use_store
from cotpd.registry.training_curves import measure_trainings
from cotpd.registry.version_digests import FILES, format_digests

if TYPE_CHECKING:
    from mlflow import MlflowClient


# of a registered model, when it is made; whatever a person writes there later stays
_ABOUT = (
    "A student made by CoTPD: it reads text alone. Each version's description is its model card. "
    "The alias challenger is the latest, champion the one that is served, previous the champion before."
)


@dataclass(frozen=True)
class RegisteredVersion:
    """A registered version: its name, number, alias and address, and the MLflow run that logged it."""

    name: str
    version: int
    alias: str
    uri: str
    run_id: str


def register_model(
    folder: Path, name: str, interface: Interface, origin: Origin, store: RegisterParams, root: Path = Path()
) -> RegisteredVersion:
    """Log a run, register a model's folder as a new version, and give it the alias of ``store``.

    Args:
        folder: The trained student's folder.
        name: The registered model's name.
        interface: What the model takes and returns.
        origin: What it was made from.
        store: MLflow's store and experiment, and the alias.
        root: The project's folder, where a SQLite store lies.

    Raises:
        ModelError: The folder is missing, or MLflow refuses.
    """
    client = connect(store, root, create=True)

    remedy = "See the message; the tracking server must be reachable and writable."
    with explain_errors(f"registering {name}", remedy):
        experiment = get_or_create_experiment(client, store.experiment)
        clear_leftovers(client, experiment)
        with use_store(client), open_registration_run(client, experiment, name) as run:
            tags = log_origin(client, experiment, run.info.run_id, name, origin, root)
            card = _build_card(client, name, origin, tags)
            source = log_model(folder, interface, card, origin.evidence)
            tags |= format_headlines(origin.metrics, origin.score)
            tags[FILES] = _format_logged_digests(client, source)
            # Inside the run: if this process is killed before, the next registration clears the run.
            number = _create_version(client, name, source, run.info.run_id, tags, card)
            client.set_tag(run.info.run_id, "mlflow.runName", f"{name} version {number}")

    set_alias(client, name, store.alias, number)
    return RegisteredVersion(name, number, store.alias, f"models:/{name}@{store.alias}", run.info.run_id)


def _format_logged_digests(client: "MlflowClient", source: str) -> str:
    """Return the tag with the digests of a logged model's files as the store holds them."""
    import mlflow  # noqa: PLC0415  after connect() has switched off its telemetry

    location = client.get_logged_model(source.rpartition("/")[2]).artifact_location
    with tempfile.TemporaryDirectory() as scratch:
        address = urlparse(location)
        if address.scheme in ("file", ""):
            return format_digests(Path(url2pathname(address.path)))
        return format_digests(Path(mlflow.artifacts.download_artifacts(location, dst_path=scratch)))


def _build_card(client: "MlflowClient", name: str, origin: Origin, tags: dict[str, str]) -> str:
    """Return the version's model card; "" if nothing is known for one."""
    if origin.card is None:
        return ""
    cost = [*origin.card.cost, *measure_trainings(client, tags)]
    return render_card(name, replace(origin.card, cost=cost), tags)


def _create_version(
    client: "MlflowClient", name: str, source: str, run_id: str, tags: dict[str, str], card: str
) -> int:
    """Create a version, and the registered model if it is its first; return the version's number."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415  after connect() has switched off its telemetry

    try:
        client.create_registered_model(name, description=_ABOUT)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    description = shorten_card(card) or None
    model_id = source.rpartition("/")[2]  # a server refuses a version whose request names no logged model
    version = client.create_model_version(
        name, source, run_id, tags=tags, description=description, model_id=model_id
    )
    return int(version.version)
