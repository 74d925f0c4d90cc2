"""Posts of one file are divided into splits by the hash of their texts: at each run, or once by a seed."""

from collections import Counter

import pytest

from cotpd.data.load import load_dataset
from cotpd.data.params import DataParams
from cotpd.data.readers import FORMATS
from cotpd.data.records import Splits
from cotpd.data.split_checks import set_leaks_aside
from cotpd.data.split_drawing import draw_splits
from cotpd.errors import ConfigError
from tests.builders import build_post, write_jsonl

POSTS = [build_post(f"[Ada](PER) waves {number // 2}", id=f"{number}") for number in range(100)]


def split_texts(path, count: int, share: float | None = 0.1, name: str = "export.jsonl") -> dict[str, list[str]]:
    rows = [{"id": str(number), "text": f"Ada is here, number {number}"} for number in range(count)]
    write_jsonl(path / name, rows)
    dataset = load_dataset(DataParams(path=str(path / name), held_out=share), require_train=False)
    return list_texts(dataset.posts)


def list_texts(posts: Splits) -> dict[str, list[str]]:
    texts = {}
    for split, rows in posts.items():
        texts[split] = [post.text for post in rows]
    return texts


def test_about_the_share_of_the_posts_goes_to_valid_and_to_test_and_none_is_lost(tmp_path):
    texts = split_texts(tmp_path, 1000)

    counts = {split: len(rows) for split, rows in texts.items()}
    assert list(counts) == ["train", "valid", "test"]
    assert sum(counts.values()) == 1000
    assert all(70 <= counts[split] <= 130 for split in ("valid", "test"))


def test_a_later_export_with_more_posts_leaves_each_post_in_its_split(tmp_path):
    before, after = split_texts(tmp_path, 300), split_texts(tmp_path, 600)

    assert all(set(before[split]) <= set(after[split]) for split in before)


def test_posts_with_one_text_stay_in_one_split(tmp_path):
    texts = [f"ADA  is here {n % 40}" if n % 2 else f"Ada is here {n % 40}" for n in range(200)]
    rows = [{"id": str(number), "text": text} for number, text in enumerate(texts)]
    write_jsonl(tmp_path / "export.jsonl", rows)

    dataset = load_dataset(DataParams(path=str(tmp_path / "export.jsonl"), held_out=0.2))

    splits_of = Counter()
    for texts_of_split in list_texts(dataset.posts).values():
        splits_of.update({" ".join(text.split()).casefold() for text in texts_of_split})
    assert dataset.stats["overlaps"] == {}
    assert dataset.quarantine == []
    assert set(splits_of.values()) == {1}
    assert len(splits_of) == 40


def test_few_posts_give_each_split_one_and_fewer_than_three_stay_in_train(tmp_path):
    three, two = split_texts(tmp_path, 3), split_texts(tmp_path, 2)

    assert {split: len(rows) for split, rows in three.items()} == {"train": 1, "valid": 1, "test": 1}
    assert list(two) == ["train"]


def test_a_data_set_with_splits_of_its_own_keeps_them_and_nothing_is_held_out_unasked(tmp_path):
    write_jsonl(tmp_path / "both/train.jsonl", [{"id": str(n), "text": f"Ada {n}"} for n in range(20)])
    write_jsonl(tmp_path / "both/test.jsonl", [{"id": "t", "text": "Ada there"}])

    both = load_dataset(DataParams(path=str(tmp_path / "both"), held_out=0.1))

    assert {split: len(rows) for split, rows in both.posts.items()} == {"train": 20, "test": 1}
    assert list(split_texts(tmp_path, 50, None)) == ["train"]


def test_few_posts_of_one_text_stay_in_train(tmp_path):
    write_jsonl(tmp_path / "export.jsonl", [{"id": str(n), "text": "Ada again" if n else "Ada"} for n in range(5)])

    dataset = load_dataset(DataParams(path=str(tmp_path / "export.jsonl"), held_out=0.1))

    assert {split: len(rows) for split, rows in dataset.posts.items()} == {"train": 5}


def test_every_drawn_post_is_in_one_split_beside_those_of_its_text():
    splits = draw_splits({"train": POSTS}, "80/10/10", 1)

    assert {split: len(posts) for split, posts in splits.items()} == {"train": 80, "valid": 10, "test": 10}
    pairs: set[tuple[str, str]] = set()
    for split, posts in splits.items():
        pairs |= {(post.text, split) for post in posts}
    assert len(pairs) == len({text for text, _ in pairs}) == 50
    assert [post.id for post in splits["test"]] == sorted((post.id for post in splits["test"]), key=int)


def test_texts_that_differ_in_case_and_blanks_alone_are_drawn_together_so_that_none_leaks():
    shouted = [build_post(f"[ADA](PER)  WAVES {number}", id=f"s{number}") for number in range(50)]

    splits = draw_splits({"train": [*POSTS, *shouted]}, "60/20/20", 1)

    _, leaked = set_leaks_aside(splits, FORMATS["jsonl"])
    assert leaked == []


def test_a_seed_draws_the_same_posts_and_another_one_others():
    first, again, other = (draw_splits({"train": POSTS}, "50/0/50", seed) for seed in (1, 1, 2))

    assert first == again != other
    assert list(first) == ["train", "test"]


@pytest.mark.parametrize("shares", ["80/10", "80/10/20", "a/b/c", "0.8/0.1/0.1", ""])
def test_shares_that_are_not_three_percentages_are_refused(shares):
    with pytest.raises(ConfigError, match="not three whole percentages"):
        draw_splits({"train": POSTS}, shares, 1)


def test_drawing_leaves_a_data_set_with_splits_of_its_own_as_it_is():
    with pytest.raises(ConfigError, match="has the splits train, test"):
        draw_splits({"train": POSTS, "test": POSTS}, "80/10/10", 1)
