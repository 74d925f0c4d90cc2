"""Posts without labels: what frozen teachers teach a student on, beside the labelled training posts.

Trade-off: labels that such a set happens to have are thrown away here, at the door, so that nothing later has to
be trusted not to look; and a text that also stands in the labelled data is left out, in whichever split it is.
"""

from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from cotpd.data.load import load_dataset
from cotpd.data.params import DataParams, UnlabelledParams
from cotpd.data.records import Post, Quarantined
from cotpd.data.split_checks import Splits
from cotpd.data.split_statistics import text_key


class Unlabelled(NamedTuple):
    """Posts without labels, rows that could not be read, and counts (a JSON value) by source."""

    posts: list[Post]
    quarantine: list[Quarantined]
    stats: dict[str, Any]


def load_unlabelled(params: DataParams, labelled: Splits, root: Path = Path()) -> Unlabelled:
    """Read every set that ``params.unlabelled`` names, all its splits, once each text.

    Args:
        params: The data section; a set's path is relative to ``params.path``.
        labelled: The labelled posts, by split: their texts are left out.
        root: What a relative ``params.path`` is relative to.

    Raises:
        DataError: A set cannot be read; as for :func:`cotpd.data.load.load_dataset`.
    """
    seen = {text_key(post) for rows in labelled.values() for post in rows}
    found = Unlabelled([], [], {})
    for number, source in enumerate(params.unlabelled):
        located = _located(source, root / params.path)
        dataset = load_dataset(located, require_train=False)
        place = PurePosixPath(source.path) if Path(located.path).is_dir() else PurePosixPath(source.path).parent
        found.quarantine.extend(dataset.quarantine)
        counts: Counter[str] = Counter()
        for post in (post for rows in dataset.posts.values() for post in rows):
            key = text_key(post)
            counts["left_out" if key in seen else "posts"] += 1
            if key not in seen:
                seen.add(key)
                found.posts.append(_without_labels(post, f"u{number}:{post.id}", place))
        found.stats[source.path] = {"posts": counts["posts"], "left_out": counts["left_out"]}
    return found


def _located(source: UnlabelledParams, below: Path) -> DataParams:
    folder = below.parent if below.is_file() else below
    return DataParams.model_validate({**source.model_dump(), "path": str(folder / source.path)})


def _without_labels(post: Post, name: str, place: PurePosixPath) -> Post:
    """The post under a name that no labelled post has; pairs stay (they are asked about), what they are goes."""
    pairs = tuple(relation.model_copy(update={"label": ""}) for relation in post.relations)
    return post.model_copy(
        update={
            "id": name,
            "entities": tuple(entity.model_copy(update={"type": None}) for entity in post.entities)
            if pairs
            else (),
            "relations": pairs,
            "image": None if post.image is None else str(place / post.image),
        }
    )
