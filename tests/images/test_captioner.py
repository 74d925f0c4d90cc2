"""What all captioners share: one record a post, each picture described once, a bad one noted and passed by."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from cotpd.data.picture_files import PictureFolder
from cotpd.data.records import Post
from cotpd.errors import ConfigError, ModelError
from cotpd.images.captioner import Description, PictureCaptioner
from cotpd.images.captioner_backends import build_captioner
from cotpd.images.params import CaptionParams
from cotpd.images.pictures import Picture
from cotpd.llm.params import LlmParams


class Counting(PictureCaptioner):
    """Says a picture's size, and remembers what it was shown."""

    backend = "tags"
    batch_size = 2

    def __init__(self) -> None:
        self.shown: list[list[str]] = []

    def describe(self, pictures: Sequence[Picture]) -> list[Description]:
        self.shown.append([picture.name for picture in pictures])
        return [Description(f" {picture.image.width}\n by  {picture.image.height} ") for picture in pictures]


def test_one_record_a_post_in_order_and_each_picture_described_once(
    folder: Path, post: Callable[..., Post]
) -> None:
    counting = Counting()
    posts = [post("a", "red.png"), post("b", "green.png"), post("c", "red.png"), post("d", "whole.png")]
    captions = counting.caption(posts, PictureFolder(folder))
    assert [(caption.id, caption.caption) for caption in captions] == [
        ("a", "40 by 30"),
        ("b", "30 by 40"),
        ("c", "40 by 30"),
        ("d", "64 by 64"),
    ]
    assert counting.shown == [["red.png", "green.png"], ["whole.png"]]


def test_a_bad_picture_is_named_and_the_others_go_on(folder: Path, post: Callable[..., Post]) -> None:
    posts = [post("a", "cut.png"), post("b", "red.png"), post("c", "no.png", caption="brought"), post("d", None)]
    cut, red, missing, without = Counting().caption(posts, PictureFolder(folder))
    assert cut.caption is None
    assert "cut.png" in cut.problem
    assert red.caption == "40 by 30"
    assert missing.caption is None, "a caption that came with the data is not mixed with a captioner's"
    assert "no.png" in missing.problem
    assert (without.caption, without.problem) == (None, "")


def test_a_caption_that_came_with_the_data_is_cleaned_too(folder: Path, post: Callable[..., Post]) -> None:
    captions = ["<think>A dog?</think>a dog</s>", "<think>A dog, or", "a cat"]
    posts = [post(str(n), "red.png", caption=caption) for n, caption in enumerate(captions)]

    whole, cut, plain = build_captioner(CaptionParams(backend="dataset"), LlmParams()).caption(posts, folder)

    assert (whole.caption, plain.caption) == ("a dog", "a cat")
    assert cut.caption is None
    assert "reasoning" in cut.problem


def test_without_a_readable_picture_no_model_is_asked(folder: Path, post: Callable[..., Post]) -> None:
    counting = Counting()
    counting.caption([post("a", "no.png"), post("b", None)], PictureFolder(folder))
    assert counting.shown == []


def test_the_dataset_backend_hands_on_what_was_brought(folder: Path, post: Callable[..., Post]) -> None:
    posts = [post("a", "red.png", caption="a red square"), post("b", "green.png")]
    captions = build_captioner(CaptionParams(backend="dataset"), LlmParams()).caption(posts, PictureFolder(folder))
    assert [caption.caption for caption in captions] == ["a red square", None]
    assert not any(caption.problem for caption in captions)


def test_none_means_none(folder: Path, post: Callable[..., Post]) -> None:
    captions = build_captioner(CaptionParams(backend="none"), LlmParams()).caption(
        [post("a", "red.png", caption="a red square")], PictureFolder(folder)
    )
    assert [caption.caption for caption in captions] == [None]


@pytest.mark.parametrize("backend", ["transformers", "openai"])
def test_a_backend_that_needs_a_model_says_so_at_once(backend: str) -> None:
    with pytest.raises(ConfigError, match=r"caption\.model"):
        build_captioner(CaptionParams(backend=backend), LlmParams())


class Failing(Counting):
    """Fails on every batch that holds a picture of a given width, or on every picture."""

    def __init__(self, width: int | None, error: Exception) -> None:
        super().__init__()
        self.width, self.error = width, error

    def describe(self, pictures: Sequence[Picture]) -> list[Description]:
        if any(self.width in (None, picture.image.width) for picture in pictures):
            raise self.error
        return super().describe(pictures)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("shape\nof a tensor"), MemoryError(), ValueError(), ModelError("no such shape", "Choose.")],
)
def test_a_picture_that_a_network_fails_on_costs_its_own_caption_alone(
    folder: Path, post: Callable[..., Post], error: Exception
) -> None:
    posts = [post("a", "red.png"), post("b", "green.png"), post("c", "whole.png")]

    red, green, whole = Failing(40, error).caption(posts, PictureFolder(folder))

    assert red.caption is None
    assert red.problem.startswith("red.png: cannot be described (")
    assert "\n" not in red.problem
    assert (green.caption, whole.caption) == ("30 by 40", "64 by 64")


@pytest.mark.parametrize("error", [RuntimeError("no kernel"), ModelError("no weights", "Fetch them.")])
def test_a_captioner_that_fails_on_a_plain_picture_too_ends_the_step(
    folder: Path, post: Callable[..., Post], error: Exception
) -> None:
    with pytest.raises(ModelError, match=r"no kernel|no weights"):
        Failing(None, error).caption([post("a", "red.png")], PictureFolder(folder))
