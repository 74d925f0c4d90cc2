"""The default captioner, offline: names of what is on the picture and the text that stands in it, as one sentence.

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
from cotpd.images.text_reader import Lettering

LEAST_PROBABILITY = 0.12  # chosen by looking at the sample's 18 pictures, not measured
MOST_TAGS = 3


class TagCaptioner(PictureCaptioner):
    """EfficientNet-Lite2's tags and PP-OCR's lines.

    Args:
        params: ``model`` names other weights of EfficientNet-Lite2 than the catalogued ones: a file or folder.
    """

    backend = "tags"

    def __init__(self, params: CaptionParams) -> None:
        self._weights = params.model or "efficientnet-lite2"

    @cached_property
    def tagger(self) -> Tagger:
        """Loaded with the first picture; raises ModelError where the weights cannot be had."""
        from cotpd.weights import resolve

        return Tagger(Path(resolve(self._weights)))

    @cached_property
    def lettering(self) -> Lettering:
        """Loaded with the first picture."""
        return Lettering()

    def describe(self, pictures: Sequence[Picture]) -> list[Description]:
        """See :class:`PictureCaptioner`."""
        return [self._describe(picture) for picture in pictures]

    def _describe(self, picture: Picture) -> Description:
        caption = sentence(likely(self.tagger.tags(picture.image)), self.lettering.lines(picture.image))
        problem = "" if caption else f"{picture.name}: nothing was recognised: a larger model may see more"
        return Description(caption, problem)


def likely(tags: Mapping[str, float]) -> list[str]:
    """At most MOST_TAGS names of at least LEAST_PROBABILITY, likeliest first."""
    names = sorted((name for name in tags if tags[name] >= LEAST_PROBABILITY), key=lambda name: -tags[name])
    return names[:MOST_TAGS]


def sentence(tags: Sequence[str], lines: Sequence[str]) -> str | None:
    """Tags and lines as a caption; None where there are neither."""
    text = " / ".join(lines)
    if not tags:
        return f"a picture with the text: {text}" if text else None
    named = f"a picture of {_article(tags[0])}{', '.join(tags)}"
    return f"{named}; text in it: {text}" if text else named


def _article(name: str) -> str:
    if name.endswith("s") and not name.endswith("ss"):
        return ""  # binoculars, sunglasses
    return "an " if name[0].lower() in "aeiou" else "a "
