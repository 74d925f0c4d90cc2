"""The process whose time and memory `cotpd.promotion.cost` measures: it loads a model and predicts when asked.

``python -m cotpd.promotion.measured_process WORK.json`` reads commands from standard input, one a line, and
answers each with a number: ``predict`` with seconds, ``memory`` with bytes (0 where the system does not say).
"""

import json
import os
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cotpd.environment import silence_libraries
from cotpd.errors import CotpdError

_STATUS = Path("/proc/self/status")


def read_peak_memory() -> int:
    """Return the most bytes that this process has held; 0 where the system does not say."""
    if not _STATUS.is_file():
        return 0
    match = re.search(r"VmHWM:\s+(\d+)", _STATUS.read_text("utf-8"))
    return 1024 * int(match[1]) if match else 0


def answer_commands(work: Mapping[str, Any]) -> None:
    """Load the model, then answer commands until standard input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer

    from cotpd.inference.loading import load_predictor  # noqa: PLC0415  its memory is part of what is measured
    from cotpd.student.prediction_input import predict_rows  # noqa: PLC0415  likewise

    predictor = load_predictor(work["address"], work["backend"], work["device"])
    for command in sys.stdin:
        if command.strip() == "memory":
            answer = float(read_peak_memory())
        else:
            start = time.perf_counter()
            predict_rows(predictor, work["rows"])
            answer = time.perf_counter() - start
        answers.write(f"{answer}\n")
        answers.flush()


if __name__ == "__main__":
    silence_libraries()
    try:
        answer_commands(json.loads(Path(sys.argv[1]).read_text("utf-8")))
    except CotpdError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)
