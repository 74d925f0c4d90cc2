"""A full disk ends in a sentence that names the file, whatever was being written, and the next run goes through."""

import errno
import shutil
import sqlite3
from pathlib import Path

import pytest

from cotpd.data.records import Caption
from cotpd.data.tables import read_table, write_json, write_table
from cotpd.errors import LlmError, StorageError
from cotpd.storage import explain_full_disk, report_full_disk

ROWS = [Caption(id=str(n), image="a.jpg", caption="a tower " * 50, backend="tags") for n in range(4000)]


def list_names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_table_names_itself_gives_its_space_back_and_is_written_next_time(disk) -> None:
    small_disk, make_room = disk
    write_table(small_disk / "captions.jsonl", ROWS[:2])

    with pytest.raises(StorageError, match=r"captions\.jsonl: could not be written: the disk is full\n.*Free"):
        write_table(small_disk / "captions.jsonl", ROWS)

    assert list_names(small_disk) == ["captions.jsonl"]
    assert read_table(small_disk / "captions.jsonl", Caption) == ROWS[:2]
    make_room()
    assert write_table(small_disk / "captions.jsonl", ROWS) == len(ROWS)


def test_a_json_file_names_itself(disk) -> None:
    with pytest.raises(StorageError, match=r"scores\.json: could not be written"):
        write_json(disk[0] / "scores.json", {str(n): n for n in range(50_000)})
    assert not list_names(disk[0])


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "data/answers.jsonl"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        OSError(errno.EFBIG, "File too large"),
        sqlite3.OperationalError("database or disk is full"),
        shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")]),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_every_librarys_way_to_say_it_is_understood(error: Exception) -> None:
    outer = RuntimeError("something failed")
    outer.__cause__ = error
    for raised in (error, outer):
        assert "could not be written" in str(explain_full_disk(raised))


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EACCES, "Permission denied"),
        ValueError("no"),
        LlmError("the server answered 500: No space left on device", "Mend the server."),
    ],
)
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    assert explain_full_disk(error) is None
    with pytest.raises(type(error)), report_full_disk("here"):
        raise error
