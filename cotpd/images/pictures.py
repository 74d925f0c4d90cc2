"""Reading picture files of any origin: one that cannot be read gives a reason, never a traceback.

Nothing outside the data set's folder is opened, no format but FORMATS is tried, and nothing larger than
MOST_PIXELS is decoded: a few kilobytes of PNG can claim to be gigabytes. The price: a gigapixel photo is refused.
"""

import io
import warnings
from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError

from cotpd.data.picture_files import PictureFolder, UnreadableError
from cotpd.images.conversion import convert_picture

MOST_PIXELS = 100_000_000
MOST_PIXELS_OF = {"AVIF": 40_000_000, "WEBP": 40_000_000}  # their decoders hold a picture up to four times
MOST_BYTES = 500_000_000  # of a file, which is read whole; an uncompressed picture of MOST_PIXELS has fewer
MOST_SIDE = 65_535  # JPEG's limit; Pillow spends memory on each row, and a line of one pixel's width took 2 GB
# Formats of the web and of cameras. Pillow would try PostScript as well, and start Ghostscript on it.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")


@dataclass(frozen=True)
class Picture:
    """A decoded picture: upright, RGB, its transparent parts white. ``name`` is its path below the folder."""

    name: str
    image: Image.Image


class PictureFile(NamedTuple):
    """A picture as it lies on disk; ``problem`` says why it could not be read, and then there is no content."""

    name: str
    content: bytes
    problem: str = ""


def read_picture_file(folder: PictureFolder, name: str) -> PictureFile:
    """Read the bytes of a picture, which another machine may decode."""
    try:
        path = folder.locate(name)
        if path.stat().st_size > MOST_BYTES:
            raise UnreadableError(f"{name}: more than {MOST_BYTES // 10**6} MB: make it smaller")
        return PictureFile(name, path.read_bytes())
    except UnreadableError as error:
        return PictureFile(name, b"", str(error))
    except (OSError, MemoryError) as error:
        return PictureFile(name, b"", f"{name}: {_explain(error)}")


def read_picture(folder: PictureFolder, name: str) -> Picture:
    """Read one picture of a data set.

    Args:
        folder: Where the data set's pictures lie.
        name: Path below that folder.

    Raises:
        UnreadableError: It lies outside the folder, is missing, empty, too large, or is no whole picture.
    """
    return decode_picture(read_picture_file(folder, name))


def decode_picture(file: PictureFile) -> Picture:
    """Decode the bytes of a picture.

    Raises:
        UnreadableError: They could not be read, are too large a picture, or no whole one.
    """
    name = file.name
    if file.problem:
        raise UnreadableError(file.problem)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata; the size is checked below
            with Image.open(io.BytesIO(file.content), formats=FORMATS) as opened:
                _refuse_large(name, opened)
                return Picture(name, convert_picture(opened))
    except UnreadableError:
        raise
    except Exception as error:  # a decoder may raise anything at a damaged file
        raise UnreadableError(f"{name}: {_explain(error)}") from None


def _refuse_large(name: str, opened: Image.Image) -> None:
    """Raise UnreadableError before the decoder takes more memory than a captioner may use."""
    most = MOST_PIXELS_OF.get(opened.format or "", MOST_PIXELS)
    if opened.width * opened.height > most:
        raise UnreadableError(f"{name}: more than {most // 10**6} million pixels: make it smaller")
    if max(opened.size) > MOST_SIDE:
        raise UnreadableError(f"{name}: a side of more than {MOST_SIDE:,} pixels: cut it into pieces")


def _explain(error: Exception) -> str:
    """Return the reason why a file cannot be read, and a remedy."""
    match error:
        case Image.DecompressionBombError():
            return f"more than {MOST_PIXELS // 10**6} million pixels: make it smaller"
        case UnidentifiedImageError():
            return f"not a picture of a format that is read ({', '.join(FORMATS)}): replace the file"
        case MemoryError():
            return "memory ran out while it was read: make it smaller"
        case OSError(errno=int()):
            return f"cannot be read ({error.strerror}): mend its permissions"
        case _:
            return f"damaged ({error}): replace the file"
