"""A held-out post is recognised among training posts by hashes: the same words, near ones, and mentions."""

import numpy as np
import pytest

from cotpd.data.post_hashes import PostHashes, normalize_words
from cotpd.errors import DataError
from tests.builders import build_post

TEXT = "Ada Lovelace writes the first program for the machine in London"


def measure(training: str, held_out: str):
    (overlap,) = PostHashes.build([build_post(training)]).measure_overlaps([held_out])
    return overlap


@pytest.mark.parametrize(
    "copy",
    [
        TEXT,
        TEXT.upper(),
        f"RT @someone : {TEXT} !!! https://t.co/abc",
        TEXT.replace(" ", "  \n"),
        "Ａｄａ Lovelace, writes the first program; for the machine in London…",
    ],
)
def test_a_copy_that_differs_in_case_signs_and_addresses_is_exact(copy):
    assert measure(TEXT, copy).is_exact


@pytest.mark.parametrize("changed", ["Berlin", "London today", "central London"])
def test_a_post_with_a_changed_word_is_near(changed):
    overlap = measure(TEXT, TEXT.replace("London", changed))

    assert not overlap.is_exact
    assert overlap.similarity > 0.6


def test_the_similarity_is_jaccards_of_the_word_pairs():
    overlap = measure("a b c", "a b d")  # pairs: edge-a, a-b, and two of each alone

    assert overlap.similarity == pytest.approx(2 / 6)


def test_the_nearest_of_many_posts_counts():
    posts = [build_post(text, id=text) for text in ("x y z", "a b c d", "a b", TEXT)]

    overlaps = PostHashes.build(posts).measure_overlaps(["a b c", "q r", "z"])

    assert [round(overlap.similarity, 3) for overlap in overlaps] == [0.5, 0.0, 0.2]


def test_posts_of_signs_alone_are_told_apart():
    assert measure("!!!", "!!!").is_exact
    assert not measure("!!!", "???").is_exact
    assert normalize_words("@ada http://a.b") == ["@ada", "http://a.b"]


def test_nothing_is_near_to_no_posts():
    assert PostHashes.build([]).measure_overlaps(["a b"]) == [(0.0, False)]


def test_mentions_and_sizes_are_those_of_annotated_posts_and_texts_are_of_all():
    hashes = PostHashes.build([build_post("[Ada](PER) sleeps")], [build_post("[Bo](PER) reads a book", id="2")])

    assert (hashes.has_mention(" ADA"), hashes.has_mention("Bo")) == (True, False)
    assert hashes.sizes.tolist() == [2]
    assert [overlap.is_exact for overlap in hashes.measure_overlaps(["ada sleeps", "bo reads a book"])] == [
        True
    ] * 2


def test_a_file_holds_the_same_hashes_and_no_text(tmp_path):
    hashes = PostHashes.build([build_post(f"[Ada](PER) {TEXT}")])

    hashes.write(tmp_path / "posts.safetensors")

    again = PostHashes.read(tmp_path / "posts.safetensors")
    assert all(np.array_equal(left, right) for left, right in zip(hashes, again, strict=True))
    assert b"Lovelace" not in (tmp_path / "posts.safetensors").read_bytes()


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "posts.safetensors"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(DataError, match=r"posts\.safetensors: no hashes of training posts"):
        PostHashes.read(path)
