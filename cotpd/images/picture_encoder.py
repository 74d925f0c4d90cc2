"""Pictures as a vision model takes them: in the question itself, as data URLs.

Trade-off: a picture is sent at most SIDE pixels wide or high. That costs the ledger about 100 kB a picture and a
finer look at small print, and buys that the same picture and wording is never paid for twice.
"""

import base64
import io
from pathlib import Path

from PIL import Image

from cotpd.data.params import DataParams
from cotpd.data.picture_files import PictureFolder, UnreadableError
from cotpd.data.records import Post
from cotpd.images.pictures import read_picture
from cotpd.llm.params import LlmParams

SIDE = 768  # pixels


class PictureEncoder:
    """Encodes the pictures of posts for a vision model.

    Args:
        folder: Where the posts' pictures lie.
    """

    def __init__(self, folder: PictureFolder) -> None:
        self._folder = folder

    def __call__(self, post: Post) -> str | None:
        """Return the post's picture as a data URL; None where it has none or the file cannot be read."""
        if not post.image:
            return None
        try:
            return encode_picture(read_picture(self._folder, post.image).image)
        except UnreadableError:  # the caption step has reported it; the question then makes do with a caption
            return None


def build_picture_encoder(data: DataParams, llm: LlmParams) -> PictureEncoder | None:
    """Return an encoder of a data set's pictures; None where the LLM is not to be shown any (llm.vision)."""
    return PictureEncoder(PictureFolder(Path(data.path), data.pictures)) if llm.vision else None


def encode_picture(image: Image.Image) -> str:
    """Return a picture as a data URL: a JPEG of at most SIDE pixels, for one picture always the same bytes."""
    small = image.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
