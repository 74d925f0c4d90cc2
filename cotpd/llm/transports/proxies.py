"""Proxies and certificates from the environment; an invalid one is refused with the name of its variable.

Trade-off: httpx reads these variables by itself, all of them for each address, and a wrong one ends in a
traceback. Here only the variables that concern the address are read, and none for a server on this machine.
"""

import os
import re
import ssl
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies

from cotpd.errors import LlmError
from cotpd.llm.server_address import is_loopback

if TYPE_CHECKING:
    import httpx2

_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")  # the names under which OpenSSL finds certificates in a folder


@dataclass(frozen=True)
class ProxySetting:
    """A proxy, and the variable that names it; ``shown`` is its host and port, without user and password."""

    variable: str
    proxy: "httpx2.Proxy"
    shown: str

    def __str__(self) -> str:
        return f"the proxy {self.shown}, which {self.variable} names"


def find_proxy(address: str) -> ProxySetting | None:
    """Return the proxy for an address; None for this machine, and for hosts that NO_PROXY names.

    Raises:
        LlmError: The environment names a proxy that cannot be used.
    """
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if is_loopback(host):
        return None
    setting = (
        _read_variable(f"{parts.scheme}_proxy") or _read_variable("all_proxy") or _read_system_proxy(parts.scheme)
    )
    if setting is None or _is_exempt(host, port):
        return None
    return _check_proxy(*setting)


def make_certificates() -> ssl.SSLContext:
    """Return the certificates to trust: from SSL_CERT_FILE or SSL_CERT_DIR, otherwise the system's.

    Raises:
        LlmError: The file or folder is missing, or contains no certificate.
    """
    import httpx2  # noqa: PLC0415  heavy, and not for every command

    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file:
        _check_certificate_file(Path(file))
    elif folder and not any(_has_certificates(Path(part)) for part in folder.split(os.pathsep)):
        raise LlmError(
            f"SSL_CERT_DIR names {folder}, which is no folder with certificates",
            "Unset it, or name a folder whose certificates lie there under their hashes (openssl rehash).",
        )
    try:
        return httpx2.create_ssl_context()
    except OSError as error:
        name = "SSLKEYLOGFILE" if os.environ.get("SSLKEYLOGFILE") else "the certificates"
        raise LlmError(
            f"{name}: cannot be used: {error}", "Unset it, or name a file that can be written."
        ) from None


def _check_certificate_file(file: Path) -> None:
    """Raise LlmError if a file cannot be read, or holds no certificate."""
    remedy = "Unset it, or name a file of certificates (PEM)."
    try:
        file.read_bytes()
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except ssl.SSLError:  # an OSError too
        raise LlmError(f"SSL_CERT_FILE names {file}, which holds no certificate", remedy) from None
    except OSError as error:
        raise LlmError(f"SSL_CERT_FILE names {file}: {error.strerror}", remedy) from None


def _has_certificates(folder: Path) -> bool:
    try:
        return any(_HASHED.fullmatch(file.name) for file in folder.iterdir())
    except OSError:
        return False


def _read_variable(name: str) -> tuple[str, str] | None:
    """Return the name and value of a variable in any case; lower case counts first, even if it is empty."""
    for spelling in (name, *(variable for variable in os.environ if variable.lower() == name)):
        if spelling in os.environ:
            value = os.environ[spelling].strip()
            return (spelling, value) if value else None
    return None


def _read_system_proxy(scheme: str) -> tuple[str, str] | None:
    """Return the proxy in the settings of macOS or Windows, as its source (for messages) and its URL."""
    url = getproxies().get(scheme) if sys.platform in ("darwin", "win32") else None
    return ("the system's settings", url) if url else None


def _check_proxy(variable: str, value: str) -> ProxySetting:
    import httpx2  # noqa: PLC0415  heavy, and not for every command

    url = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(url)
        shown = f"{parts.hostname}:{parts.port}" if parts.port else f"{parts.hostname}"
        if not parts.hostname or not url.isprintable() or " " in url:
            raise ValueError
        proxy = httpx2.Proxy(url)
    except (ValueError, TypeError, httpx2.InvalidURL):  # the value is not quoted: it may contain a password
        raise LlmError(
            f"{variable} names a proxy that is no address",
            "Write http://host:port (or https, socks5, socks5h), or unset it.",
        ) from None
    if parts.scheme.startswith("socks") and find_spec("socksio") is None:
        raise LlmError(
            f"{variable} names a SOCKS proxy ({shown}), for which a package is missing",
            "pip install socksio, or unset the variable, or name the server in NO_PROXY.",
        )
    return ProxySetting(variable, proxy, shown)


def _is_exempt(host: str, port: int) -> bool:
    """Whether NO_PROXY names a host: by ``*``, an address, a network, or a domain with its subdomains."""
    variable, value = _read_variable("no_proxy") or ("NO_PROXY", "")
    for entry in filter(None, re.split(r"[,\s]+", value.lower())):
        try:
            if _is_match(entry.split("://")[-1], host.lower(), port):
                return True
        except ValueError:
            raise LlmError(
                f"{variable}: {entry!r} is no host, address or network", "Mend or remove that entry."
            ) from None
    return False


def _is_match(entry: str, host: str, port: int) -> bool:
    """Whether one entry of NO_PROXY names a host; raises ValueError if the entry is invalid."""
    if entry == "*":
        return True
    if "/" in entry:
        network = ip_network(entry.replace("[", "").replace("]", ""), strict=False)
        return _is_address(host) and ip_address(host) in network
    if entry.count(":") > 1 and not entry.startswith("["):  # IPv6 without brackets has no port
        return _is_address(host) and ip_address(entry) == ip_address(host)
    parts = urlsplit(f"//{entry}")
    if parts.port is not None and parts.port != port:
        return False
    name = (parts.hostname or "").lstrip("*").lstrip(".")
    return bool(name) and (host == name or (host.endswith(f".{name}") and not _is_address(host)))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
