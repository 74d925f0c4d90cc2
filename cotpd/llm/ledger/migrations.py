"""The ledger's tables, as numbered migrations: a ledger of any earlier version is brought up to date on opening.

Append only: what is released is never edited, because a table that somebody paid for was made by it.
"""

from datetime import UTC, datetime

from cotpd.errors import LlmError
from cotpd.llm.chat_request import digest
from cotpd.llm.ledger.database import Run, Store

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


def row_digest(*columns: object) -> str:
    """Sha256 of a row of answers, its columns in the order of the table."""
    texts = [str(column) for column in columns]
    return digest("\x1f".join([f"{len(text)}:{text}" for text in texts]))


def check_version(store: Store) -> int:
    """The version of a ledger, 0 for an empty database.

    Raises:
        LlmError: It is a database of something else, or of a newer version than this one knows.
    """
    tables = store.tables()
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
    """Apply the migrations that a ledger of a version lacks, all or none."""
    if version == len(MIGRATIONS):
        return

    def apply(run: Run) -> None:
        # two processes may open a new ledger at once: the second has waited, and looks again
        run("CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, applied TEXT NOT NULL)", ())
        now = datetime.now(UTC).isoformat(timespec="seconds")
        for number, statements in enumerate(MIGRATIONS[check_version(store) :], check_version(store) + 1):
            for statement in statements:
                run(statement, ())
            for step in _AFTERWARDS.get(number, ()):
                step(store, run)
            run("INSERT INTO migration VALUES (?, ?)", (number, now))

    store.migrate(apply)


def _seal(store: Store, run: Run) -> None:
    """Give the rows of the first version their digest; one whose request is not that of its key gets none."""
    columns = "key, request, response, model, finish_reason, prompt_tokens, completion_tokens, latency, created"
    for row in store.read(f"SELECT {columns} FROM answer"):
        if digest(row[1]) == row[0]:
            run("UPDATE answer SET sha256 = ? WHERE key = ?", (row_digest(*row), row[0]))


_AFTERWARDS = {2: (_seal,)}
