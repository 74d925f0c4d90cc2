"""A recording: a ledger as JSON Lines that people can read, diff and review, as a repository ships it.

Import hashes each request again and refuses a line that does not give the key it claims. Lines are sorted and,
unless raw bodies are exported, contain no time, latency or id, so that asking the same questions again gives the
same file.

Owns the table ``recording``: the checksums of the recordings that were imported.
"""

import json
import logging
import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cotpd.errors import DataError
from cotpd.files import compute_sha256, write_atomically
from cotpd.llm.chat_request import ChatRequest
from cotpd.llm.ledger.database import Database
from cotpd.llm.ledger.entry import Entry
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.ledger.recording_lines import (
    Part,
    build_answer_row,
    format_line,
    parse_answer_row,
    split_request,
)
from cotpd.llm.params import LlmParams

log = logging.getLogger(__name__)

_BATCH_SIZE = 500  # answers in one commit
_SQLITE_MAGIC = b"SQLite format 3\0"
_MAX_WARNINGS = 5


@dataclass
class ImportReport:
    """Counts of an import's lines.

    Attributes:
        new: Answers that were added.
        present: Answers that were there before.
        bad: The lines left out, as ``file:line: reason``.
    """

    new: int = 0
    present: int = 0
    bad: list[str] = field(default_factory=list)


def export_recording(
    ledger: Ledger, path: Path | str, *, raw: bool = False, keys: Collection[str] | None = None
) -> int:
    """Write every answer into a file, which replaces an older one only when it is whole and on the disk.

    Args:
        ledger: The ledger.
        path: The JSON Lines file.
        raw: Keep the bodies as they came, with id, times and latency.
        keys: Only these answers; None writes all.

    Returns:
        The number of answers written.

    Raises:
        DataError: The file cannot be written, or is a folder or a database: a slip must not replace the ledger.
    """
    path = Path(path)
    _check_target(path)
    target = path.resolve()  # write through a link: /dev/stdout is one, and must not be replaced
    try:
        with write_atomically(target) as partial:
            count = _write_lines(ledger, partial, raw, keys)
        _sync_folder(target.parent)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}", "Name a file that you may write.") from None
    return count


def _write_lines(ledger: Ledger, path: Path, raw: bool, keys: Collection[str] | None) -> int:
    parts = {}
    for entry in _iterate_chosen(ledger, keys):
        name, part, _ = split_request(ChatRequest.parse(entry.request))
        parts[name] = part
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(format_line({"part": name, **parts[name]}) for name in sorted(parts))
        for entry in _iterate_chosen(ledger, keys):
            row = build_answer_row(entry, raw=raw)
            if row["part"] in parts:  # another process may have added an answer with a new part meanwhile
                file.write(format_line(row))
                count += 1
    return count


def _check_target(path: Path) -> None:
    if path.exists() and not path.is_file():  # a pipe cannot be replaced, and its reader would wait for ever
        raise DataError(f"{path}: is a {'folder' if path.is_dir() else 'device or pipe'}", "Name a file.")
    with suppress(OSError), path.open("rb") as file:
        if file.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC:
            raise DataError(f"{path}: is a database, perhaps the ledger itself", "Name a file for the answers.")


def _sync_folder(folder: Path) -> None:
    """Put a new name in a folder on the disk, if the system can: a pruned answer must survive a power cut."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _iterate_chosen(ledger: Ledger, keys: Collection[str] | None) -> Iterator[Entry]:
    return (entry for entry in ledger.iterate_entries() if keys is None or entry.key in keys)


def import_recording(ledger: Ledger, path: Path | str) -> ImportReport:
    """Add the answers of a recording to a ledger; an answer that is there already stays as it is.

    Raises:
        DataError: The file cannot be read.
        LlmError: The ledger cannot be written.
    """
    report = ImportReport()
    batch: list[Entry] = []
    for entry in _read_entries(Path(path), report):
        batch.append(entry)
        if len(batch) == _BATCH_SIZE:
            _store_entries(ledger, batch, report)
            batch = []
    _store_entries(ledger, batch, report)
    return report


def import_once(ledger: Ledger, path: Path | str) -> ImportReport | None:
    """Import a recording; None if one of the same content was imported before."""
    sha256 = compute_sha256(Path(path))
    if _was_imported(ledger.database, sha256):
        return None
    report = import_recording(ledger, path)
    _mark_imported(ledger.database, sha256, str(path))
    return report


def import_configured(ledger: Ledger, params: LlmParams) -> None:
    """Import the recording that ``llm.recorded`` names, once, with a warning for lines that cannot be imported."""
    if params.recorded is None or ledger.database.read_only:
        return
    if not Path(params.recorded).is_file():
        log.warning("llm.recorded: %s is not there; nothing imported", params.recorded)
        return
    report = import_once(ledger, params.recorded)
    for line in report.bad[:_MAX_WARNINGS] if report else []:
        log.warning("left out of the recorded answers: %s", line)


def _was_imported(database: Database, sha256: str) -> bool:
    return bool(database.read("SELECT 1 FROM recording WHERE sha256 = ?", (sha256,)))


def _mark_imported(database: Database, sha256: str, path: str) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    database.change(("INSERT INTO recording VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (sha256, path, now)))


def _read_entries(path: Path, report: ImportReport) -> Iterator[Entry]:
    """Yield the answers of a file; lines that cannot be read go into the report."""
    parts: dict[str, Part] = {}
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    if (entry := _read_line(line, parts)) is not None:
                        yield entry
                except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
                    report.bad.append(f"{path}:{number}: {_explain(error)}")
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such recording", "`cotpd ledger export` writes one.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}", "A recording is a UTF-8 file of JSON Lines.") from None


def _read_line(line: str, parts: dict[str, Part]) -> Entry | None:
    """Return the answer of a line, or None for a part, which is added to ``parts``."""
    row = json.loads(line)
    if not isinstance(row, dict):
        raise ValueError("no JSON object")
    if "key" in row:
        return parse_answer_row(row, parts)
    parts[row.pop("part")] = row
    return None


def _store_entries(ledger: Ledger, entries: list[Entry], report: ImportReport) -> None:
    """Store answers that the ledger lacks, or holds damaged, and count them in the report."""
    ledger.get_many(entry.key for entry in entries)  # notices damaged rows, which put_many then replaces
    new = ledger.put_many(entries)
    report.new += new
    report.present += len(entries) - new


def _explain(error: Exception) -> str:
    return f"no key {error}" if isinstance(error, KeyError) else str(error)
