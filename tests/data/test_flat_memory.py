"""A long file is read a few rows at a time: the memory of a reader does not grow with its file."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.peak_memory import READ_PEAK, needs_proc

ROWS = 25_000
SCRIPT = (
    READ_PEAK
    + """
import sys
from pathlib import Path
from cotpd.data.readers import FORMATS
from cotpd.data.readers.file_format import Source
name, file = sys.argv[1:]
path = Path(file)
before = read_peak_kilobytes()
posts = sum(1 for post in FORMATS[name].read(Source(path, path.name, "train")))
print(posts, read_peak_kilobytes() - before)
"""
)
WRITERS = {
    "label-studio": (
        "[\n",
        '{"id": %d, "data": {"text": "Ada visits London %d"}, "annotations": [{"result": [{"id": "a", "value":'
        ' {"start": 0, "end": 3, "labels": ["PER"]}}], "note": "' + 800 * "x" + '"}]}',
        ",\n",
        "\n]\n",
    ),
    "doccano": (
        "",
        '{"id": %d, "text": "Ada visits London %d", "label": [[0, 3, "PER"]], "note": "' + 800 * "x" + '"}',
        "\n",
        "\n",
    ),
    "csv": ("id,text,start,end,type,note\n", "%d,Ada visits London %d,0,3,PER," + 800 * "x", "\n", "\n"),
}


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("name", WRITERS)
def test_a_reader_holds_no_more_than_a_few_rows(tmp_path: Path, name: str) -> None:
    opening, row, separator, closing = WRITERS[name]
    path = tmp_path / "train.txt"
    path.write_text(opening + separator.join(row % (n, n) for n in range(ROWS)) + closing, "utf-8")
    megabytes = path.stat().st_size / 1e6

    out = subprocess.run(
        [sys.executable, "-c", SCRIPT, name, str(path)], capture_output=True, text=True, timeout=300
    )

    posts, grown = map(int, out.stdout.split())
    assert posts == ROWS, out.stderr
    assert megabytes > 20
    assert grown < 12_000, f"{grown} kB for {megabytes:.0f} MB"
