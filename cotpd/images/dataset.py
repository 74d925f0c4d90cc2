"""Captions without looking at a picture: those that came with the posts, or none."""

from collections.abc import Sequence
from pathlib import Path

from cotpd.data.records import Caption, Post


class DatasetCaptioner:
    """Hands on the captions that the data set brought along."""

    backend = "dataset"

    def caption(self, posts: Sequence[Post], folder: Path) -> list[Caption]:
        """One record a post; that a post brought no caption is no problem."""
        return [
            Caption(id=post.id, image=post.image, caption=post.caption or None, backend=self.backend)
            for post in posts
        ]


class NoCaptioner:
    """Gives no post a caption: the knowledge view then lives on the LLM's answers alone."""

    backend = "none"

    def caption(self, posts: Sequence[Post], folder: Path) -> list[Caption]:
        """One record a post, without a caption."""
        return [Caption(id=post.id, image=post.image, caption=None, backend=self.backend) for post in posts]
