"""The ledger's tables, as numbered migrations: opening a ledger of an earlier version brings it up to date.

Append only: a released migration is never edited, because existing ledgers were made by it.
"""

from datetime import UTC, datetime

from cotpd.errors import LlmError
from cotpd.llm.chat_request import hash_text
from cotpd.llm.ledger.store import Execute, Store

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
    (  # rows of some kilobytes take half the room, and a third of the time to read, where they lie in their order
        "ALTER TABLE answer RENAME TO answer_before",
        """CREATE TABLE answer (
            key TEXT PRIMARY KEY,
            request TEXT NOT NULL,
            response TEXT NOT NULL,
            model TEXT NOT NULL,
            finish_reason TEXT NOT NULL,
            prompt_tokens INTEGER,
            completion_tokens INTEGER,
            latency REAL,
            created TEXT NOT NULL,
            sha256 TEXT NOT NULL
        )""",
        "INSERT INTO answer SELECT * FROM answer_before ORDER BY created, key",
        "DROP TABLE answer_before",
    ),
)


def compute_row_digest(*columns: object) -> str:
    """Return the SHA-256 of a row of answers, its columns in the order of the table."""
    texts = [str(column) for column in columns]
    return hash_text("\x1f".join([f"{len(text)}:{text}" for text in texts]))


def check_version(store: Store) -> int:
    """Return the version of a ledger, 0 for an empty database.

    Raises:
        LlmError: It is the database of another program, or was written by a newer version.
    """
    tables = store.list_tables()
    if not tables:
        return 0
    if "migration" not in tables:
        raise LlmError(f"{store.name}: a database of something else", "Set llm.ledger to another one.")
    version = int(store.read("SELECT coalesce(max(number), 0) FROM migration")[0][0])
    if version > len(MIGRATIONS):
        raise LlmError(
            f"{store.name}: written by a newer cotpd (schema {version}, this one knows {len(MIGRATIONS)})",
            "Upgrade cotpd, or set llm.ledger to another file.",
        )
    return version


def migrate(store: Store, version: int) -> None:
    """Apply the migrations after a version, all or none.

    Raises:
        LlmError: Another process has made the database something that :func:`check_version` refuses.
    """
    if version == len(MIGRATIONS):
        return

    def apply(run: Execute) -> None:
        # another process may have migrated the ledger while this one waited for the lock: check the version again
        run("CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, applied TEXT NOT NULL)", ())
        applied = check_version(store)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        for number, statements in enumerate(MIGRATIONS[applied:], applied + 1):
            for statement in statements:
                run(statement, ())
            for step in _AFTERWARDS.get(number, ()):
                step(store, run)
            run("INSERT INTO migration VALUES (?, ?)", (number, now))

    store.migrate(apply)


def _add_digests(store: Store, run: Execute) -> None:
    """Give the rows of version 1 their digest, except those whose request does not hash to their key."""
    columns = "key, request, response, model, finish_reason, prompt_tokens, completion_tokens, latency, created"
    for row in store.read(f"SELECT {columns} FROM answer"):
        if hash_text(row[1]) == row[0]:
            run("UPDATE answer SET sha256 = ? WHERE key = ?", (compute_row_digest(*row), row[0]))


_AFTERWARDS = {2: (_add_digests,)}
