"""Captions that need no picture: the ones that came with the posts, or none."""

from collections.abc import Sequence

from cotpd.data.picture_files import PictureFolder
from cotpd.data.records import Caption, Post
from cotpd.engine.ordered_map import LOCAL, Engine
from cotpd.images.captioner import tidy_caption


class DatasetCaptioner:
    """Gives each post the caption that came with it."""

    backend = "dataset"

    def caption(self, posts: Sequence[Post], folder: PictureFolder, engine: Engine = LOCAL) -> list[Caption]:  # noqa: ARG002  of the protocol
        """Return one record a post; a post without a caption of its own is no problem."""
        return [self._build_record(post) for post in posts]

    def _build_record(self, post: Post) -> Caption:
        caption, problem = tidy_caption(post.caption or "")
        if problem:
            problem = f"{post.id}: {problem}"
        return Caption(id=post.id, image=post.image, caption=caption, backend=self.backend, problem=problem)


class NoCaptioner:
    """Gives no post a caption: the knowledge view then lives on the LLM's answers alone."""

    backend = "none"

    def caption(self, posts: Sequence[Post], folder: PictureFolder, engine: Engine = LOCAL) -> list[Caption]:  # noqa: ARG002  of the protocol
        """Return one record a post, without a caption."""
        return [Caption(id=post.id, image=post.image, caption=None, backend=self.backend) for post in posts]
