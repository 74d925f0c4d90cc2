"""The connection to a server: key, headers, proxy and certificates, checked before anything is sent.

The openai package sends the values of OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS to any server.
Here a header, which may be a gateway's credential, goes only to the server for which llm.headers_env names it.
"""

import logging
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cotpd.errors import LlmError
from cotpd.llm.params import LlmParams
from cotpd.llm.server_address import check_address
from cotpd.llm.transports.proxies import find_proxy, make_certificates

if TYPE_CHECKING:
    import httpx2
    import openai

log = logging.getLogger(__name__)

_SENT_BY_PACKAGE = ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_CUSTOM_HEADERS")
_READ_BY_PACKAGE = (*_SENT_BY_PACKAGE, "OPENAI_ADMIN_KEY", "OPENAI_WEBHOOK_SECRET", "OPENAI_BASE_URL")
_MISMATCH = re.compile(r"(?:mismatched|invalid)_(?:organization|project)")
_NO_HEADER = "No such header is sent from here: a gateway may add one, or the key is of another account."
_hiding = threading.Lock()


class Connection:
    """One server, and clients of the openai package for it.

    Args:
        params: Address, and the names of the variables with key and headers.

    Raises:
        ConfigError: ``llm.base_url`` is not an address, or holds a password.
        LlmError: The key or a header cannot be sent, or a proxy or certificate cannot be used.
    """

    def __init__(self, params: LlmParams) -> None:
        self._params = params
        self.address = check_address(params.base_url)
        self.key = _read_secret(params.api_key_env, "the key")
        self.headers = {name: _read_header(name, variable) for name, variable in params.headers_env.items()}
        self.proxy = find_proxy(self.address)
        self._certificates = make_certificates()  # slow to load: shared by all clients
        self._warn_of_unsent()

    def open_async(self, **http: Any) -> "openai.AsyncOpenAI":
        """Return an asynchronous client that tries once; ``http`` are further options of its HTTP client."""
        import openai  # noqa: PLC0415  heavy, and not for every command

        options = self._build_http_options(http, _build_async_strip_hook)
        with _hide_variables():
            return openai.AsyncOpenAI(
                **self._build_api_options(0), http_client=openai.DefaultAsyncHttpxClient(**options)
            )

    def open_sync(self, max_retries: int, **http: Any) -> "openai.OpenAI":
        """Return a synchronous client; ``http`` are further options of its HTTP client."""
        import openai  # noqa: PLC0415  heavy, and not for every command

        options = self._build_http_options(http, _build_strip_hook)
        with _hide_variables():
            return openai.OpenAI(
                **self._build_api_options(max_retries), http_client=openai.DefaultHttpxClient(**options)
            )

    def _build_api_options(self, max_retries: int) -> dict[str, Any]:
        return {
            "base_url": self.address,
            "api_key": self.key or "none",  # the package requires a key even for a local server
            "timeout": self._params.timeout,
            "max_retries": max_retries,
            "default_headers": self.headers,
        }

    def _build_http_options(self, http: dict[str, Any], strip: Any) -> dict[str, Any]:
        hooks = {"request": [strip(self.address, self.headers)], **http.pop("event_hooks", {})}
        return {
            "verify": self._certificates,
            "proxy": self.proxy.proxy if self.proxy else None,
            "trust_env": False,  # :mod:`proxies` has read the environment
            # a followed redirect would lose the body (301, 302), or take the key to another server
            "follow_redirects": False,
            "event_hooks": hooks,
            **http,
        }

    def explain(self, cause: BaseException | None) -> LlmError | None:
        """Return the error that ends the run after a fault of the connection; None if a later try may succeed."""
        import httpx2  # noqa: PLC0415  heavy, and not for every command

        text = str(cause)
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return LlmError(
                f"the certificate of the server at {self.address} is not trusted: {text}",
                "Name the certificate of whoever signed it (a company's proxy, say) in SSL_CERT_FILE.",
            )
        if self.proxy and isinstance(cause, httpx2.ProxyError):
            status = text.split(" ")[0]
            return None if status.startswith("5") else self.explain_proxy(status)
        if self.proxy and isinstance(cause, httpx2.ConnectError):
            return LlmError(
                f"no connection to {self.address} by way of {self.proxy}: {text}",
                f"Mend or unset {self.proxy.variable}, or name the server in NO_PROXY.",
            )
        return None

    def explain_proxy(self, status: str) -> LlmError:
        """Return the error that ends the run when the proxy, and not the server, refuses with a status."""
        if status == "407":
            remedy = f"Write http://user:password@host:port in {self.proxy and self.proxy.variable}."
            return LlmError(f"{self.proxy} wants a user and a password ({status})", remedy)
        return LlmError(
            f"{self.proxy} does not let a request to {self.address} pass ({status})",
            "Ask whoever runs it, or name the server in NO_PROXY.",
        )

    def explain_mismatch(self, error: "openai.APIStatusError") -> LlmError | None:
        """Return the error for a key of another organization or project than the headers name; None otherwise."""
        codes = [code for code in (error.code, error.type) if isinstance(code, str) and _MISMATCH.fullmatch(code)]
        if error.status_code not in (401, 403) or not codes:
            return None
        names = [name for header, name in self._params.headers_env.items() if header.lower().startswith("openai-")]
        remedy = f"Mend {' and '.join(names)}, which llm.headers_env names." if names else _NO_HEADER
        problem = f"says that the key is not of the organization or project named ({codes[0]})"
        return LlmError(f"the server at {self.address} {problem}", remedy)

    def is_from_proxy(self, response: "httpx2.Response") -> bool:
        """Whether an answer is the proxy's own: its body is not an API's, and the connection is no tunnel."""
        if not self.proxy or self.address.startswith("https:"):
            return False
        if response.status_code == 407:
            return True
        return response.status_code in (403, 502, 503, 504) and not _is_from_api(response)

    def _warn_of_unsent(self) -> None:
        host = urlsplit(self.address).hostname or ""
        configured = set(self._params.headers_env.values())
        unsent = [name for name in _SENT_BY_PACKAGE if os.environ.get(name) and name not in configured]
        if unsent and host.endswith("openai.com"):
            log.warning(
                "%s: set, and not sent to %s. llm.headers_env names what is.", " and ".join(unsent), self.address
            )


def _is_from_api(response: "httpx2.Response") -> bool:
    """Whether a body looks like an API's error."""
    try:
        body = response.json()
    except ValueError:
        return False
    return isinstance(body, dict) and bool(body.keys() & {"error", "detail", "message"})


def _read_secret(variable: str, purpose: str) -> str:
    """Return the value of a variable; empty if it is not set.

    Raises:
        LlmError: A header cannot carry it; the message does not quote it.
    """
    value = os.environ.get(variable, "").strip()
    if not value.isascii() or not value.isprintable():
        problem = "other than ASCII" if not value.isascii() else "a line break or another control character"
        raise LlmError(f"{purpose} in {variable} holds {problem}", "Copy it once more.")
    return value


def _read_header(name: str, variable: str) -> str:
    value = _read_secret(variable, f"the header {name}")
    if not value:
        raise LlmError(
            f"llm.headers_env: the variable {variable} of the header {name} is not set",
            "Export it, or take the header out.",
        )
    return value


@contextmanager
def _hide_variables() -> Iterator[None]:
    """Hide the variables that the openai package would send to any server; it reads them in its constructor."""
    with _hiding:
        hidden = {name: os.environ.pop(name) for name in _READ_BY_PACKAGE if name in os.environ}
        try:
            yield
        finally:
            os.environ.update(hidden)


def _build_strip_hook(address: str, headers: dict[str, str]) -> Any:
    """Return a hook that removes our headers from requests to another server, where a batch's results may be."""
    import httpx2  # noqa: PLC0415  heavy, and not for every command

    home = httpx2.URL(address)

    def strip(request: "httpx2.Request") -> None:
        if (request.url.scheme, request.url.netloc) != (home.scheme, home.netloc):
            for name in headers:
                request.headers.pop(name, None)

    return strip


def _build_async_strip_hook(address: str, headers: dict[str, str]) -> Any:
    """Return the same hook for an asynchronous client."""
    strip = _build_strip_hook(address, headers)

    async def strip_async(request: "httpx2.Request") -> None:
        strip(request)

    return strip_async
