"""Pictures as a vision model takes them: in the question itself, as data URLs.

Trade-off: a picture is sent at most SIDE pixels wide or high. That costs the ledger about 100 kB a picture and a
finer look at small print, and buys that the same picture and wording is never paid for twice.
"""

import base64
import io
from pathlib import Path

from PIL import Image

from cotpd.config import Params
from cotpd.data.picture_files import PictureFolder, UnreadableError
from cotpd.data.records import Post
from cotpd.images.pictures import read_picture

SIDE = 768  # pixels


class Sight:
    """Looks at the pictures of posts.

    Args:
        folder: Where the posts' pictures lie.
    """

    def __init__(self, folder: PictureFolder) -> None:
        self._folder = folder

    def __call__(self, post: Post) -> str | None:
        """The post's picture as a data URL; None where it has none or the file cannot be read."""
        if not post.image:
            return None
        try:
            return data_url(read_picture(self._folder, post.image).image)
        except UnreadableError:  # the caption step has named it already; the question then makes do with a caption
            return None


def sight(params: Params) -> Sight | None:
    """What looks at pictures for the questions; None where the model is not to be shown any (llm.vision)."""
    return Sight(PictureFolder(Path(params.data.path), params.data.pictures)) if params.llm.vision else None


def data_url(image: Image.Image) -> str:
    """The picture as a JPEG of at most SIDE pixels, in a data URL; one picture always gives the same bytes."""
    small = image.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
