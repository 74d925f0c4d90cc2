"""The default captioner, offline: the names of things on the picture and the text in it, as one sentence.

Half a second a picture on a laptop and nothing to ask or to pay, but words without grammar: who does what to whom
is left to a vision-language model (backends transformers and openai).
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from cotpd.images.captioner import Description, PictureCaptioner
from cotpd.images.params import CaptionParams
from cotpd.images.pictures import Picture
from cotpd.images.tagger import Tagger
from cotpd.images.text_reader import TextReader
from cotpd.weights import resolve

LEAST_PROBABILITY = 0.12  # chosen by looking at the sample's 18 pictures, not measured
MOST_TAGS = 3


class TagsCaptioner(PictureCaptioner):
    """EfficientNet-Lite2's tags and PP-OCR's lines.

    Args:
        params: ``model`` names other weights of EfficientNet-Lite2 than the catalogued ones: a file or folder.
    """

    backend = "tags"

    def __init__(self, params: CaptionParams) -> None:
        self._weights = params.model or "efficientnet-lite2"

    @cached_property
    def tagger(self) -> Tagger:
        """The tagger, loaded with the first picture.

        Raises:
            ModelError: Its weights cannot be fetched, or are of another model.
        """
        return Tagger(Path(resolve(self._weights)))

    @cached_property
    def text_reader(self) -> TextReader:
        """The reader of text, loaded with the first picture."""
        return TextReader()

    def describe(self, pictures: Sequence[Picture]) -> list[Description]:
        """Describe each picture in its order."""
        return [self._describe(picture) for picture in pictures]

    def _describe(self, picture: Picture) -> Description:
        tags = select_likely(self.tagger.compute_tags(picture.image))
        caption = build_sentence(tags, self.text_reader.read_lines(picture.image))
        problem = "" if caption else f"{picture.name}: nothing was recognised: a larger model may see more"
        return Description(caption, problem)


def select_likely(tags: Mapping[str, float]) -> list[str]:
    """Return at most MOST_TAGS names of at least LEAST_PROBABILITY, likeliest first."""
    names = sorted((name for name in tags if tags[name] >= LEAST_PROBABILITY), key=lambda name: -tags[name])
    return names[:MOST_TAGS]


def build_sentence(tags: Sequence[str], lines: Sequence[str]) -> str | None:
    """Return tags and lines as a caption; None where there are neither."""
    text = " / ".join(lines)
    if not tags:
        return f"a picture with the text: {text}" if text else None
    caption = f"a picture of {_choose_article(tags[0])}{', '.join(tags)}"
    return f"{caption}; text in it: {text}" if text else caption


def _choose_article(name: str) -> str:
    if name.endswith("s") and not name.endswith("ss"):
        return ""  # binoculars, sunglasses
    return "an " if name[0].lower() in "aeiou" else "a "
