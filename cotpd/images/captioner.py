"""What every captioner is, and what those that look at pictures share.

A picture that several posts show is read and described once. Descriptions are made a batch at a time, so that
memory holds one batch of decoded pictures whatever the size of the data set.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cotpd.completions import clean_answer
from cotpd.data.records import Caption, Post
from cotpd.images.pictures import Picture, UnreadableError, read_picture
from cotpd.progress import Progress


@dataclass(frozen=True)
class Said:
    """A description, or why there is none."""

    caption: str | None
    problem: str = ""


class Captioner(Protocol):
    """Puts the pictures of posts into words."""

    backend: str

    def caption(self, posts: Sequence[Post], folder: Path) -> list[Caption]:
        """One record a post, in their order; ``folder`` is where the posts' pictures lie.

        A picture that cannot be read gives a record without a caption, whose ``problem`` says why.
        """
        ...


def tidy_caption(text: str) -> tuple[str | None, str]:
    """A caption on one line, without reasoning and control tokens around it; None, and why, if nothing is left."""
    cleaned = clean_answer(text)
    caption = " ".join(cleaned.text.split())
    if caption or not text.strip():
        return caption or None, ""
    return None, "the captioner wrote down reasoning or control tokens alone"


class PictureCaptioner(ABC):
    """A captioner that looks at pictures; a backend says what it sees in a batch of them."""

    backend: str
    batch_size: int = 1

    @abstractmethod
    def describe(self, pictures: Sequence[Picture]) -> list[Said]:
        """What is on each picture, in their order. At most ``batch_size`` pictures at a time."""

    def caption(self, posts: Sequence[Post], folder: Path) -> list[Caption]:
        """See :class:`Captioner`."""
        said = self._describe_all(list(dict.fromkeys(post.image for post in posts if post.image)), folder)
        return [self._record(post, said) for post in posts]

    def _record(self, post: Post, said: dict[str, Said]) -> Caption:
        described = said[post.image] if post.image else Said(None)
        caption, problem = tidy_caption(described.caption or "")
        return Caption(
            id=post.id,
            image=post.image,
            caption=caption,
            backend=self.backend,
            problem=described.problem or (problem and f"{post.image}: {problem}"),
        )

    def _describe_all(self, names: list[str], folder: Path) -> dict[str, Said]:
        said: dict[str, Said] = {}
        with Progress("pictures", len(names)) as bar:
            for start in range(0, len(names), self.batch_size):
                batch = names[start : start + self.batch_size]
                said |= self._describe_batch(batch, folder)
                bar.advance(len(batch))
        return said

    def _describe_batch(self, names: list[str], folder: Path) -> dict[str, Said]:
        pictures: list[Picture] = []
        said: dict[str, Said] = {}
        for name in names:
            try:
                pictures.append(read_picture(folder, name))
            except UnreadableError as unreadable:
                said[name] = Said(None, str(unreadable))
        if pictures:  # a data set without pictures at hand never loads a model
            described = self.describe(pictures)
            said |= {picture.name: one for picture, one in zip(pictures, described, strict=True)}
        return said
