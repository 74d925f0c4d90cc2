"""rapidocr's pipeline with a limit to the work that one picture can make.

A screenshot full of text holds hundreds of lines, which take minutes to read, and a line of small print across a
wide picture takes gigabytes. A caption has room for neither: the beginnings of the first lines are enough.
"""

from typing import Any

import numpy as np
from rapidocr import RapidOCR

MOST_LINES = 24
WIDEST = 40  # width of a line, in heights of it


class BoundedOcr(RapidOCR):
    """Reads the first MOST_LINES lines of a picture, and the first WIDEST heights of each."""

    def detect_and_crop(self, img: np.ndarray, op_record: dict[str, Any]) -> tuple[list[np.ndarray], Any]:
        """Return the crops of the lines, top to bottom, and where they were detected; see RapidOCR."""
        crops, detected = super().detect_and_crop(img, op_record)
        if detected.boxes is not None:
            detected.boxes = detected.boxes[:MOST_LINES]
        if detected.scores is not None:
            detected.scores = detected.scores[:MOST_LINES]
        # shape of a crop: (height, width, channels)
        return [crop[:, : WIDEST * crop.shape[0]] for crop in crops[:MOST_LINES]], detected
