"""One file of posts divided into train, valid and test: drawn once, by a seed, and written down as files.

Trade-off: a command and no parameter of a run, so that everybody sees which posts are held out, and a post that is
added later moves no other one between the splits.
"""

import random
import re
from itertools import accumulate

from cotpd.data.records import SPLITS, Splits
from cotpd.errors import ConfigError

_SHARES = re.compile(r"(\d{1,3})/(\d{1,3})/(\d{1,3})")


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
        raise ConfigError(f"--split {shares}: not three whole percentages", "Write 80/10/10.")
    if len(posts) != 1:
        raise ConfigError(f"the data set has the splits {', '.join(posts)}", "Leave --split out; they stay.")
    (rows,) = posts.values()
    texts = sorted({post.text for post in rows})
    random.Random(seed).shuffle(texts)

    ends = [round(len(texts) * total / 100) for total in accumulate(percentages)]
    drawn: Splits = {}
    for split, start, end in zip(SPLITS, [0, *ends[:-1]], ends, strict=True):
        chosen = set(texts[start:end])
        drawn[split] = [post for post in rows if post.text in chosen]
    return {split: chosen for split, chosen in drawn.items() if chosen}
