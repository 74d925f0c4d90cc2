"""A cache of a local registry's answers, valid while its database is unchanged: MLflow takes seconds to import.

Trade-off: the database is not read here, since its tables are MLflow's and change with its releases. Its state is
compared: the counter of changes in SQLite's header, the file's size and times. Whatever differs, MLflow is asked;
and so it is while a transaction is open, for a server, and for any other database.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from cotpd.errors import StorageError
from cotpd.files import write_atomically
from cotpd.weights import find_cache_folder

_JOURNALS = ("-journal", "-wal")  # files beside a database whose header does not say everything
_COUNTER = slice(24, 28)  # of changes, in the header of SQLite's format 3


def ask_store(database: Path | None, question: str, ask: Callable[[], Any]) -> Any:
    """Return the answer to a question about a registry, from the cache or else from ``ask``.

    Args:
        database: The SQLite file; None for a store of another kind, whose answers are not cached.
        question: Tells the answer from others of this registry.
        ask: Asks MLflow; returns a JSON value that follows from the database alone.
    """
    state = None if database is None else _read_state(database)
    if database is None or state is None:
        return ask()
    key = hashlib.sha256(f"{database.resolve()} {question}".encode()).hexdigest()[:32]
    record = find_cache_folder() / "registry" / f"{key}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):  # there is none yet, or it is damaged
        former = json.loads(record.read_bytes())
        if former["state"] == state:
            return former["answer"]

    answer = ask()
    if _read_state(database) == state:  # another process may have written meanwhile
        with suppress(OSError, StorageError), write_atomically(record, shared=True) as partial:
            partial.write_text(json.dumps({"state": state, "answer": answer}), "utf-8")
    return answer


def _read_state(database: Path) -> list[int] | None:
    """Return inode, size, times and change counter of a database; None if a transaction may be open."""
    if any(database.with_name(database.name + suffix).exists() for suffix in _JOURNALS):
        return None
    try:
        status = database.stat()
        with database.open("rb") as file:
            header = file.read(_COUNTER.stop)
    except OSError:
        return None
    counter = int.from_bytes(header[_COUNTER])
    return [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, counter]
