"""Lists of records as JSON files of an evaluation, which a page or a script reads at once."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from cotpd.data.tables import write_json
from cotpd.errors import DataError, find_remedy_in_project

R = TypeVar("R", bound=BaseModel)


def write_rows(path: Path, rows: Iterable[BaseModel]) -> None:
    """Write records as a JSON list, whole or not at all.

    Raises:
        StorageError: The disk is full.
    """
    write_json(path, [row.model_dump(mode="json", by_alias=True) for row in rows])


def read_rows(path: Path, record: type[R]) -> list[R]:
    """Read a list of one record type.

    Raises:
        DataError: The file is missing, or holds no such list.
    """
    try:
        return TypeAdapter(list[record]).validate_json(path.read_bytes())  # type: ignore[valid-type]
    except FileNotFoundError:
        remedy = find_remedy_in_project("Run the step that writes it: dvc repro")
        raise DataError(f"{path}: there is no such file", remedy) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(
            f"{path}: no list of {record.__name__}: {place}: {first['msg']}",
            "It was edited, or is of another version: dvc repro --force evaluate",
        ) from None
