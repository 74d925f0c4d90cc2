"""Captions and answers that come with a data set in files of their own."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cotpd.data.params import DataParams
from cotpd.data.readers.answers import Answers, read_answers
from cotpd.data.readers.captions import find_caption, find_companions, read_captions
from cotpd.data.records import Post, Quarantined, Splits, iterate_posts


@dataclass
class Companions:
    """Captions by post id or picture, answers by post id and kind, refused rows, and counts (a JSON value)."""

    captions: dict[str, str] = field(default_factory=dict)
    answers: Answers = field(default_factory=dict)
    quarantine: list[Quarantined] = field(default_factory=list)
    counts: dict[str, Any] = field(default_factory=dict)

    def add_to(self, posts: Splits) -> Splits:
        """Return the posts with their captions and answers; these replace the ones that a row itself holds."""
        return {split: list(map(self._add_to_post, rows)) for split, rows in posts.items()}

    def _add_to_post(self, post: Post) -> Post:
        update = {
            "caption": find_caption(self.captions, post) or post.caption,
            "knowledge": {**post.knowledge, **self.answers.get(post.id, {})},
        }
        return post.model_copy(update=update)


def list_companion_files(params: DataParams, folder: Path) -> list[Path]:
    """List the files of captions and answers: captions_test.jsonl is no test split.

    Raises:
        DataError: There is no such file.
    """
    patterns = {"captions": params.captions, "answers": params.answers}
    files: list[Path] = []
    for companion, pattern in patterns.items():
        if pattern is not None:
            files += find_companions(folder, pattern, companion)
    return files


def read_companions(
    params: DataParams, folder: Path, root: Path, posts: Splits, split_files: Collection[Path]
) -> Companions:
    """Read the captions and answers of a data set, and count the posts that they match.

    Args:
        params: The data section.
        folder: The data set's folder.
        root: Messages name files by their path from here.
        posts: Posts by split.
        split_files: The files of the posts.

    Raises:
        DataError: A file is missing, is not UTF-8, or holds the posts themselves.
    """
    companions = Companions()
    every_post = list(iterate_posts(posts))
    if params.captions is not None:
        captions, refused, counts = read_captions(folder, params.captions, root, split_files)
        with_caption = sum(find_caption(captions, post) is not None for post in every_post)
        companions.captions = captions
        companions.quarantine += refused
        companions.counts["captions"] = {**counts, **_count_posts(with_caption, len(every_post))}
    if params.answers is not None:
        table = read_answers(folder, params.answers, root, params.answers_kind, posts, split_files)
        companions.answers = table.answers
        companions.quarantine += table.refused
        companions.counts["answers"] = {**table.counts, **_count_posts(len(table.answers), len(every_post))}
    return companions


def _count_posts(matched: int, total: int) -> dict[str, int]:
    return {"posts_with": matched, "posts_without": total - matched}
