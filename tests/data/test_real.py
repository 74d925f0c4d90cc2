"""The published data sets give the published numbers; skipped where they are absent."""

import pytest

from cotpd.data.load import load_dataset
from cotpd.data.params import DataParams


def list_counts(dataset, key: str) -> list[int]:
    return [split[key] for split in dataset.stats["splits"].values()]


@pytest.fixture(scope="module")
def twitter2017(real_data):
    return load_dataset(
        DataParams(path="twitter2017", captions="captions_blip2.txt", answers="chatgpt_knowledge"), real_data
    )


@pytest.fixture(scope="module")
def twitter2015(real_data):
    return load_dataset(
        DataParams(path="twitter2015", captions="captions_blip2.txt", answers="chatgpt_knowledge"), real_data
    )


@pytest.fixture(scope="module")
def mnre(real_data):
    return load_dataset(DataParams(path="mnre", captions="BLIP_{split}.txt"), real_data)


def test_twitter2017(twitter2017) -> None:
    assert list_counts(twitter2017, "posts") == [3373, 723, 723]
    assert list_counts(twitter2017, "entities") == [6049, 1324, 1351]
    assert list_counts(twitter2017, "orphan_tags") == [0, 0, 0]
    assert list_counts(twitter2017, "with_answer") == [3373, 723, 723]
    assert list_counts(twitter2017, "with_caption") == [3123, 665, 673]
    assert twitter2017.stats["captions"]["fallback_picture"] == 358
    assert set(twitter2017.types) == {"PER", "LOC", "ORG", "MISC"}
    assert not twitter2017.quarantine


def test_twitter2015(twitter2015) -> None:
    assert list_counts(twitter2015, "posts") == [4000, 1000]
    assert list_counts(twitter2015, "entities") == [6352, 1594]
    assert list_counts(twitter2015, "orphan_tags") == [186, 53]
    assert list_counts(twitter2015, "with_answer") == [3999, 999]
    assert list_counts(twitter2015, "with_caption") == [3999, 999]
    assert twitter2015.stats["captions"]["fallback_picture"] == 0
    assert not twitter2015.quarantine
    for rows in twitter2015.posts.values():
        assert not rows[-1].knowledge, "the last post of each split was left without an answer"


def test_mnre(mnre) -> None:
    assert list_counts(mnre, "relations") == [12247, 1624]
    assert list_counts(mnre, "posts") == [7356, 931]
    assert list_counts(mnre, "with_caption") == [7326, 927]
    assert mnre.stats["captions"]["empty"] == 34
    assert len(mnre.labels) == 23
    assert mnre.labels[0] == "None"
    assert not mnre.quarantine


def test_the_other_captions_of_mnre_are_read_too(real_data) -> None:
    dataset = load_dataset(DataParams(path="mnre", captions="llavanext_*.txt", limit=50), real_data)

    assert list_counts(dataset, "with_caption") == [50, 50]
    assert not any(post.caption.startswith("\n") for post in dataset.posts["train"])
