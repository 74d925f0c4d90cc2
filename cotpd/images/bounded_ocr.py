"""rapidocr's pipeline with an end to the work that one picture can make.

A screenshot full of text holds hundreds of lines, which take minutes to read, and a line of small print across a
wide picture takes gigabytes. A caption has room for neither: the beginnings of the first lines are enough.
"""

from typing import Any

import numpy as np
from rapidocr import RapidOCR

MOST_LINES = 24
WIDEST = 40  # width of a line by its height


class BoundedOcr(RapidOCR):
    """Reads the first MOST_LINES lines of a picture, of each what lies within WIDEST times its height."""

    def detect_and_crop(self, img: np.ndarray, op_record: dict[str, Any]) -> tuple[list[np.ndarray], Any]:
        """See RapidOCR; lines come top to bottom."""
        crops, detected = super().detect_and_crop(img, op_record)
        detected.boxes = detected.boxes[:MOST_LINES]
        detected.scores = detected.scores[:MOST_LINES]
        # shape of a crop: (height, width, channels)
        return [crop[:, : WIDEST * crop.shape[0]] for crop in crops[:MOST_LINES]], detected
