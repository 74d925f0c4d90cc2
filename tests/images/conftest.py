"""Pictures and posts made on the spot."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from cotpd.data.records import Post
from cotpd.data.tokenization import tokenize

MakePost = Callable[..., Post]


@pytest.fixture
def post() -> MakePost:
    """A post about nothing much."""

    def make(name: str, image: str | None, text: str = "look at this", **more: object) -> Post:
        tokens = tokenize(text)
        return Post(
            id=name,
            text=text,
            tokens=tuple(token.text for token in tokens),
            offsets=tuple((token.start, token.end) for token in tokens),
            image=image,
            **more,
        )

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """red.png and green.png, whole; text.jpg, empty.jpg, cut.png, which are not."""
    Image.new("RGB", (40, 30), "red").save(tmp_path / "red.png")
    Image.new("RGB", (30, 40), "green").save(tmp_path / "green.png")
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "empty.jpg").touch()
    whole = tmp_path / "whole.png"
    Image.effect_noise((64, 64), 80).save(whole)
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:900])
    return tmp_path
