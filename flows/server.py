"""The Prefect server that the settings name, refused in a sentence where it is missing, silent or too old."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import prefect
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import (
    PREFECT_API_REQUEST_TIMEOUT,
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    temporary_settings,
)

from cotpd.errors import ConfigError

_SECONDS = 10.0  # that a server may take to answer; with Prefect's own tries a silent one costs five minutes
_REFUSALS = {401, 403}  # statuses of HTTP


@contextmanager
def open_server() -> Iterator[SyncPrefectClient]:
    """Open a client of the server; without this look Prefect would start a server of its own and end it again.

    Raises:
        ConfigError: As of :func:`refuse_unusable_server`.
    """
    refuse_unusable_server()
    with get_client(sync_client=True) as client:
        yield client


def refuse_unusable_server() -> None:
    """Ask the server for its version.

    Raises:
        ConfigError: No server is named, none answers, it asks for a password or has failed inside, it is no server
            of Prefect's, or it is of an older release than this Prefect.
    """
    url = PREFECT_API_URL.value()
    if not url:
        remedy = "Run in the folder of prefect.toml, or set PREFECT_API_URL, such as http://127.0.0.1:4200/api."
        raise ConfigError("no Prefect server is named", remedy)
    patience = {PREFECT_API_REQUEST_TIMEOUT: _SECONDS, PREFECT_CLIENT_MAX_RETRIES: 0}
    try:
        with temporary_settings(patience), get_client(sync_client=True) as client:
            served = client.api_version()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, RuntimeError) as error:
        raise _explain_silence(url, error) from None
    if _read_release(served) < _read_release(prefect.__version__):
        problem = f"the Prefect server at {url} is {served}, older than the client {prefect.__version__}"
        raise ConfigError(problem, f"Upgrade the server, or install prefect {served} here.")


def _explain_silence(url: str, error: Exception) -> ConfigError:
    """Return why a server gave no version, with a remedy."""
    if isinstance(error, httpx.TimeoutException):
        problem = f"the Prefect server at {url} does not answer within {_SECONDS:g} seconds"
        return ConfigError(problem, "See its log, and that it and its database run.")
    status = error.response.status_code if isinstance(error, httpx.HTTPStatusError) else 0
    if status in _REFUSALS:
        problem = f"the Prefect server at {url} refuses this client ({status})"
        return ConfigError(problem, "Set PREFECT_API_AUTH_STRING, or PREFECT_API_KEY for Prefect Cloud.")
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        problem = f"the Prefect server at {url} answers with {status}"
        return ConfigError(problem, "See its log, and that its database runs.")
    if status or isinstance(error, ValueError | httpx.InvalidURL | httpx.UnsupportedProtocol):
        remedy = "Correct PREFECT_API_URL: it ends in /api, such as http://127.0.0.1:4200/api."
        return ConfigError(f"{url} is not the address of a Prefect server", remedy)
    return ConfigError(
        f"no Prefect server answers at {url}",
        "Start one in another terminal: prefect server start. Or correct PREFECT_API_URL.",
    )


def _read_release(version: str) -> tuple[int, ...]:
    """Return major and minor number of a version."""
    return tuple(int(part) for part in str(version).split(".")[:2] if part.isdigit())
