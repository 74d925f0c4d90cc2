"""Posts without labels: frozen teachers teach a student on them, beside the labelled training posts.

Trade-off: labels that such a set happens to have are removed here, as it is read, so that no later step can use
them by mistake. A text that also stands in the labelled data, in whichever split, is left out.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from cotpd.data.load import Dataset, load_dataset
from cotpd.data.params import DataParams, UnlabelledParams
from cotpd.data.records import Post, Quarantined, Splits, WordSplitting, iterate_posts
from cotpd.data.split_statistics import normalize_text


class Unlabelled(NamedTuple):
    """Posts without labels, rows that could not be read, and counts (a JSON value) by source."""

    posts: list[Post]
    quarantine: list[Quarantined]
    stats: dict[str, Any]


def load_unlabelled(
    params: DataParams, labelled: Splits, root: Path = Path(), words: WordSplitting | None = None
) -> Unlabelled:
    """Read every set that ``params.unlabelled`` names, all its splits; a text that occurs twice is read once.

    Args:
        params: The data section; the path of a set is relative to ``params.path``.
        labelled: The labelled posts, by split: their texts are left out.
        root: The folder from which ``params.path`` is a path.
        words: How the labelled text became words; None chooses for each set by itself.

    Raises:
        DataError: A set cannot be read; as for :func:`cotpd.data.load.load_dataset`.
    """
    texts = {normalize_text(post) for post in iterate_posts(labelled)}
    unlabelled = Unlabelled([], [], {})
    for number, source in enumerate(params.unlabelled):
        located = _locate(source, root / params.path)
        dataset = load_dataset(located, require_train=False, words=words)
        folder = PurePosixPath(source.path) if Path(located.path).is_dir() else PurePosixPath(source.path).parent
        posts = [
            _remove_labels(post, f"u{number}:{post.id}", folder) for post in _iterate_new_texts(dataset, texts)
        ]
        total = sum(len(rows) for rows in dataset.posts.values())
        unlabelled.posts.extend(posts)
        unlabelled.quarantine.extend(dataset.quarantine)
        unlabelled.stats[source.path] = {"posts": len(posts), "left_out": total - len(posts)}
    return unlabelled


def _locate(source: UnlabelledParams, labelled_path: Path) -> DataParams:
    """Return the parameters of a set with its path from the folder of the labelled data."""
    folder = labelled_path.parent if labelled_path.is_file() else labelled_path
    return DataParams.model_validate({**source.model_dump(), "path": str(folder / source.path)})


def _iterate_new_texts(dataset: Dataset, texts: set[str]) -> Iterator[Post]:
    """Yield the posts whose text is not in ``texts``, and add their texts to it."""
    for post in iterate_posts(dataset.posts):
        text = normalize_text(post)
        if text not in texts:
            texts.add(text)
            yield post


def _remove_labels(post: Post, post_id: str, folder: PurePosixPath) -> Post:
    """Return the post without types and labels.

    Pairs stay, because teachers label them; so do the mentions of a post that has pairs. All others go.

    Args:
        post: The post as it was read.
        post_id: An id that no labelled post has.
        folder: The folder of the set, from that of the labelled data: pictures are named from there.
    """
    pairs = tuple(relation.model_copy(update={"label": ""}) for relation in post.relations)
    untyped = tuple(entity.model_copy(update={"type": None}) for entity in post.entities)
    return post.model_copy(
        update={
            "id": post_id,
            "entities": untyped if pairs else (),
            "relations": pairs,
            "label": None,
            "image": None if post.image is None else str(folder / post.image),
        }
    )
