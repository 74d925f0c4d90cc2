"""The interface of every captioner, and the part that captioners of pictures share.

A picture that several posts show is read and described once. Descriptions are made a batch at a time, so that
memory holds one batch of decoded pictures whatever the size of the data set.

A picture that ends in any error costs its own caption and no other's: its batch is described again one by one.
Only if a plain grey picture fails as well is the captioner itself at fault, and the step ends.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from PIL import Image

from cotpd.completions import clean_answer
from cotpd.data.picture_files import PictureFolder, UnreadableError
from cotpd.data.records import Caption, Post
from cotpd.engine.ordered_map import LOCAL, Engine
from cotpd.errors import CotpdError, ModelError
from cotpd.images.pictures import Picture, PictureFile, decode_picture, read_picture_file
from cotpd.progress import Progress


@dataclass(frozen=True)
class Description:
    """The caption of a picture, or the reason for having none."""

    caption: str | None
    problem: str = ""


class Captioner(Protocol):
    """Gives posts their captions."""

    backend: str

    def caption(self, posts: Sequence[Post], folder: PictureFolder, engine: Engine = LOCAL) -> list[Caption]:
        """Return one record a post, in their order.

        Args:
            posts: The posts.
            folder: Where their pictures lie.
            engine: Whose machines describe pictures.

        A picture that cannot be read or described gives a record without a caption, whose ``problem`` says why.
        """
        ...


def tidy_caption(text: str) -> tuple[str | None, str]:
    """Return a caption on one line, without reasoning and control tokens; None and why if nothing is left."""
    cleaned = clean_answer(text)
    caption = " ".join(cleaned.text.split())
    if caption or not text.strip():
        return caption or None, ""
    return None, "the captioner wrote down reasoning or control tokens alone"


class PictureCaptioner(ABC):
    """A captioner that looks at pictures; a backend describes a batch of them."""

    backend: str
    batch_size: int = 1

    @abstractmethod
    def describe(self, pictures: Sequence[Picture]) -> list[Description]:
        """Describe at most ``batch_size`` pictures, in their order."""

    def caption(self, posts: Sequence[Post], folder: PictureFolder, engine: Engine = LOCAL) -> list[Caption]:
        """See :class:`Captioner`."""
        names = list(dict.fromkeys(post.image for post in posts if post.image))
        descriptions = self._describe_all(names, folder, engine)
        return [self._build_record(post, descriptions) for post in posts]

    def _build_record(self, post: Post, descriptions: dict[str, Description]) -> Caption:
        description = descriptions[post.image] if post.image else Description(None)
        caption, problem = tidy_caption(description.caption or "")
        return Caption(
            id=post.id,
            image=post.image,
            caption=caption,
            backend=self.backend,
            problem=description.problem or (problem and f"{post.image}: {problem}"),
        )

    def _describe_all(self, names: list[str], folder: PictureFolder, engine: Engine) -> dict[str, Description]:
        descriptions: dict[str, Description] = {}
        with Progress("pictures", len(names)) as bar:
            for batch in engine.map_in_order(self.describe_files, self._read_batches(names, folder), weigh=len):
                descriptions |= batch
                bar.advance(len(batch))
        return descriptions

    def _read_batches(self, names: list[str], folder: PictureFolder) -> Iterator[list[PictureFile]]:
        for start in range(0, len(names), self.batch_size):
            yield [read_picture_file(folder, name) for name in names[start : start + self.batch_size]]

    def describe_files(self, batches: Iterable[Sequence[PictureFile]]) -> Iterator[dict[str, Description]]:
        """Yield the descriptions of each batch of files, by name."""
        return map(self._describe_files, batches)

    def _describe_files(self, files: Sequence[PictureFile]) -> dict[str, Description]:
        pictures: list[Picture] = []
        descriptions: dict[str, Description] = {}
        for file in files:
            try:
                pictures.append(decode_picture(file))
            except UnreadableError as error:
                descriptions[file.name] = Description(None, str(error))
        if pictures:  # a data set without pictures at hand never loads a model
            batch = self._describe_batch(pictures)
            descriptions |= {picture.name: text for picture, text in zip(pictures, batch, strict=True)}
        return descriptions

    def _describe_batch(self, pictures: list[Picture]) -> list[Description]:
        """Describe a batch, and one by one where one of its pictures makes it fail.

        Raises:
            CotpdError: The captioner fails on any picture.
        """
        try:
            return self.describe(pictures)
        except Exception as error:  # a network may raise anything at an odd picture, or for lack of memory
            if len(pictures) > 1:
                return [self._describe_batch([picture])[0] for picture in pictures]
            if self._fault is not None:
                raise self._fault from error
            return [Description(None, f"{pictures[0].name}: {explain_failure(error)}")]

    @cached_property
    def _fault(self) -> CotpdError | None:
        """Why the captioner cannot describe even a plain picture; None if it can."""
        try:
            self.describe([Picture("a plain grey picture", Image.new("RGB", (224, 224), "grey"))])
        except CotpdError as error:
            return error
        except Exception as error:
            problem = f"caption.backend {self.backend} fails on every picture: {explain_failure(error)}"
            return ModelError(problem, "Choose another backend, or install its packages anew.")
        return None


def explain_failure(error: Exception) -> str:
    """Return the first line of an error that a captioner raised about a picture, and a remedy."""
    problem = error.problem if isinstance(error, CotpdError) else str(error) or type(error).__name__
    return f"cannot be described ({problem.strip().splitlines()[0]}): replace the picture"
