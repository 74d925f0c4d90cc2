"""Files are written whole or not at all."""

import hashlib
from pathlib import Path

import pytest

from cotpd.errors import StorageError
from cotpd.files import compute_sha256, write_atomically


def fail_midway(target: Path, error: BaseException) -> None:
    with write_atomically(target) as partial:
        partial.write_text("half")
        raise error


def test_a_written_file_replaces_the_old_one_and_leaves_no_partial_file(tmp_path: Path) -> None:
    target = tmp_path / "new/table.jsonl"

    for text in ("old", "new"):
        with write_atomically(target) as partial:
            partial.write_text(text)

    assert target.read_text() == "new"
    assert [path.name for path in target.parent.iterdir()] == ["table.jsonl"]


@pytest.mark.parametrize("error", [ValueError("a bad row"), KeyboardInterrupt()])
def test_an_error_leaves_the_old_file_and_no_partial_one(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "table.jsonl"
    target.write_text("old")

    with pytest.raises(type(error)):
        fail_midway(target, error)

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"table.jsonl": "old"}


def test_a_full_disk_is_named_with_the_file_and_not_with_its_partial_one(tmp_path: Path) -> None:
    target = tmp_path / "table.jsonl"

    with pytest.raises(StorageError) as caught:
        fail_midway(target, OSError(28, "No space left on device"))

    assert str(caught.value).startswith(f"{target}: could not be written: the disk is full")
    assert list(tmp_path.iterdir()) == []


def test_a_link_into_a_cache_is_replaced_and_the_cached_file_stays(tmp_path: Path) -> None:
    cached = tmp_path / "cached"
    cached.write_text("cached")
    (tmp_path / "table.jsonl").symlink_to(cached)

    with write_atomically(tmp_path / "table.jsonl") as partial:
        partial.write_text("new")

    assert cached.read_text() == "cached"
    assert (tmp_path / "table.jsonl").read_text() == "new"


def test_the_checksum_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\x00abc")

    assert compute_sha256(tmp_path / "file") == hashlib.sha256(b"\x00abc").hexdigest()
