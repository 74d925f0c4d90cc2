"""Pictures of every mode keep their look in 8 bits, and large ones are reduced before memory is taken for them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cotpd.data.picture_files import PictureFolder
from cotpd.images.conversion import FULL_PIXELS
from cotpd.images.pictures import read_picture
from tests.peak_memory import READ_PEAK, needs_proc

RAMP = np.tile(np.arange(256, dtype=np.float64), (4, 1))  # shape: (4 rows, 256 values)


def read(folder: Path, name: str) -> np.ndarray:
    return np.asarray(read_picture(PictureFolder(folder), name).image)


@pytest.mark.parametrize(
    ("values", "kind", "name"),
    [
        (RAMP * 257, np.uint16, "deep.png"),
        (RAMP * 257, np.uint16, "deep.tif"),
        (RAMP * 257, np.int32, "sixteen-in-thirty-two.tif"),
        (RAMP, np.int32, "eight-in-thirty-two.tif"),
        (RAMP * 1_000_000, np.int32, "thirty-two.tif"),
        (RAMP / 255, np.float32, "unit.tif"),
        (RAMP, np.float32, "eight-in-float.tif"),
        (RAMP * 40 - 3000, np.float32, "own-range.tif"),
    ],
)
def test_values_of_more_than_eight_bits_are_scaled(
    tmp_path: Path, values: np.ndarray, kind: type, name: str
) -> None:
    Image.fromarray(values.astype(kind)).save(tmp_path / name)

    pixels = read(tmp_path, name)

    assert np.abs(pixels[..., 0] - RAMP).max() <= 1
    assert (pixels[..., 0] == pixels[..., 2]).all()


def test_values_that_are_no_numbers_spoil_only_their_own_pixels(tmp_path: Path) -> None:
    values = (RAMP / 255).astype(np.float32)
    values[0, :3] = np.nan, np.inf, -np.inf
    Image.fromarray(values).save(tmp_path / "holes.tif")

    pixels = read(tmp_path, "holes.tif")[..., 0]

    assert list(pixels[0, :3]) == [0, 255, 0]
    assert np.abs(pixels[1:] - RAMP[1:]).max() <= 1


@pytest.mark.parametrize("value", [0, 7, -5, 1e9])
def test_a_float_picture_of_one_value_can_be_read(tmp_path: Path, value: float) -> None:
    Image.fromarray(np.full((3, 3), value, np.float32)).save(tmp_path / "flat.tif")
    assert read(tmp_path, "flat.tif").shape == (3, 3, 3)


def test_one_transparent_grey_of_a_deep_picture_becomes_white(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 30_000]], np.uint16)).save(tmp_path / "clear.png", transparency=30_000)
    assert read(tmp_path, "clear.png")[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "L", "CMYK", "I;16"])
def test_a_large_picture_is_reduced_and_keeps_its_proportions(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cotpd.images.conversion.FULL_PIXELS", 500)
    monkeypatch.setattr("cotpd.images.conversion._STRIP_PIXELS", 100)
    half = Image.new("L", (61, 41), "black")
    half.paste("white", (0, 20, 61, 41))
    picture = Image.fromarray(np.asarray(half).astype(np.uint16) * 257) if mode == "I;16" else half.convert(mode)
    name = "large.tif" if mode == "CMYK" else "large.png"
    picture.save(tmp_path / name)

    pixels = read(tmp_path, name)

    assert pixels.shape == (14, 21, 3)  # a third
    assert pixels[:6].max() < 5
    assert pixels[8:].min() > 250


def test_a_picture_of_usual_size_keeps_every_pixel(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 500, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    assert (read(tmp_path, "noise.png") == noise).all()


def test_a_large_photo_taken_sideways_is_reduced_and_turned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cotpd.images.conversion.FULL_PIXELS", 5000)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 200)).save(tmp_path / "side.jpg", exif=exif)
    height, width, _ = read(tmp_path, "side.jpg").shape
    assert width * 2 == height


MEASURE = f"""{READ_PEAK}
import sys
from cotpd.data.picture_files import PictureFolder
from cotpd.images.pictures import read_picture
before = read_peak_kilobytes()
picture = read_picture(PictureFolder(Path(sys.argv[1])), sys.argv[2])
print(read_peak_kilobytes() - before, picture.image.width * picture.image.height)
"""


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize(("mode", "name"), [("RGBA", "clear.png"), ("RGB", "photo.jpg"), ("P", "drawing.gif")])
def test_the_largest_picture_takes_little_more_memory_than_its_pixels(
    tmp_path: Path, mode: str, name: str
) -> None:
    Image.new(mode, (9_900, 9_900)).save(tmp_path / name)

    process = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path), name],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    kilobytes, pixels = map(int, process.stdout.split())
    assert kilobytes < 600_000
    assert pixels <= FULL_PIXELS
