"""The text reader's input and output are bounded, whatever a picture's size and shape."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from cotpd.images.text_reader import LONGEST, MOST_PIXELS, NARROWEST, SHORTEST, TextReader, fit_to_detector
from tests.peak_memory import READ_PEAK, needs_proc

SIZES = [(20, 6000), (3000, 20), (2, 1000), (10, 300), (1, 1), (1, 100_000), (50_000, 3), (31, 31), (5000, 5000)]


@pytest.mark.parametrize("size", SIZES)
def test_the_detector_sees_a_bounded_picture_of_bounded_proportions(size: tuple[int, int]) -> None:
    shorter, longer = sorted(fit_to_detector(Image.new("RGB", size)).size)
    assert shorter >= SHORTEST
    assert longer <= min(LONGEST, NARROWEST * shorter)
    assert shorter * longer <= MOST_PIXELS


@pytest.mark.parametrize("size", [(640, 480), (32, 32), (1500, 500), (600, 1800)])
def test_a_picture_of_usual_size_is_read_as_it_is(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size)
    assert fit_to_detector(image) is image


def test_a_narrow_picture_stands_whole_on_white() -> None:
    fitted = np.asarray(fit_to_detector(Image.new("RGB", (400, 10), "black")))
    assert (fitted == 0).all(axis=2).sum() == 400 * 10
    assert (fitted == 255).all(axis=2).sum() == 400 * 124


@pytest.mark.parametrize("size", [(20, 6000), (3000, 20), (2, 1000), (10, 300), (1, 1)])
def test_a_narrow_picture_has_no_text_but_no_error_either(size: tuple[int, int]) -> None:
    assert TextReader().read_lines(Image.new("RGB", size, "grey")) == []


MEASURE = f"""{READ_PEAK}
import sys
from PIL import Image
from cotpd.images.text_reader import TextReader
print(len(TextReader().read_lines(Image.open(sys.argv[1]).convert("RGB"))))
print(read_peak_kilobytes())
"""


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("size", [(20, 6000), (3000, 20), (2000, 500), (4000, 4000)])
def test_a_page_of_small_print_is_read_below_a_gigabyte(tmp_path: Path, size: tuple[int, int]) -> None:
    page, font = Image.new("RGB", size, "white"), ImageFont.load_default(14)
    for top in range(0, size[1], 18):
        ImageDraw.Draw(page).text((2, top), "plain words without end " * 40, fill="black", font=font)
    page.save(tmp_path / "page.png")

    command = [sys.executable, "-c", MEASURE, str(tmp_path / "page.png")]
    process = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200)

    assert int(process.stdout.split()[1]) < 1_000_000
