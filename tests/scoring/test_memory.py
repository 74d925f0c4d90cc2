"""Memory stays flat: three times the rows need no more of it, in whichever format they come and go."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.peak_memory import READ_PEAK, needs_proc

pytestmark = [pytest.mark.slow, needs_proc]
FEW, MANY = 8_000, 24_000
MOST_GROWTH = 20_000  # kilobytes; the rows beyond the first ones have 32,000 of text
PROGRAM = (
    READ_PEAK
    + """
import sys
from pathlib import Path
from tests.scoring.doubles import CapitalPredictor, build_model, score
predictor = CapitalPredictor()
predictor._count = lambda text: None  # it would keep the texts
score(sys.argv[1], Path(sys.argv[2]), build_model(predictor))
print(read_peak_kilobytes())
"""
)


def write_posts(path: Path, count: int) -> Path:
    """Write posts of 2,000 characters row by row; Parquet has all in one row group."""
    texts = [f"{number} Ada {'lives in rome ' * 142}{number}" for number in range(count)]
    if path.suffix == ".parquet":
        pq.write_table(
            pa.table({"text": texts}), path, row_group_size=count, compression="none", use_dictionary=False
        )
    elif path.suffix == ".csv":
        path.write_text("text\n" + "".join(f"{text}\n" for text in texts))
    else:
        path.write_text("".join(f'{{"text": "{text}"}}\n' for text in texts))
    return path


def measure_peak(source: Path, output: Path) -> int:
    command = [sys.executable, "-c", PROGRAM, str(source), str(output)]
    process = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=300, cwd=Path(__file__).parents[2]
    )
    return int(process.stdout)


@pytest.mark.parametrize(("read", "written"), [("jsonl", "parquet"), ("csv", "jsonl.gz"), ("parquet", "parquet")])
def test_three_times_the_rows_take_no_more_memory(tmp_path: Path, read: str, written: str):
    small, large = (write_posts(tmp_path / f"{count}.{read}", count) for count in (FEW, MANY))

    growth = measure_peak(large, tmp_path / f"large.{written}") - measure_peak(
        small, tmp_path / f"small.{written}"
    )

    assert growth < MOST_GROWTH
