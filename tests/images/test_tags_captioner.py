"""Tags and text as a sentence; the network's input; what real weights see, where they are at hand."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from cotpd.data.picture_files import PictureFolder
from cotpd.errors import ModelError
from cotpd.images.params import CaptionParams
from cotpd.images.pictures import read_picture
from cotpd.images.tagger import SIDE, Tagger, make_views
from cotpd.images.tags_captioner import TagsCaptioner, build_sentence, select_likely
from cotpd.images.text_reader import TextReader


@pytest.mark.parametrize(
    ("tags", "lines", "expected"),
    [
        (["space shuttle", "launch pad"], ["NASA"], "a picture of a space shuttle, launch pad; text in it: NASA"),
        (["espresso"], [], "a picture of an espresso"),
        (["sunglasses"], [], "a picture of sunglasses"),
        ([], ["STOP", "12"], "a picture with the text: STOP / 12"),
        ([], [], None),
    ],
)
def test_the_sentence_reads_well(tags: list[str], lines: list[str], expected: str | None) -> None:
    assert build_sentence(tags, lines) == expected


def test_only_likely_tags_are_kept_and_at_most_three() -> None:
    tags = {"cat": 0.2, "lynx": 0.119, "dog": 0.3, "fox": 0.13, "wolf": 0.14}
    assert select_likely(tags) == ["dog", "cat", "wolf"]


def test_both_views_are_squares_of_the_networks_size_and_the_second_is_the_middle() -> None:
    image = Image.new("RGB", (400, 100), "black")
    image.paste("white", (150, 0, 250, 100))
    whole, middle = (np.asarray(view) for view in make_views(image))
    assert whole.shape == middle.shape == (SIDE, SIDE, 3)
    assert 0.2 < whole.mean() / 255 < 0.3  # a quarter of the picture is white
    assert middle.min() > 250  # and all of its middle


def test_lettering_reads_what_is_clearly_written(tmp_path: Path) -> None:
    image = Image.new("RGB", (500, 160), "white")
    ImageDraw.Draw(image).text((30, 40), "NASA 2026", fill="black", font=ImageFont.load_default(56))
    assert " ".join(TextReader().read_lines(image)).replace(" ", "") == "NASA2026"
    assert TextReader().read_lines(Image.new("RGB", (50, 50), "grey")) == []


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="not the weights"):
        Tagger(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelError, match="no weights"):
        Tagger(tmp_path)


@pytest.mark.slow
def test_real_weights_recognise_the_sample_and_say_the_same_twice(root: Path) -> None:
    from cotpd.weights import find_cached, get_model

    weights = find_cached(get_model("efficientnet-lite2"))
    if weights is None:
        pytest.skip("efficientnet-lite2 is not in the cache: cotpd models fetch efficientnet-lite2")
    pictures = [
        read_picture(PictureFolder(root / "sample"), f"images/{name}.jpg")
        for name in ("giant-panda", "grace-hopper")
    ]
    captions = [description.caption for description in TagsCaptioner(CaptionParams()).describe(pictures)]
    assert captions[0] == "a picture of a giant panda"
    assert captions[1].endswith("text in it: COMO HOPPER")
    assert captions == [description.caption for description in TagsCaptioner(CaptionParams()).describe(pictures)]
