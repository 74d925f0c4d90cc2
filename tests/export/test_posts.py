"""Which posts an export is judged, chosen and calibrated with."""

import pytest

from cotpd.errors import DataError
from cotpd.export.posts import gather_labelled, gather_texts
from cotpd.student.examples import build_text_example


def build(*texts: str) -> list:
    return [build_text_example(text) for text in texts]


def test_test_judges_valid_chooses_and_train_calibrates() -> None:
    splits = {"train": build("a"), "valid": build("b"), "test": build("c")}

    posts = gather_labelled(splits)

    assert (posts.heldout, posts.choosing, posts.calibrating) == (splits["test"], splits["valid"], splits["train"])
    assert (posts.has_gold, posts.origin["source"], posts.origin["count"]) == (True, "test", "1")


def test_without_a_test_split_valid_judges_and_train_chooses() -> None:
    splits = {"train": build("a"), "valid": build("b"), "test": []}

    posts = gather_labelled(splits)

    assert (posts.heldout, posts.choosing) == (splits["valid"], splits["train"])


@pytest.mark.parametrize("splits", [{}, {"train": build("a")}, {"test": [], "valid": []}])
def test_without_heldout_posts_nothing_is_exported(splits) -> None:
    with pytest.raises(DataError, match=r"no held-out posts[^$]*--posts"):
        gather_labelled(splits)


def test_half_of_the_posts_without_labels_judge() -> None:
    posts = gather_texts(build("a", "b", "c"), "posts.txt")

    assert [example.text for example in posts.heldout] == ["a", "c"]
    assert [example.text for example in posts.choosing] == ["b"]
    assert not posts.has_gold


def test_an_empty_file_of_posts_is_refused() -> None:
    with pytest.raises(DataError, match=r"posts\.txt: there are no posts"):
        gather_texts([], "posts.txt")


def test_the_digest_tells_other_posts_and_other_labels_apart() -> None:
    digests = {gather_texts(build(text), "x").origin["sha256"] for text in ("a", "b", "a")}

    assert len(digests) == 2
