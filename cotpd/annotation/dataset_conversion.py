"""A data set written in another format, a file or folder for each split, with what the format loses."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cotpd.annotation.gold_writers import GOLD_FORMATS, GoldFormat, GoldFormatName
from cotpd.annotation.losses import count_own_words, list_losses
from cotpd.data.records import SPLITS, Post, Splits, iterate_posts
from cotpd.data.tables import write_json
from cotpd.errors import ConfigError


class Conversion(NamedTuple):
    """The paths that were written with their numbers of posts, and a line for each kind of thing that was lost."""

    written: dict[Path, int]
    losses: list[str]


def convert_posts(posts: Splits, name: GoldFormatName, target: Path, *, overwrite: bool = False) -> Conversion:
    """Write every split of a data set; all posts with their words, or none if a reader makes them of the texts.

    Args:
        posts: Posts by split.
        name: The format, of GOLD_FORMATS.
        target: A folder; or a file with the format's ending, if there is one split.
        overwrite: Whether what is there may be replaced.

    Raises:
        ConfigError: Something is there already, or a split of another data set.
        DataError: An id cannot be written in the format.
        StorageError: The disk is full.
    """
    gold_format = GOLD_FORMATS[name]
    paths = _list_paths(posts, gold_format, target)
    present = [path for path in paths.values() if path.exists()]
    if present and not overwrite:
        raise ConfigError(f"{present[0]}: exists", "Name another folder, or say --overwrite.")
    _refuse_leftovers(posts, gold_format, target)
    with_words = count_own_words(list(iterate_posts(posts))) > 0
    written = {path: _write(gold_format, posts[split], path, with_words) for split, path in paths.items()}
    if name == "huggingface" and target not in written:
        write_json(target / "dataset_dict.json", {"splits": list(posts)})
    return Conversion(written, list_losses(iterate_posts(posts), gold_format.holds))


def _list_paths(posts: Splits, gold_format: GoldFormat, target: Path) -> dict[str, Path]:
    """Return the path of each split."""
    if gold_format.suffix and target.suffix == gold_format.suffix and len(posts) == 1:
        return dict.fromkeys(posts, target)
    return {split: target / f"{split}{gold_format.suffix}" for split in posts}


def _refuse_leftovers(posts: Splits, gold_format: GoldFormat, target: Path) -> None:
    """Refuse a folder with a split of an earlier data set that this one lacks: both would be read as one data set.

    Raises:
        ConfigError: There is one.
    """
    for split in SPLITS:
        path = target / f"{split}{gold_format.suffix}"
        if split not in posts and path.exists():
            raise ConfigError(
                f"{path}: the {split} split of an earlier data set; this one has none",
                "Remove it, or name another folder.",
            )


def _write(gold_format: GoldFormat, posts: Sequence[Post], path: Path, with_words: bool) -> int:
    options = {"with_words": with_words} if gold_format.may_lack_words else {}
    gold_format.write(posts, path, **options)
    return len(posts)
