"""One file of posts, as annotation tools export it, divided into train, valid and test.

A parameter (data.held_out) divides at each run, a command (`data convert --split`) once, into files. Both order
the texts by a hash, so that the same posts are drawn again, and posts of one text stay together.

Trade-off: the parameter's shares are met only on average, because a post that is added later must move no other
one; the command's are exact, and its files are what stays.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

from cotpd.data.records import SPLITS, Post, Splits
from cotpd.data.split_statistics import normalize_text
from cotpd.data.word_reading import Reading
from cotpd.errors import ConfigError

FEWEST_TEXTS = 3  # one for each split
_SHARES = re.compile(r"(\d{1,3})/(\d{1,3})/(\d{1,3})")


def hold_out_posts(reading: Reading, share: float | None) -> Reading:
    """Move posts from train to test and valid, if the data set has a train split alone.

    Args:
        reading: The data set.
        share: The share of the posts for valid, and for test; None moves none.
    """
    if share is None or set(reading.posts) != {"train"}:
        return reading
    posts = reading.posts["train"]
    positions = {text: _compute_position(text) for text in map(normalize_text, posts)}
    if len(positions) < FEWEST_TEXTS:
        return reading
    splits = _group_by_split(posts, _hold_out_texts(positions, share))
    counts = {split: reading.reader_counts.get(split, Counter()) for split in splits}
    return reading._replace(posts=splits, reader_counts=counts)


def draw_splits(posts: Splits, shares: str, seed: int) -> Splits:
    """Divide the posts of a data set that has one split; posts of one text stay together.

    Args:
        posts: Posts by split.
        shares: Percentages of train, valid and test, such as 80/10/10.
        seed: Draws them.

    Raises:
        ConfigError: The shares are not three that sum to 100, or the data set has several splits.
    """
    match = _SHARES.fullmatch(shares)
    percentages = [int(part) for part in match.groups()] if match else []
    if sum(percentages) != 100:
        raise ConfigError(f"--split {shares}: not three whole percentages of 100", "Write 80/10/10.")
    if len(posts) != 1:
        raise ConfigError(f"the data set has the splits {', '.join(posts)}", "Leave --split out; they stay.")
    (rows,) = posts.values()
    texts = sorted(set(map(normalize_text, rows)), key=lambda text: _compute_position(text, f"{seed}\0"))

    ends = [round(len(texts) * total / 100) for total in accumulate(percentages, initial=0)]
    split_of: dict[str, str] = {}
    for split, (start, end) in zip(SPLITS, pairwise(ends), strict=True):
        split_of |= dict.fromkeys(texts[start:end], split)
    return {split: drawn for split, drawn in _group_by_split(rows, split_of).items() if drawn}


def _hold_out_texts(positions: Mapping[str, float], share: float) -> dict[str, str]:
    """Return the split of each text that leaves train; at least one for each."""
    order = sorted(positions, key=positions.__getitem__)
    tested = max(1, sum(position < share for position in positions.values()))
    validated = max(1, sum(share <= position < 2 * share for position in positions.values()))
    tested = min(tested, len(order) - 2)
    validated = min(validated, len(order) - tested - 1)
    return dict.fromkeys(order[:tested], "test") | dict.fromkeys(order[tested : tested + validated], "valid")


def _group_by_split(posts: Sequence[Post], split_of: Mapping[str, str]) -> Splits:
    """Return posts by the split of their text; train where it has none."""
    splits: Splits = {split: [] for split in SPLITS}
    for post in posts:
        splits[split_of.get(normalize_text(post), "train")].append(post)
    return splits


def _compute_position(text: str, salt: str = "") -> float:
    """Return a number in [0, 1) that a text (and a salt) alone decides."""
    digest = hashlib.sha256((salt + text).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6]) / 2**48
