"""One file of posts divided into splits."""

import pytest

from cotpd.data.drawn_splits import draw_splits
from cotpd.errors import ConfigError
from tests.builders import build_post

POSTS = [build_post(f"[Ada](PER) waves {number // 2}", id=f"{number}") for number in range(100)]


def test_every_post_is_in_one_split_beside_those_of_its_text():
    splits = draw_splits({"train": POSTS}, "80/10/10", 1)

    assert {split: len(posts) for split, posts in splits.items()} == {"train": 80, "valid": 10, "test": 10}
    pairs: set[tuple[str, str]] = set()
    for split, posts in splits.items():
        pairs |= {(post.text, split) for post in posts}
    assert len(pairs) == len({text for text, _ in pairs}) == 50
    assert [post.id for post in splits["test"]] == sorted((post.id for post in splits["test"]), key=int)


def test_a_seed_draws_the_same_posts_and_another_one_others():
    first, again, other = (draw_splits({"train": POSTS}, "50/0/50", seed) for seed in (1, 1, 2))

    assert first == again != other
    assert list(first) == ["train", "test"]


@pytest.mark.parametrize("shares", ["80/10", "80/10/20", "a/b/c", "0.8/0.1/0.1", ""])
def test_shares_that_are_not_three_percentages_are_refused(shares):
    with pytest.raises(ConfigError, match="not three whole percentages"):
        draw_splits({"train": POSTS}, shares, 1)


def test_a_data_set_with_splits_of_its_own_keeps_them():
    with pytest.raises(ConfigError, match="has the splits train, test"):
        draw_splits({"train": POSTS, "test": POSTS}, "80/10/10", 1)
