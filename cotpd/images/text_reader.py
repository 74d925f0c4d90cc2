"""The text in a picture, read by PP-OCR (rapidocr, models inside its package) in about half a second.

Signs and captions often name what a post is about. Lines that the reader is unsure of are left out: it sees
letters in fences and feathers.

rapidocr scales the shorter side of a picture up to 736 pixels, whatever becomes of the longer one, and a side down
to nothing: a strip of 20 by 6000 pixels takes it 10 GB, or an exception. So a picture is fitted to it first:
whatever its size, the detector sees at most MOST_PIXELS, which takes less than 700 MB together with the models.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cotpd.errors import ModelError

CONFIDENCE = 0.8  # lines read with less are noise more often than not
LEAST_LETTERS = 2  # letters or digits in a line
MOST_CHARACTERS = 120  # in all: a screenshot of a page is not a caption
LONGEST = 2000  # pixels; rapidocr itself reduces longer sides to that
SHORTEST = 32  # pixels; the detector's grid
NARROWEST = 3  # longer by shorter side
MOST_PIXELS = 2_000_000


class TextReader:
    """Reads the text in pictures. Nothing is downloaded: the two models are named by path.

    Raises:
        ModelError: The models are not where rapidocr keeps them.
    """

    def __init__(self) -> None:
        import rapidocr  # noqa: PLC0415  of the extra images, and it takes a second

        from cotpd.images.bounded_ocr import BoundedOcr  # noqa: PLC0415  imports rapidocr

        models = Path(rapidocr.__file__).parent / "models"
        files = {"Det.model_path": "PP-OCRv6_det_small.onnx", "Rec.model_path": "PP-OCRv6_rec_small.onnx"}
        for name in files.values():
            if not (models / name).is_file():
                raise ModelError(
                    f"{models / name}: rapidocr's model is missing", "Reinstall: pip install rapidocr==3.10.0"
                )
        # One line at a time: rapidocr pads all lines of a batch to the longest.
        settings = {"Global.log_level": "critical", "Global.use_cls": False, "Rec.rec_batch_num": 1}
        paths = {key: str(models / name) for key, name in files.items()}
        self._reader: Any = BoundedOcr(params=settings | paths)

    def read_lines(self, image: Image.Image) -> list[str]:
        """Return the lines that were read with confidence, top to bottom, MOST_CHARACTERS at most together."""
        pixels = np.asarray(fit_to_detector(image))
        result = self._reader(np.ascontiguousarray(pixels[:, :, ::-1]))  # rapidocr expects BGR
        lines: list[str] = []
        for text, confidence in zip(result.txts or (), result.scores or (), strict=True):
            line = " ".join(text.split())
            letters = sum(character.isalnum() for character in line)
            if confidence >= CONFIDENCE and letters >= LEAST_LETTERS and line not in lines:
                if sum(map(len, lines)) + len(line) > MOST_CHARACTERS:
                    break
                lines.append(line)
        return lines


def fit_to_detector(image: Image.Image) -> Image.Image:
    """Reduce a picture that is too large for the detector, and put a narrow one on a wider white ground."""
    scale = min(1.0, LONGEST / max(image.size), math.sqrt(MOST_PIXELS / (image.width * image.height)))
    if scale < 1:
        size = (max(1, int(image.width * scale)), max(1, int(image.height * scale)))
        image = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2)

    least = max(SHORTEST, math.ceil(max(image.size) / NARROWEST))
    if min(image.size) >= least:
        return image
    ground = Image.new("RGB", (max(image.width, least), max(image.height, least)), "white")
    ground.paste(image, ((ground.width - image.width) // 2, (ground.height - image.height) // 2))
    return ground
