"""The address of a server: checked, with one spelling, and whether it is this machine."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, ip_address
from urllib.parse import SplitResult, urlsplit

from cotpd.errors import ConfigError

_IPV4 = re.compile(r"\d+(\.\d+){3}")  # a host that is an IPv4 address


@lru_cache
def check_address(base_url: str) -> str:
    """Return a base URL without its last slash.

    Raises:
        ConfigError: It is no address, or holds a user, password, query or fragment, which would end up in the
            ledger.
    """
    base_url = base_url.strip()
    parts = _split_address(base_url)
    if parts is None:
        shown = "what is set" if "@" in base_url else repr(base_url)  # a password must not reach a log
        raise ConfigError(f"llm.base_url: {shown} is not an address", "For example http://127.0.0.1:8993/v1")
    # even an empty query or fragment: the path appended to the address would become part of it
    if "@" in parts.netloc or "?" in base_url or "#" in base_url:
        raise ConfigError(
            f"llm.base_url: the address of {parts.hostname} holds a user, password, query or fragment",
            "Secrets belong in the environment: export the key in the variable that llm.api_key_env names.",
        )
    return base_url.rstrip("/")


def _split_address(base_url: str) -> SplitResult | None:
    """Return the parts of an HTTP address; None if it is none, or its host or port is invalid."""
    try:
        parts = urlsplit(base_url)
        _ = parts.port  # urlsplit raises for an invalid port only when it is read
        host = parts.hostname or ""
        if _IPV4.fullmatch(host):
            IPv4Address(host)
        elif ":" not in host:
            host.encode("idna")  # raises UnicodeError for an empty or overlong name between two dots
    except ValueError:
        return None
    is_clean = base_url.isprintable() and " " not in base_url
    return parts if parts.scheme in ("http", "https") and host and is_clean else None


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine."""
    name = host.rstrip(".").lower()
    try:
        address = ip_address(name)
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or address.is_unspecified or bool(mapped and mapped.is_loopback)
