"""The Prefect server that the settings name, refused in a sentence where it is missing, silent or too old."""

from collections.abc import Iterator
from contextlib import contextmanager

import prefect
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL

from cotpd.errors import ConfigError


@contextmanager
def open_server() -> Iterator[SyncPrefectClient]:
    """Open a client of the server; without this look Prefect would start a server of its own and end it again.

    Raises:
        ConfigError: No server is named, none answers, or it is of an older release than this Prefect.
    """
    url = PREFECT_API_URL.value()
    if not url:
        remedy = "Run in the folder of prefect.toml, or set PREFECT_API_URL, such as http://127.0.0.1:4200/api."
        raise ConfigError("no Prefect server is named", remedy)
    with get_client(sync_client=True) as client:
        if client.api_healthcheck():
            raise ConfigError(
                f"no Prefect server answers at {url}", "Start one in another terminal: prefect server start"
            )
        _refuse_old_server(client, url)
        yield client


def _refuse_old_server(client: SyncPrefectClient, url: str) -> None:
    """Raise an error if the server is of an older release, which may lack what the flows ask for."""
    served = client.api_version()
    if _read_release(served) < _read_release(prefect.__version__):
        problem = f"the Prefect server at {url} is {served}, older than the client {prefect.__version__}"
        raise ConfigError(problem, f"Upgrade the server, or install prefect {served} here.")


def _read_release(version: str) -> tuple[int, ...]:
    """Return major and minor number of a version."""
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
