"""Reading of UTF-8 text files; another encoding or a packed file is refused, with the command to convert it.

UTF-16 without its mark is often valid UTF-8 full of NUL bytes, so the bytes are examined before they are decoded.
"""

import codecs
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from cotpd.errors import DataError

HEAD_BYTES = 65536
CHUNK_BYTES = 1 << 18
_BINARY = (b"PAR1", b"ARROW1", b"\x78\x01", b"\x78\x9c", b"\x78\xda")  # Parquet, Arrow, zlib
UNPACK = {".gz": "gunzip", ".bz2": "bunzip2", ".xz": "unxz", ".zst": "unzstd", ".zip": "unzip"}
PACKED_SUFFIXES = tuple(UNPACK)
_MARKS = (  # UTF-32's mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
_LEAST_NULS = 0.1  # of the bytes: UTF-16 of a script that is not Latin still has line ends, digits and signs
_SIGNATURES = (
    (b"\x1f\x8b", "packed with gzip", "gunzip"),
    (b"BZh", "packed with bzip2", "bunzip2"),
    (b"\xfd7zXZ\x00", "packed with xz", "unxz"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd", "unzstd"),
    (b"PK\x03\x04", "a zip archive (or a spreadsheet)", "unzip"),
    (b"PAR1", "a Parquet file", ""),
    (b"SQLite format 3", "a database", ""),
)


def read_text(path: Path, name: str) -> str:
    """Read a whole text file, without its byte order mark.

    Raises:
        DataError: It cannot be opened or is not UTF-8; the message names the encoding, or the line and the byte.
    """
    content = _read_bytes(path, name)
    refuse_other_encodings(content, path, name)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        where = f"byte 0x{content[error.start]:02x} at offset {error.start}"
        guess, remedy = _explain_encoding(content, path)
        raise DataError(f"{name}:{line}: not UTF-8: {where}{guess}", remedy) from None


def read_numbered_lines(path: Path, name: str) -> Iterator[tuple[int, str]]:
    """Yield the file's lines with their numbers, without line ends; only \\n and \\r\\n end a line.

    str.splitlines would also break at U+2028 or U+0085, which occur inside posts. One line at a time is in memory.

    Raises:
        DataError: As :func:`read_text`, once the faulty line is reached.
    """
    number = 0
    with _open_text(path, name) as file:
        for number, content in enumerate(file, 1):
            encoding = "utf-8-sig" if number == 1 else "utf-8"
            line = _decode(content.removesuffix(b"\n").removesuffix(b"\r"), path, name, encoding)
            yield number, line
    if not number:
        yield 1, ""


def iterate_text(path: Path, name: str, size: int = CHUNK_BYTES) -> Iterator[str]:
    """Yield the text of a file piece by piece, without its byte order mark.

    Raises:
        DataError: As :func:`read_text`, once the faulty piece is reached.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    with _open_text(path, name) as file:
        while chunk := file.read(size):
            yield _decode_piece(decoder, chunk, path, name)
        yield _decode_piece(decoder, b"", path, name, is_last=True)


def iterate_wide_text(path: Path, name: str, size: int = CHUNK_BYTES) -> Iterator[str]:
    """Yield the text of a file piece by piece, in UTF-8, or in UTF-16 or UTF-32, as spreadsheets write it.

    Raises:
        DataError: As :func:`iterate_text`, and where the wide encoding is damaged.
    """
    encoding = name_wide_encoding(_read_bytes(path, name, HEAD_BYTES))
    if encoding is None:
        yield from iterate_text(path, name, size)
        return
    try:
        with path.open(encoding=encoding, newline="") as file:
            while piece := file.read(size):
                yield piece.removeprefix("\ufeff")
    except UnicodeError as error:
        raise DataError(
            f"{name}: the text is not whole {encoding.upper()}: {error}", "Save the file again."
        ) from None


def _decode_piece(
    decoder: codecs.IncrementalDecoder, chunk: bytes, path: Path, name: str, *, is_last: bool = False
) -> str:
    try:
        return decoder.decode(chunk, is_last)
    except UnicodeDecodeError:
        return read_text(path, name)  # raises, with the line and the byte


def _decode(content: bytes, path: Path, name: str, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return read_text(path, name)  # raises, with the line and the byte


def _open_text(path: Path, name: str) -> BinaryIO:
    """Open a file for reading, unless its first bytes are not those of UTF-8 text."""
    refuse_other_encodings(_read_bytes(path, name, HEAD_BYTES), path, name)
    return path.open("rb")


def read_head(path: Path, name: str) -> list[str]:
    """Read the first lines, in any Unicode encoding; the last one may be cut.

    Faulty bytes and encodings are not refused here but when the file is read, once its format is clear.

    Raises:
        DataError: The file cannot be opened.
    """
    content = _read_bytes(path, name, HEAD_BYTES)
    if content.startswith(_BINARY):
        return [content[:8].decode("latin-1")]
    encoding = name_wide_encoding(content) or "utf-8-sig"
    return content.decode(encoding, "replace").split("\n")


def refuse_other_encodings(content: bytes, path: Path, name: str) -> None:
    """Refuse a file by its first bytes.

    Raises:
        DataError: It is packed, or in UTF-16 or UTF-32; the remedy is the command that converts it.
    """
    for signature, kind, command in _SIGNATURES:
        if content.startswith(signature):
            remedy = f"Unpack it: {command} {path.name}" if command else "Export it as text."
            raise DataError(f"{name}: is {kind}, not text", remedy)
    wide = name_wide_encoding(content)
    if wide is not None:
        raise DataError(f"{name}: the text is {wide.upper()}, not UTF-8", _explain_conversion(wide, path))


def name_wide_encoding(content: bytes) -> str | None:
    """Name the encoding of UTF-16 and UTF-32, with or without a mark; None for anything else."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    start = content[: HEAD_BYTES // 16]
    if start.count(0) < max(1, _LEAST_NULS * len(start)):
        return None
    likeliest = max(_WIDE, key=lambda encoding: _count_plain(start, encoding))
    return likeliest if _count_plain(start, likeliest) >= _LEAST_NULS * len(start) / 4 else None


def _count_plain(start: bytes, encoding: str) -> int:
    """Count the ASCII characters in bytes, read in an encoding: the right encoding gives the most."""
    return sum("\t" <= character <= "~" for character in start.decode(encoding, "replace"))


def _read_bytes(path: Path, name: str, at_most: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(at_most)
    except OSError as error:
        raise DataError(
            f"{name}: cannot be read: {error.strerror}", "Check the path and its permissions."
        ) from None


def _explain_encoding(content: bytes, path: Path) -> tuple[str, str]:
    """Guess the encoding of text that is not UTF-8; return an addition to the message, and the remedy."""
    replaced = content.decode("utf-8", "replace")
    faults = replaced.count("\ufffd")
    if sum(character > "\x7f" for character in replaced) > 2 * faults:
        return "; the rest is UTF-8", "Mend the line: it was cut inside a character, or comes from another file."
    pairs = sum(left > 0x7F and right > 0x7F for left, right in pairwise(content))
    single = sum(byte > 0x7F for byte in content)
    if 2 * pairs < single:  # accents stand alone between ASCII letters
        return "; it looks like latin-1 (windows-1252)", _explain_conversion("windows-1252", path)
    remedy = (
        "Convert it from the encoding it was saved in, e.g. iconv -f gb18030 (windows-1251, shift-jis) -t utf-8."
    )
    return "; it looks like an older encoding", remedy


def _explain_conversion(encoding: str, path: Path) -> str:
    name = path.name
    return f"Convert it: iconv -f {encoding} -t utf-8 {name} > converted && mv converted {name}"
