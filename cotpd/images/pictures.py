"""Reading picture files that anybody may have made: one that cannot be read is a reason, never a traceback.

Nothing outside the data set's folder is opened, and nothing larger than MOST_PIXELS is decoded: a few kilobytes of
PNG can claim to be gigabytes. The price is that a real gigapixel panorama is refused too.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image, ImageOps

MOST_PIXELS = 100_000_000


@dataclass(frozen=True)
class Picture:
    """A decoded picture: upright, RGB, its transparent parts white. ``name`` is its path below the folder."""

    name: str
    image: Image.Image


class UnreadableError(Exception):
    """A picture cannot be used; the message names the file, the reason and the remedy."""


def read_picture(folder: Path, name: str) -> Picture:
    """Read one picture of a data set.

    Args:
        folder: The data set's folder, or a file in it.
        name: Path below that folder.

    Raises:
        UnreadableError: It lies elsewhere, is missing, empty, too large, or is no whole picture.
    """
    path = _path(folder, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata; the size is checked below
            with Image.open(path) as opened:
                if opened.width * opened.height > MOST_PIXELS:
                    raise Image.DecompressionBombError
                return Picture(name, _flat(opened))
    except Image.DecompressionBombError:
        reason = f"{name}: more than {MOST_PIXELS // 10**6} million pixels"
        raise UnreadableError(f"{reason}: make it smaller") from None
    except Exception as error:  # decoders meet damage with whatever exception comes to hand
        reason = "not a picture" if isinstance(error, Image.UnidentifiedImageError) else f"damaged ({error})"
        raise UnreadableError(f"{name}: {reason}: replace the file") from None


def _path(folder: Path, name: str) -> Path:
    parts = PurePosixPath(name.replace("\\", "/"))
    if "://" in name:
        raise UnreadableError(f"{name}: pictures are not fetched: put the file beside the posts and name it")
    if parts.is_absolute() or ".." in parts.parts:
        raise UnreadableError(f"{name}: lies outside the data set's folder: copy it there")
    path = (folder if folder.is_dir() else folder.parent) / name
    try:
        if not path.is_file():  # also keeps clear of pipes and devices, which would block
            raise UnreadableError(
                f"{name}: there is no such picture: put it there, or use captions that came with the data"
                " (caption.backend: dataset)"
            )
        if path.stat().st_size == 0:
            raise UnreadableError(f"{name}: the file is empty: replace it")
    except (OSError, ValueError) as error:
        raise UnreadableError(f"{name}: cannot be read ({error}): mend its name or permissions") from None
    return path


def _flat(opened: Image.Image) -> Image.Image:
    image = ImageOps.exif_transpose(opened)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")
