"""The rows scored so far, on disk: a line each in input order, so that a killed run goes on where it stopped.

Trade-off: the journal holds predictions alone and the output is put together at the end, which reads the input
once more. In return an output of any format can be resumed, and is there whole or not at all.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from cotpd.counts import format_count
from cotpd.data.tables import read_json, write_json
from cotpd.errors import ConfigError, DataError
from cotpd.storage import report_full_disk

_WORDS = {
    "input": "the input has other rows",
    "model": "another model scores",
    "columns": "other columns are read",
}


@contextmanager
def lock_folder(folder: Path, output: str) -> Iterator[None]:
    """Hold the journal's folder for this process, and make it if it is not there.

    Raises:
        ConfigError: Another process scores into the same output.
        OSError: The folder cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError(f"{output}: another process scores into it", "Wait for it, or end it.") from None
    try:
        yield
    finally:
        lock.release()


class Journal:
    """The predictions of the first rows of an input.

    Args:
        folder: Where they lie; held by :func:`lock_folder`.

    Attributes:
        count: The rows that are scored.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._manifest, self._lines = folder, folder / "manifest.json", folder / "predictions.jsonl"
        self.count = 0

    def begin(self, manifest: Mapping[str, Any], *, restart: bool) -> None:
        """Take up the rows that an earlier run has scored, or begin anew.

        Args:
            manifest: What the predictions depend on, by the keys input, model and columns.
            restart: Discard the rows of another manifest.

        Raises:
            DataError: They depend on something else, and ``restart`` is false.
        """
        earlier = read_json(self._manifest) if self._manifest.is_file() else None
        changes = [words for key, words in _WORDS.items() if earlier and earlier.get(key) != manifest[key]]
        if changes and not restart:
            rows = format_count(self.count_again(), "row was", "rows were")
            raise DataError(
                f"{self._folder}: {rows} scored before {' and '.join(changes)}",
                "Go on as before, or say --restart to score all rows anew.",
            )
        if earlier is None or restart:
            self._lines.unlink(missing_ok=True)
            write_json(self._manifest, manifest)
        self._cut_torn_line()

    def _cut_torn_line(self) -> None:
        """Count the whole lines, and remove what a killed process or a power cut has left behind them."""
        size = 0
        for line in self._iterate_whole_lines():
            self.count += 1
            size += len(line)
        with self._open("ab") as out:
            out.truncate(size)

    def _iterate_whole_lines(self) -> Iterator[bytes]:
        if not self._lines.is_file():
            return
        with self._open("rb") as lines:
            for line in lines:
                if not (line.startswith(b"{") and line.endswith(b"}\n")):
                    return
                yield line

    def append(self, outcomes: Sequence[Mapping[str, Any]]) -> None:
        """Commit the outcomes of the next rows.

        Raises:
            StorageError: The disk is full; rows that were committed before stay.
        """
        text = "".join(json.dumps(outcome, separators=(",", ":")) + "\n" for outcome in outcomes)
        with report_full_disk(self._lines), self._open("ab") as out:
            out.write(text.encode("ascii"))
            out.flush()
            os.fsync(out.fileno())
        self.count += len(outcomes)

    def count_again(self) -> int:
        """Count the rows on disk and return how many there are.

        A signal may have come between a commit and the count of its rows.
        """
        self.count = sum(1 for _ in self._iterate_whole_lines())
        return self.count

    def iterate_outcomes(self) -> Iterator[dict[str, Any]]:
        """Yield the outcome of each row.

        Raises:
            DataError: A line was changed since it was written.
        """
        for number, line in enumerate(self._iterate_whole_lines(), 1):
            try:
                yield json.loads(line)
            except ValueError:
                raise DataError(
                    f"{self._lines}:{number}: damaged", "Say --restart to score all rows anew."
                ) from None

    def remove(self) -> None:
        """Remove it, once its output is written."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _open(self, mode: str) -> IO[bytes]:
        return self._lines.open(mode)
