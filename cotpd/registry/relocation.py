"""A registry that was copied or moved: its database names files by absolute paths, below the old folder.

MLflow writes file:///OLD/mlruns/... into every experiment, run, model and version. Files that lie below the
database's own folder are read from there, whatever the database says; and before anything is written, what the
database says is mended, since MLflow itself would go on writing into the old folder, another project's perhaps.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

from cotpd.errors import ModelError
from cotpd.escaping import warn
from cotpd.storage import report_full_disk

ARTIFACTS = "mlruns"  # beside the database
_COLUMNS = {  # MLflow's tables, and their columns that hold an artifact's address
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}


def find_artifacts(location: str, database: Path | None) -> str:
    """Return the address of artifacts: below the database's own folder if they lie there, else as written.

    Args:
        location: Their address in the database.
        database: The SQLite file; None for a store of another kind.
    """
    moved = None if database is None else _build_path_below(location, database.resolve().parent)
    return moved.as_uri() if moved is not None and moved.exists() else location


def repair_paths(database: Path | None) -> None:
    """Make a copied or moved database name its own folder's artifacts, before anything is written.

    Addresses that were chosen on purpose stay: other schemes, and folders that are no project's mlruns.

    Raises:
        ModelError: The database names another folder's artifacts and cannot be changed.
    """
    if database is None or not database.is_file():
        return
    try:
        with report_full_disk(database), closing(sqlite3.connect(database, timeout=60)) as connection:
            changes = _list_changes(connection, database.resolve())
            if not changes:
                return
            with connection:  # one transaction
                for table, column, old, new in changes:
                    connection.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (new, old))
    except sqlite3.Error as error:
        raise ModelError(
            f"{database}: it was copied or moved, and its paths of artifacts cannot be repaired: {error}",
            "Make the file writable, and try again.",
        ) from None
    warn(f"{database}: copied or moved here; its paths now lead to {ARTIFACTS} beside it")


def _list_changes(connection: sqlite3.Connection, database: Path) -> list[tuple[str, str, str, str]]:
    """List table, column, old and new address of everything that is to be mended."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    changes = []
    for table in tables & _COLUMNS.keys():
        present = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        for column in present.intersection(_COLUMNS[table]):
            for (old,) in connection.execute(f"SELECT DISTINCT {column} FROM {table}").fetchall():
                new = _find_new_address(old, table, database)
                if new is not None:
                    changes.append((table, column, old, new))
    return changes


def _find_new_address(location: str | None, table: str, database: Path) -> str | None:
    """Return the address below the database's own folder; None where the present one is right."""
    moved = _build_path_below(location or "", database.parent)
    if moved is None:
        return None
    # MLflow puts new artifacts where the experiment says: never into another project, even if nothing came along.
    is_written_to = table == "experiments" and _is_of_another_project(location or "", database)
    return moved.as_uri() if moved.exists() or is_written_to else None


def _is_of_another_project(location: str, database: Path) -> bool:
    """Whether artifacts belong to another project's database, or the project's folder is gone, as after a move."""
    path = _parse_local_path(location)
    folders = () if path is None else (up.parent for up in (path, *path.parents) if up.name == ARTIFACTS)
    origin = next(iter(folders), None)
    return origin is not None and ((origin / database.name).exists() or not (origin / ARTIFACTS).exists())


def _build_path_below(location: str, folder: Path) -> Path | None:
    """Return the path of artifacts below another folder; None if they lie there already, or in no mlruns."""
    path = _parse_local_path(location)
    if path is None or ARTIFACTS not in path.parts or path.is_relative_to(folder):
        return None
    parts = path.parts
    last = len(parts) - 1 - parts[::-1].index(ARTIFACTS)
    return folder.joinpath(*parts[last:])


def _parse_local_path(location: str) -> Path | None:
    """Return the absolute path of an address on this machine; None for every other address."""
    address = urlparse(location)
    if address.scheme not in ("file", "") or not address.path:
        return None
    path = Path(url2pathname(address.path))
    return path.resolve() if path.is_absolute() else None
