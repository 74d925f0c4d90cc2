"""Text that stands in a picture, read by PP-OCR (rapidocr, models inside its package) in about half a second.

Signs and captions often name what a post is about. Lines that the reader is unsure of are left out: it sees
letters in fences and feathers.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from cotpd.errors import ModelError

CONFIDENCE = 0.8  # lines read with less are noise more often than not
LEAST_LETTERS = 2  # letters or digits in a line
MOST_CHARACTERS = 120  # in all: a screenshot of a page is not a caption


class Lettering:
    """Reads the text in pictures. Nothing is downloaded: the two models are named by path.

    Raises:
        ModelError: The models are not where rapidocr keeps them.
    """

    def __init__(self) -> None:
        import rapidocr

        models = Path(rapidocr.__file__).parent / "models"
        files = {"Det.model_path": "PP-OCRv6_det_small.onnx", "Rec.model_path": "PP-OCRv6_rec_small.onnx"}
        for name in files.values():
            if not (models / name).is_file():
                raise ModelError(
                    f"{models / name}: rapidocr's model is missing", "Reinstall: pip install rapidocr==3.10.0"
                )
        settings = {"Global.log_level": "critical", "Global.use_cls": False}
        self._reader = rapidocr.RapidOCR(
            params=settings | {key: str(models / name) for key, name in files.items()}
        )

    def lines(self, image: Image.Image) -> list[str]:
        """The lines that were read with confidence, top to bottom, MOST_CHARACTERS at most together."""
        read = self._reader(np.ascontiguousarray(np.asarray(image)[:, :, ::-1]))  # it expects BGR
        kept: list[str] = []
        for text, confidence in zip(read.txts or (), read.scores or (), strict=True):
            line = " ".join(text.split())
            letters = sum(character.isalnum() for character in line)
            if confidence >= CONFIDENCE and letters >= LEAST_LETTERS and line not in kept:
                if sum(map(len, kept)) + len(line) > MOST_CHARACTERS:
                    break
                kept.append(line)
        return kept
