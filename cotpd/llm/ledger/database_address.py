"""The parameter ``llm.ledger``: a path or an SQLAlchemy URL."""

from pathlib import Path
from typing import TYPE_CHECKING

from cotpd.errors import ConfigError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


def find_ledger_file(address: str | Path) -> Path | None:
    """Return the file of a path or an SQLite URL, with ``~`` expanded; None for the URL of a server.

    Raises:
        ConfigError: The URL is invalid, or names no file.
    """
    name = str(address)
    if "://" in name:
        url = parse_url(name)
        if url.get_backend_name() != "sqlite":
            return None
        name = url.database or ""
    if name in ("", ".", ":memory:", "file::memory:") or "\0" in name:
        raise ConfigError("llm.ledger: a ledger needs a file", "For example sqlite:///ledger.db")
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise ConfigError(f"llm.ledger: {name}: no such home folder", "Write the whole path.") from None


def parse_url(address: str) -> "URL":
    """Parse an SQLAlchemy URL.

    Raises:
        ConfigError: It is no such URL, or contains a password.
    """
    from sqlalchemy.engine import make_url  # noqa: PLC0415  heavy, and not for every command
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415  heavy, and not for every command

    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise ConfigError("llm.ledger: not an SQLAlchemy URL", "See docs/your-llm.md.") from None
    if url.password or any("password" in name.lower() for name in url.query):  # sslpassword too
        raise ConfigError(
            f"llm.ledger: the URL of {url.host or url.database} contains a password",
            "Secrets belong in the environment: export PGPASSWORD, or keep a ~/.pgpass.",
        )
    return url
