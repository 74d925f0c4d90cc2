"""Which format a file has by its name, and its text or its damage, whichever way it is compressed."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

from cotpd.data.readers.text_files import HEAD_BYTES, refuse_other_encodings
from cotpd.errors import ConfigError, DataError

Format = Literal["jsonl", "csv", "tsv", "parquet"]
Compression = Literal["", "gz", "zst"]

STANDARD = "-"  # standard input or output, which holds JSON Lines
_FORMAT_OF_SUFFIX: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_COMPRESSION_OF_SUFFIX: dict[str, Compression] = {".gz": "gz", ".zst": "zst"}
_NAMES = "Name it .parquet, .jsonl, .csv or .tsv; the last three also with .gz or .zst behind."


class FileFormat(NamedTuple):
    """The format of a file of rows, and its compression."""

    name: Format
    compression: Compression = ""


def find_format(path: str) -> FileFormat:
    """Return the format that a file's name stands for.

    Raises:
        ConfigError: It stands for none, or for a compressed Parquet file.
    """
    if path == STANDARD:
        return FileFormat("jsonl")
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    compression = _COMPRESSION_OF_SUFFIX.get(suffixes[-1], "") if suffixes else ""
    if compression:
        suffixes.pop()
    name = _FORMAT_OF_SUFFIX.get(suffixes[-1]) if suffixes else None
    if name is None:
        raise ConfigError(f"{path}: its name does not say its format", _NAMES)
    if name == "parquet" and compression:
        raise ConfigError(f"{path}: Parquet is compressed inside", f"Leave .{compression} out of its name.")
    return FileFormat(name, compression)


@contextmanager
def open_text(path: Path, compression: Compression, newline: str) -> Iterator[IO[str]]:
    """Open a file for reading as UTF-8; a byte that is none becomes half a surrogate pair.

    Args:
        path: The file.
        compression: As :func:`find_format` returned it.
        newline: As for :func:`open`.

    Raises:
        DataError: The file cannot be opened, is in another encoding or compression, or is damaged. Damage is
            found while lines are read, inside the block.
    """
    with explain_damage(path), _open_bytes(path, compression) as raw:
        head = raw.read(HEAD_BYTES)
        refuse_other_encodings(head, path, str(path))
    with explain_damage(path):
        raw = _open_bytes(path, compression)
        with io.TextIOWrapper(raw, "utf-8-sig", errors="surrogateescape", newline=newline) as text:
            yield text


@contextmanager
def explain_damage(path: Path) -> Iterator[None]:
    """Explain a file that cannot be read to its end.

    Raises:
        DataError: The block met a missing, damaged or truncated file.
    """
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file", "Check the path.") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: damaged or cut short: {error}", "Compress it again.") from None
    except OSError as error:
        if error.errno is None:  # pyarrow's errors of a damaged stream carry no number
            raise DataError(f"{path}: damaged or cut short: {error}", "Write it again.") from None
        raise DataError(f"{path}: cannot be read: {error.strerror}", "Check path and permissions.") from None


def _open_bytes(path: Path, compression: Compression) -> IO[bytes]:
    if compression == "gz":
        return io.BufferedReader(gzip.open(path, "rb"))
    if compression == "zst":
        import pyarrow as pa  # noqa: PLC0415  of an extra

        path.open("rb").close()  # or a missing file would be an error without a number
        return io.BufferedReader(pa.input_stream(str(path), compression="zstd"))
    return path.open("rb")


@contextmanager
def create_text(path: Path, compression: Compression) -> Iterator[IO[str]]:
    """Open a new UTF-8 file for writing; what UTF-8 cannot hold (half a character) becomes a question mark."""
    with _create_bytes(path, compression) as raw, io.TextIOWrapper(raw, "utf-8", "replace", "") as text:
        yield text


@contextmanager
def _create_bytes(path: Path, compression: Compression) -> Iterator[Any]:
    """Open a new file whose bytes depend on what is written alone: no name and no time in a header."""
    if compression == "gz":
        with path.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
            yield packed
    elif compression == "zst":
        import pyarrow as pa  # noqa: PLC0415  of an extra

        with pa.output_stream(str(path), compression="zstd") as packed:
            yield packed
    else:
        with path.open("wb") as file:
            yield file
