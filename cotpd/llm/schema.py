"""The ledger's tables, as numbered migrations: a ledger of any earlier version is brought up to date on opening.

Append only: what is released is never edited, because a table that somebody paid for was made by it.
"""

import sqlite3
from pathlib import Path

from cotpd.errors import LlmError
from cotpd.llm.wire import digest

# Each entry holds the statements of one version.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE answer (
            key TEXT PRIMARY KEY,  -- sha256 of request
            request TEXT NOT NULL,  -- canonical JSON: base_url and body
            response TEXT NOT NULL,  -- the raw body that came back
            model TEXT NOT NULL,  -- as the server reports it
            finish_reason TEXT NOT NULL,
            prompt_tokens INTEGER,
            completion_tokens INTEGER,
            latency REAL,  -- seconds
            created TEXT NOT NULL  -- UTC
        ) WITHOUT ROWID""",
        "CREATE TABLE recording (sha256 TEXT PRIMARY KEY, path TEXT NOT NULL, created TEXT NOT NULL)",
    ),
    (
        "ALTER TABLE answer ADD COLUMN sha256 TEXT NOT NULL DEFAULT ''",  # of the row's other columns
        "UPDATE answer SET sha256 = row_digest(key, request, response, model, finish_reason, prompt_tokens, "
        "completion_tokens, latency, created) WHERE request_digest(request) = key",
        "CREATE TABLE asker (name TEXT PRIMARY KEY, seen REAL NOT NULL)",  # Unix time of its last sign of life
        "CREATE TABLE claim (key TEXT PRIMARY KEY, asker TEXT NOT NULL) WITHOUT ROWID",  # being asked right now
    ),
    (
        """CREATE TABLE batch_job (
            token TEXT PRIMARY KEY,  -- our own name for it, which the server keeps as metadata
            base_url TEXT NOT NULL,
            id TEXT,  -- the server's name; NULL until it is known that there is one
            created TEXT NOT NULL  -- UTC
        )""",
        "CREATE TABLE batch_item (key TEXT PRIMARY KEY, token TEXT NOT NULL, request TEXT NOT NULL) WITHOUT ROWID",
    ),
)


def row_digest(*columns: object) -> str:
    """Sha256 of a row of answers, its columns in the order of the table."""
    return digest("\x1f".join(f"{len(str(column))}:{column}" for column in columns))


def check_version(db: sqlite3.Connection, path: Path) -> int:
    """The version of a ledger, 0 for an empty file.

    Raises:
        LlmError: It is a database of something else, or of a newer version than this one knows.
    """
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return 0
    if "migration" not in tables:
        raise LlmError(f"{path}: a database of something else", "Set llm.ledger to another file.")
    version = db.execute("SELECT coalesce(max(number), 0) FROM migration").fetchone()[0]
    if version > len(MIGRATIONS):
        raise LlmError(
            f"{path}: written by a newer cotpd (schema {version}, this one knows {len(MIGRATIONS)})",
            "Upgrade cotpd, or set llm.ledger to another file.",
        )
    return version


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Apply the migrations that a ledger lacks, all or none."""
    if check_version(db, path) == len(MIGRATIONS):
        return
    db.create_function("row_digest", -1, row_digest, deterministic=True)
    db.create_function("request_digest", 1, digest, deterministic=True)
    db.execute("BEGIN IMMEDIATE")  # two processes may open a new ledger at once: the second waits, then looks
    with db:
        db.execute("CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, applied TEXT NOT NULL)")
        version = check_version(db, path)
        for number, statements in enumerate(MIGRATIONS[version:], version + 1):
            for statement in statements:
                db.execute(statement)
            db.execute("INSERT INTO migration VALUES (?, datetime('now'))", (number,))
