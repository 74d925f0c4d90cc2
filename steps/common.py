"""What every step shares: its paths, its parameters, and how it ends."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from cotpd.config import Params, load_params
from cotpd.data.records import SPLITS, Kind, Post
from cotpd.data.tables import read_table
from cotpd.data.validated import read_captions, read_knowledge
from cotpd.errors import CotpdError
from cotpd.escaping import SafeConsole, mark_logs
from cotpd.interrupts import interrupted_by_sigterm
from cotpd.startup import restore_signals
from cotpd.storage import explain_full_disk

PREPARED = Path("data/prepared")
CAPTIONS = Path("data/captions.jsonl")
ANSWERS = Path("data/answers.jsonl")
BEYOND_LIMIT = "beyond_limit"  # training posts that data.limit leaves out
UNLABELLED = "unlabelled"  # beside the splits: posts whose labels nobody reads
VALIDATED = Path("data/validated")
AUGMENTED = Path("data/augmented")
BASELINE = Path("models/baseline")
STUDENT = Path("models/student")
TEACHERS = Path("models/teachers")  # folders 0, 1, ...: frozen models of the knowledge view, where there are any
TARGETS = Path("data/targets")  # the teachers' soft targets for each example that the student learns from
CHECKS = Path("reports/checks")  # Great Expectations' Data Docs
METRICS = Path("reports/metrics.json")
EVALUATION = Path("reports/evaluation")
SCORES = EVALUATION / "scores.json"  # every figure; reports/metrics.json has those that `dvc metrics` compares
REGISTERED = Path("reports/registered.json")

console = SafeConsole(stderr=True)


def main(step: Callable[[Params], None]) -> None:
    """Run a step on params.yaml; a problem the user can mend is printed, not traced.

    Exit status 1 after such a problem, 130 after Ctrl-C or SIGTERM.
    """
    mark_logs()
    try:
        restore_signals()
        with interrupted_by_sigterm():
            step(load_params())
    except CotpdError as error:
        console.print(f"error: {error}", style="red", soft_wrap=True)
        sys.exit(1)
    except Exception as error:
        if (full := explain_full_disk(error)) is None and not isinstance(error, OSError):
            raise
        console.print(f"error: {full or _describe(error)}", style="red", soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("interrupted; run again to go on")
        sys.exit(130)


def _describe(error: BaseException) -> str:
    """An error of the operating system, such as a path that is too long, as the command line has it."""
    where = getattr(error, "filename", None)
    return f"{'' if where is None else f'{where}: '}{getattr(error, 'strerror', None) or error}"


def say(message: str) -> None:
    """One line on what the step did; of several processes (torchrun) the first one says it."""
    if os.environ.get("RANK", "0") == "0":
        console.print(message, soft_wrap=True)


def prepared(split: str) -> list[Post]:
    """The posts of one split; none where the data set has no such split."""
    path = PREPARED / f"{split}.jsonl"
    return read_table(path, Post) if path.is_file() else []


def all_posts() -> list[Post]:
    """The posts of every split, train first, then those without labels."""
    return [post for split in (*SPLITS, UNLABELLED) for post in prepared(split)]


def checked_captions() -> dict[str, str]:
    """Captions that passed their checks, by post id."""
    return read_captions(VALIDATED)


def checked_knowledge() -> dict[str, dict[Kind, str]]:
    """Knowledge that passed its checks, by post id and kind, in the order of the kinds."""
    return read_knowledge(VALIDATED)
