"""Hold posts out of a data set that comes as one file, as annotation tools export it.

Trade-off: the hash of a post's text decides, so that a later export with further posts leaves each post in its
split, and equal texts stay together; the shares are met only on average.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence

from cotpd.data.records import Post
from cotpd.data.split_statistics import normalize_text
from cotpd.data.word_reading import Reading

FEWEST_POSTS = 3  # one for each split


def hold_out_posts(reading: Reading, share: float | None) -> Reading:
    """Move posts from train to test and valid, if the data set has a train split alone.

    Args:
        reading: The data set.
        share: The share of the posts for valid, and for test; None moves none.
    """
    posts = reading.posts.get("train", [])
    if share is None or set(reading.posts) != {"train"} or len(posts) < FEWEST_POSTS:
        return reading
    split_of = _draw_splits(posts, share)
    splits: dict[str, list[Post]] = {"train": [], "valid": [], "test": []}
    for number, post in enumerate(posts):
        splits[split_of.get(number, "train")].append(post)
    counts = {split: reading.reader_counts.get(split, Counter()) for split in splits}
    return reading._replace(posts=splits, reader_counts=counts)


def _draw_splits(posts: Sequence[Post], share: float) -> dict[int, str]:
    """Return the split of each post that leaves train, by its number; at least one for each."""
    positions = [_compute_position(post) for post in posts]
    order = sorted(range(len(posts)), key=positions.__getitem__)
    tested = max(1, sum(position < share for position in positions))
    validated = max(1, sum(share <= position < 2 * share for position in positions))
    tested = min(tested, len(posts) - 2)
    validated = min(validated, len(posts) - tested - 1)
    split_of = dict.fromkeys(order[:tested], "test")
    return split_of | dict.fromkeys(order[tested : tested + validated], "valid")


def _compute_position(post: Post) -> float:
    """Return a number in [0, 1) that the post's text alone decides."""
    digest = hashlib.sha256(normalize_text(post).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6]) / 2**48
