"""Servers that a run may call: Prefect, MLflow, the language model. Each is asked once, with a short limit."""

import os
import tempfile
import tomllib
from base64 import b64encode
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from cotpd.config import Params
from cotpd.counts import format_count
from cotpd.doctor.finding import Finding, Status
from cotpd.doctor.shared_state import check_artifacts
from cotpd.errors import CotpdError, LlmError
from cotpd.llm.transports.proxies import find_proxy, make_certificates
from cotpd.registry.tracking_store import (
    REACHABLE,
    connect,
    explain_errors,
    find_database,
    is_server,
    resolve_uri,
)
from cotpd.registry.versions import list_model_names, list_versions

if TYPE_CHECKING:
    import httpx2

    from cotpd.registry.tracking_store import MlflowClient

_SECONDS = 3.0  # that a server may take to answer


def check_connections() -> Iterator[Finding]:
    """Check the variables that name proxies and certificates, without calling anyone."""
    make_certificates()
    proxy = find_proxy("https://api.openai.com/v1")
    shown = f"through {proxy}" if proxy else "direct, no proxy"
    certificates = [name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)]
    named = f"; certificates of {' and '.join(certificates)}" if certificates else ""
    yield Finding("connections", Status.OK, f"to the internet {shown}{named}")


def check_prefect(root: Path) -> Iterator[Finding]:
    """Check the Prefect server of PREFECT_API_URL or prefect.toml. Only the Prefect door needs it."""
    address = os.environ.get("PREFECT_API_URL") or _read_prefect_address(root / "prefect.toml")
    if address is None:
        yield Finding(
            "prefect", Status.NOTE, "no server is named", "Set PREFECT_API_URL, or run in the project's folder."
        )
        return
    try:
        served = _ask(f"{address.rstrip('/')}/admin/version", _build_prefect_headers()).json()
        installed = version("prefect")
    except PackageNotFoundError:
        return  # which check_packages says
    except (OSError, CotpdError, ValueError) as error:
        remedy = "For the Prefect door: prefect server start. `dvc repro` needs none."
        yield Finding("prefect", Status.NOTE, f"no server answers at {address}: {error}", remedy)
        return
    if _read_release(served) < _read_release(installed):
        problem = f"the server at {address} is {served}, older than the client {installed}"
        yield Finding("prefect", Status.NOTE, problem, f"Start it with prefect {installed}.")
    else:
        yield Finding("prefect", Status.OK, f"server {served} at {address}")


def _build_prefect_headers() -> dict[str, str]:
    """Return the header with PREFECT_API_AUTH_STRING, for a server that asks for a name and a password."""
    pair = os.environ.get("PREFECT_API_AUTH_STRING")
    return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"} if pair else {}


def _read_prefect_address(path: Path) -> str | None:
    """Return the address in a prefect.toml; None if there is none."""
    if not path.is_file():
        return None
    settings = tomllib.loads(path.read_text("utf-8"))
    address = settings.get("api", {}).get("url")
    return address if isinstance(address, str) else None


def _read_release(text: object) -> tuple[int, ...]:
    """Return major and minor version; empty for what is no version."""
    parts = str(text).split(".")[:2]
    return tuple(int(part) for part in parts if part.isdigit())


def check_registry(params: Params, root: Path) -> Iterator[Finding]:
    """Check that the registry answers, which version its aliases are on, and where its artifacts lie."""
    address = resolve_uri(params.register_, root)
    database = find_database(address)
    if database is not None and not database.is_file():
        yield Finding("registry", Status.OK, f"{database}: none yet; the first registered student makes it")
        return
    if is_server(address):
        yield _check_tracking_server(address)
    client = connect(params.register_, root)
    with explain_errors(f"the registry {address}", REACHABLE):
        yield _describe_aliases(client, params.registered_name, address)
        yield from check_artifacts(client, params.register_.experiment)


def _describe_aliases(client: "MlflowClient", name: str, address: str) -> Finding:
    """Say which version each alias of a registered model is on."""
    if name not in list_model_names(client):
        return Finding("registry", Status.OK, f"{address}: no {name} yet")
    aliases = [
        f"{alias} is version {version.number}"
        for version in list_versions(client, name)
        for alias in version.aliases
    ]
    return Finding("registry", Status.OK, f"{name}: {', '.join(aliases) or 'no alias'}")


def _check_tracking_server(address: str) -> Finding:
    """Check that a tracking server answers, and that it is not older than the client."""
    try:
        served = _ask(f"{address.rstrip('/')}/version").text.strip()
    except (OSError, CotpdError) as error:
        remedy = "Start it, or set MLFLOW_TRACKING_URI or register.tracking_uri to one that answers."
        return Finding("registry", Status.PROBLEM, f"no server answers at {address}: {error}", remedy)
    installed = version("mlflow")
    if _read_release(served) < _read_release(installed):
        problem = f"the server at {address} is MLflow {served}, older than the client {installed}"
        return Finding("registry", Status.NOTE, problem, f"Start it with mlflow {installed}.")
    return Finding("registry", Status.OK, f"MLflow {served} at {address}")


def check_language_model(params: Params) -> Iterator[Finding]:
    """Check the server of llm.base_url, if the ledger does not answer every question already."""
    open_now, deferred = _count_open_questions(params)
    if not open_now:
        others_waiting = format_count(deferred, "other waits", "others wait")
        later = f"; {others_waiting} for captions, and may be asked then" if deferred else ""
        yield Finding("language model", Status.OK, f"the ledger answers every question that is known{later}")
        return
    questions = format_count(open_now, "question is", "questions are")
    yield _check_key(params)
    try:
        _ask_models(params)
    except (OSError, CotpdError) as error:
        problem = f"{questions} open, and no server answers at {params.llm.base_url}: {error}"
        remedy = "Start one (cotpd llm serve), or set llm.base_url and llm.model."
        yield Finding("language model", Status.PROBLEM, problem, remedy)
        return
    yield Finding(
        "language model",
        Status.OK,
        f"{params.llm.base_url} answers; {questions} open",
    )


def _count_open_questions(params: Params) -> tuple[int, int]:
    """Return how many questions would be asked now, and how many of the others need a caption to be made first.

    A ledger that is not there yet is not made: its recorded answers are imported into one that is thrown away.
    """
    from cotpd.llm.ledger.database_address import find_ledger_file  # noqa: PLC0415  needs the extra llm
    from cotpd.pipeline.plan import make_plan  # noqa: PLC0415  needs the extra llm

    path = find_ledger_file(params.llm.ledger)
    with tempfile.TemporaryDirectory() as scratch:
        if path is not None and not path.exists():
            llm = params.llm.model_copy(update={"ledger": f"{scratch}/ledger.db"})
            params = params.model_copy(update={"llm": llm})
        kinds = make_plan(params).kinds.values()
    deferred = sum(kind.guessed for kind in kinds)
    return sum(kind.asked for kind in kinds) - deferred, deferred


def _check_key(params: Params) -> Finding:
    """Say whether the key's variable is set; its value is never shown."""
    variable = params.llm.api_key_env
    if os.environ.get(variable):
        return Finding("language model", Status.OK, f"{variable} is set")
    return Finding("language model", Status.NOTE, f"{variable} is not set: a server on this machine needs no key")


def _ask_models(params: Params) -> None:
    """Ask a server for its models.

    Raises:
        LlmError: It refuses the key.
        OSError: It does not answer, or with an error of its own.
    """
    from cotpd.llm.transports.connection import Connection  # noqa: PLC0415  needs the extra llm

    connection = Connection(params.llm)
    headers = {"Authorization": f"Bearer {connection.key}"} if connection.key else {}
    response = _ask(f"{connection.address.rstrip('/')}/models", headers | connection.headers, accepts_errors=True)
    if response.status_code in (401, 403):
        raise LlmError(f"it refuses the key ({response.status_code})", f"Set {params.llm.api_key_env}.")
    if response.status_code >= 500:
        raise OSError(f"HTTP {response.status_code}")


def _ask(
    address: str, headers: dict[str, str] | None = None, *, accepts_errors: bool = False
) -> "httpx2.Response":
    """Send a GET request as the pipeline would, by its proxy and with its certificates.

    Raises:
        OSError: No answer, or one of an error unless ``accepts_errors``.
        LlmError: The environment names a proxy or certificates that cannot be used.
    """
    import httpx2  # noqa: PLC0415  heavy, and not for every command

    setting = find_proxy(address)
    proxy = setting.proxy if setting else None
    try:
        with httpx2.Client(proxy=proxy, verify=make_certificates(), trust_env=False, timeout=_SECONDS) as client:
            response = client.get(address, headers=headers)
            if not accepts_errors:
                response.raise_for_status()
            return response
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise OSError(str(error) or type(error).__name__) from None
