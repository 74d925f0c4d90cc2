"""A decoded picture of any mode as upright RGB of bounded size, a strip at a time.

Trade-off: a picture of more than FULL_PIXELS loses detail that no captioner looks at (they see 260 to 2,000 pixels
a side). That keeps the memory for a picture of 100 million pixels near what its decoder takes: converting it whole
takes four times as much.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageOps

FULL_PIXELS = 16_000_000
_STRIP_PIXELS = 2_000_000
_ORIENTATION = 0x0112  # EXIF
_DEEP = ("I", "F")  # and I;16 in all byte orders: Pillow itself cuts their values off at 255


def convert_picture(opened: Image.Image) -> Image.Image:
    """Turn an opened picture upright and into RGB; transparent parts become white.

    Values of more than 8 bits are scaled: 16-bit ones by their mode's range, 32-bit and float ones by their own
    where they leave the usual ranges.
    """
    orientation = opened.getexif().get(_ORIENTATION)
    factor = _choose_reduction(opened)
    if factor > 1:
        opened.draft(opened.mode, (opened.width // factor, opened.height // factor))  # JPEG then decodes smaller
        factor = _choose_reduction(opened)
    opened.load()

    flatten = _choose_flattening(opened)
    image = Image.new("RGB", (math.ceil(opened.width / factor), math.ceil(opened.height / factor)))
    for top, strip in _cut_strips(opened, factor):
        image.paste(flatten(strip).reduce(factor), (0, top // factor))

    if not opened.has_transparency_data and "comment" in opened.info:
        # Saving the picture for a request writes the comment too. Without it the request's bytes would change, and
        # an answer that an earlier release paid for would be bought again.
        image.info["comment"] = opened.info["comment"]
    if orientation is not None:
        image.getexif()[_ORIENTATION] = orientation
    return ImageOps.exif_transpose(image)


def _choose_reduction(image: Image.Image) -> int:
    """Return the factor by which each side is divided to come below FULL_PIXELS."""
    return max(1, math.ceil(math.sqrt(image.width * image.height / FULL_PIXELS)))


def _cut_strips(image: Image.Image, factor: int) -> Iterator[tuple[int, Image.Image]]:
    """Yield strips of a multiple of ``factor`` rows, each with the number of its first row."""
    rows = factor * max(1, _STRIP_PIXELS // (image.width * factor))
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _choose_flattening(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """Return the function that turns a strip of this picture into RGB."""
    if image.mode in _DEEP or image.mode.startswith("I;16"):
        low, high = _find_range(image)
        return lambda strip: _flatten_deep(strip, low, high)
    return _flatten_transparent if image.has_transparency_data else lambda strip: strip.convert("RGB")


def _flatten_transparent(strip: Image.Image) -> Image.Image:
    strip = strip.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip).convert("RGB")


def _flatten_deep(strip: Image.Image, low: float, high: float) -> Image.Image:
    """Scale values to 8 bits, ``low`` being black and ``high`` white; NaN is black."""
    values = np.nan_to_num(np.asarray(strip, np.float32), nan=low, posinf=high, neginf=low)
    grey = ((values.clip(low, high) - low) * (255 / (high - low))).round().astype(np.uint8)
    if "transparency" in strip.info:  # one grey value of a 16-bit PNG
        grey[values == strip.info["transparency"]] = 255
    return Image.fromarray(grey).convert("RGB")


def _find_range(image: Image.Image) -> tuple[float, float]:
    """Return the values for black and white: the smallest usual range of the mode that holds all values.

    Where none does, the lowest and the highest value of the picture.
    """
    if image.mode.startswith("I;16"):
        return 0, 65535
    low, high = math.inf, -math.inf
    for _, strip in _cut_strips(image, 1):
        values = np.asarray(strip)
        values = values[np.isfinite(values)]
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    usual_whites = (255, 65535) if image.mode == "I" else (1, 255)
    if low < 0 or high > usual_whites[-1]:
        return (low, high) if high > low else (low - 1, low)  # a picture of one value is white
    return 0, next((white for white in usual_whites if high <= white), usual_whites[-1])
