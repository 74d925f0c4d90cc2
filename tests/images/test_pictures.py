"""Any file at all may be called a picture: a usable one becomes upright RGB, the rest a reason."""

import contextlib
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cotpd.data.picture_files import PictureFolder
from cotpd.images.pictures import UnreadableError, read_picture


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("text.jpg", "not a picture"),
        ("empty.jpg", "empty"),
        ("cut.png", "damaged"),
        ("missing.png", "no such picture"),
        ("", "no such picture"),
        ("../outside.png", "outside the data set"),
        ("/etc/hostname", "outside the data set"),
        ("..\\outside.png", "outside the data set"),
        ("https://example.org/a.png", "not fetched"),
        ("nul\0byte.png", "such picture|cannot be read"),
        ("x" * 5000 + ".png", "cannot be read|no such picture"),
    ],
)
def test_an_unusable_picture_is_a_reason_that_names_it(folder: Path, name: str, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason) as caught:
        read_picture(PictureFolder(folder), name)
    assert str(caught.value).startswith(name)


def test_a_folder_is_not_a_picture(folder: Path) -> None:
    (folder / "sub").mkdir()
    with pytest.raises(UnreadableError):
        read_picture(PictureFolder(folder), "sub")


def test_a_small_file_that_claims_to_be_gigapixels_is_not_decoded(folder: Path) -> None:
    def build_chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = build_chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    body = build_chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + build_chunk(b"IEND", b"")
    (folder / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + body)
    with pytest.raises(UnreadableError, match="million pixels"):
        read_picture(PictureFolder(folder), "bomb.png")


def test_transparent_parts_are_white_and_the_rest_keeps_its_colour(folder: Path) -> None:
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (10, 20, 30, 255))
    image.save(folder / "clear.png")
    read = read_picture(PictureFolder(folder), "clear.png").image
    assert [read.getpixel((0, 0)), read.getpixel((1, 0))] == [(255, 255, 255), (10, 20, 30)]


def test_a_photo_taken_sideways_is_turned_upright(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees
    Image.new("RGB", (40, 20)).save(folder / "side.jpg", exif=exif)
    assert read_picture(PictureFolder(folder), "side.jpg").image.size == (20, 40)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "I;16", "RGBA"])
def test_every_mode_becomes_rgb(folder: Path, mode: str) -> None:
    Image.new(mode, (3, 2)).save(folder / ("p.tif" if mode == "CMYK" else "p.png"))
    assert read_picture(PictureFolder(folder), "p.tif" if mode == "CMYK" else "p.png").image.mode == "RGB"


@given(
    st.binary(max_size=200), st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF", b""])
)
def test_random_bytes_never_end_in_another_exception(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, start: bytes
) -> None:
    folder = tmp_path_factory.mktemp("bytes", numbered=True)
    (folder / "x.png").write_bytes(start + data)
    with contextlib.suppress(UnreadableError):
        assert read_picture(PictureFolder(folder), "x.png").image.mode == "RGB"


def test_a_format_that_starts_other_programs_is_not_tried(folder: Path) -> None:
    (folder / "page.jpg").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    )
    with pytest.raises(UnreadableError, match=r"not a picture of a format that is read \(.*JPEG"):
        read_picture(PictureFolder(folder), "page.jpg")


@pytest.mark.parametrize("name", ["a.avif", "a.bmp", "a.gif", "a.jpg", "a.png", "a.ppm", "a.tif", "a.webp"])
def test_every_format_that_is_named_is_read(folder: Path, name: str) -> None:
    Image.new("RGB", (30, 20), "red").save(folder / name)
    assert read_picture(PictureFolder(folder), name).image.size == (30, 20)


def test_a_picture_with_a_side_of_millions_of_pixels_is_not_decoded(folder: Path) -> None:
    Image.new("1", (1, 70_000)).save(folder / "line.png")
    with pytest.raises(UnreadableError, match="side of more than 65,535 pixels"):
        read_picture(PictureFolder(folder), "line.png")


@pytest.mark.slow
def test_a_format_whose_decoder_takes_much_memory_has_a_limit_of_its_own(folder: Path) -> None:
    Image.new("RGB", (6_400, 6_400)).save(folder / "large.webp", lossless=True, method=0)
    with pytest.raises(UnreadableError, match="more than 40 million pixels"):
        read_picture(PictureFolder(folder), "large.webp")
