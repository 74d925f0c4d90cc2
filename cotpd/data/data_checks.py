"""The results of a data set's checks: rows that failed, by table, and warnings; registered with a version."""

import json
from pathlib import Path

from pydantic import Field, ValidationError

from cotpd.data.records import Record
from cotpd.data.tables import write_json
from cotpd.errors import DataError

DATA_CHECKS = "data_checks.json"  # the name of their file in a version


class CheckedTable(Record):
    """A table (posts, captions, answers): its rows before the checks, and those that failed."""

    name: str
    rows: int = Field(ge=0)
    failed: int = Field(ge=0)

    @property
    def failed_share(self) -> float:
        """The share of rows that failed; 0 for an empty table."""
        return self.failed / self.rows if self.rows else 0.0


class DataChecks(Record):
    """The checks of the data that a student learnt from."""

    tables: tuple[CheckedTable, ...]
    warnings: tuple[str, ...] = ()

    def write(self, path: Path) -> None:
        """Write them as JSON.

        Raises:
            StorageError: The disk is full.
        """
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def read(cls, path: Path) -> "DataChecks":
        """Read what :meth:`write` wrote.

        Raises:
            DataError: The file is missing or damaged.
        """
        try:
            return cls.model_validate(json.loads(path.read_bytes()))
        except (OSError, ValueError, RecursionError, ValidationError) as error:
            problem = str(error).partition("\n")[0]
            raise DataError(
                f"{path}: no record of data checks: {problem}", "Register the student again."
            ) from None
