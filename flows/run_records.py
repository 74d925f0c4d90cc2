"""A file for each flow run that is in progress in a project's folder, locked as long as its process lives.

A machine that is switched off, or a tree of processes that is killed whole, takes a run's watcher along. No
process is left that could tell the server. The next run in the folder finds the file, free of its lock, and tells
the server.

Trade-off: a lock of the operating system instead of a heartbeat. It is free the moment its process dies, and a
process that got the same number later does not hold it. It says nothing about a process on another machine.
"""

import fcntl
import os
import socket
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel, ValidationError

FOLDER = Path(".dvc/tmp/cotpd-flow-runs")  # DVC has git ignore its folder


class RunRecord(BaseModel):
    """A flow run and its process.

    Attributes:
        flow_run: Its id on the server.
        tries: How often the server had seen it begin; a later try is another process's.
        server: The server's address; None for one that Prefect starts by itself.
        process, host: Where it runs.
    """

    flow_run: UUID
    tries: int
    server: str | None
    process: int
    host: str

    @classmethod
    def build(cls, flow_run: UUID, tries: int, server: str | None) -> "RunRecord":
        """Return the record of a run of this process."""
        host = socket.gethostname()
        return cls(flow_run=flow_run, tries=tries, server=server, process=os.getpid(), host=host)

    @property
    def is_of_this_machine(self) -> bool:
        """Whether the run's process was one of this machine, so that a free lock means its death."""
        return self.host == socket.gethostname()


class RecordFile:
    """The file of a run that this process works at, locked until it is removed or the process ends.

    Args:
        root: The project's folder.
        record: Its content.

    Raises:
        OSError: The folder cannot be written, or its file system knows no locks.
    """

    def __init__(self, root: Path, record: RunRecord) -> None:
        folder = root / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{record.flow_run}-{record.tries}.json"
        partial = self._path.with_suffix(".partial")  # another run must not see it before it is locked and whole
        self._file = partial.open("w", encoding="utf-8")
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._file.write(record.model_dump_json())
        self._file.flush()
        partial.replace(self._path)

    def remove(self) -> None:
        """Remove the file: the server knows how the run ended."""
        self._path.unlink(missing_ok=True)
        self._file.close()


def list_dead_records(root: Path) -> list[tuple[Path, RunRecord]]:
    """Return the records that no process holds any more, and their files."""
    records = []
    for path in sorted((root / FOLDER).glob("*.json")):
        with suppress(OSError, ValidationError), path.open("r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a BlockingIOError while its process lives
            records.append((path, RunRecord.model_validate_json(file.read())))
    return records
