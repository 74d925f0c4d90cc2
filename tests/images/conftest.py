"""Pictures and posts made on the spot."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from cotpd.data.records import Post
from tests.builders import build_post


@pytest.fixture
def post() -> Callable[..., Post]:
    """Builds a post of an id and a picture, about nothing much."""

    def build(name: str, image: str | None, text: str = "look at this", **more: object) -> Post:
        return build_post(text, id=name, image=image, **more)

    return build


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
