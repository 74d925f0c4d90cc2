"""Time and memory of prediction, challenger against champion: each in a process of its own, and in turns.

A machine that others use too is slower in one minute than in the next. So both models are loaded side by side and
predict the same posts in turns, each round begun by the other one, and the time factor is the median over the
rounds of the challenger's time divided by the champion's. Memory is the most that the whole process held (VmHWM,
on Linux alone): Python and its libraries are in it, as they are in a server's.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from cotpd.counts import format_count
from cotpd.errors import ModelError
from cotpd.promotion.contenders import Runner
from cotpd.promotion.gate_verdict import RuleResult, skip
from cotpd.promotion.rules import CostRule
from cotpd.student.examples import Example

_CHILD = "cotpd.promotion.measured_process"
_CODE = Path(__file__).parents[2]  # so that a child runs the code of this process, wherever it was started


class Cost(NamedTuple):
    """The cost of prediction: seconds of the fastest round, and peak memory in bytes (None: not measured)."""

    seconds: float
    memory: int | None


class Costs(NamedTuple):
    """The costs of both models, and the median of the paired quotients of their times."""

    challenger: Cost
    champion: Cost
    time_factor: float


def measure_costs(
    challenger: str, champion: str, examples: Sequence[Example], runner: Runner, rule: CostRule
) -> Costs:
    """Measure both models on the first posts of the held-out ones.

    Raises:
        ModelError: A process ended before it had answered, or took longer than the rule allows.
    """
    rows = [build_row(example) for example in examples[: rule.posts]]
    with ExitStack() as stack:
        first = stack.enter_context(_start_child(challenger, rows, runner, rule.limit_seconds))
        second = stack.enter_context(_start_child(champion, rows, runner, rule.limit_seconds))
        pairs = []
        for number in range(rule.rounds + 1):
            if number % 2:
                seconds = first.ask("predict"), second.ask("predict")
            else:
                seconds = (second.ask("predict"), first.ask("predict"))[::-1]
            pairs.append(seconds)
        timed = pairs[1:]  # the first round warms both up
        factor = median(left / max(right, 1e-9) for left, right in timed)
        left, right = (min(times) for times in zip(*timed, strict=True))
        return Costs(Cost(left, first.ask_memory()), Cost(right, second.ask_memory()), factor)


def build_row(example: Example) -> dict[str, Any]:
    """Return an example as a user writes it: its text, and head and tail in characters if it is a pair."""
    row: dict[str, Any] = {"text": example.text}
    for name, span in (("head", example.head), ("tail", example.tail)):
        if span is not None:
            row[name] = [example.offsets[span[0]][0], example.offsets[span[1] - 1][1]]
    return row


def judge_time(costs: Costs, rule: CostRule, count: int) -> RuleResult:
    """Judge the time that the first ``count`` posts took."""
    first, second = costs.challenger.seconds, costs.champion.seconds
    posts = format_count(count, "post")
    return RuleResult(
        rule="time",
        status="passed" if costs.time_factor <= rule.time_factor else "failed",
        challenger=round(first, 6),
        champion=round(second, 6),
        difference=round(costs.time_factor, 6),
        bound=rule.time_factor,
        support=count,
        explanation=f"{first:.3f} s against {second:.3f} s for {posts} (fastest of {rule.rounds} rounds); "
        f"in pairs {costs.time_factor:.2f} times; allowed: {rule.time_factor:g} times",
    )


def judge_memory(costs: Costs, rule: CostRule) -> RuleResult:
    """Judge the memory of the processes; skipped where the system does not say."""
    first, second = costs.challenger.memory, costs.champion.memory
    if first is None or second is None:
        return skip("memory", "this system does not say how much a process held")
    factor = first / second
    return RuleResult(
        rule="memory",
        status="passed" if factor <= rule.memory_factor else "failed",
        challenger=first,
        champion=second,
        difference=round(factor, 6),
        bound=rule.memory_factor,
        explanation=f"{first / 1e6:.0f} MB against {second / 1e6:.0f} MB, the whole process at its peak: "
        f"{factor:.2f} times; allowed: {rule.memory_factor:g} times",
    )


class _Child:
    """A process that predicts when it is asked to, and says how long it took."""

    def __init__(self, address: str, process: "subprocess.Popen[str]") -> None:
        self._address, self._process = address, process

    def ask(self, command: str) -> float:
        """Send a command and return the number that comes back.

        Raises:
            ModelError: The process has ended.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        answer = ""
        if stdin is not None and stdout is not None:
            try:
                stdin.write(f"{command}\n")
                stdin.flush()
                answer = stdout.readline()
            except OSError:  # the process has ended, and its pipe with it
                answer = ""
        if not answer:
            raise ModelError(
                f"{self._address}: the process that measures its cost ended early, or took too long",
                "See its message above. Raise cost.limit_seconds in the rules, or set cost: null.",
            )
        return float(answer)

    def ask_memory(self) -> int | None:
        """Return the most bytes that the process has held; None where the system does not say."""
        return int(self.ask("memory")) or None


@contextmanager
def _start_child(
    address: str, rows: Sequence[Mapping[str, Any]], runner: Runner, limit: float
) -> Iterator[_Child]:
    """Start a process with a model and posts; it is killed at the end of the block, or after ``limit`` seconds."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work.json"
        work.write_text(json.dumps({"address": address, "rows": rows, **asdict(runner)}), "utf-8")
        path = os.pathsep.join(filter(None, [str(_CODE), os.environ.get("PYTHONPATH", "")]))
        process = subprocess.Popen(
            [sys.executable, "-m", _CHILD, str(work)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        timer = threading.Timer(limit, process.kill)
        timer.start()
        try:
            yield _Child(address, process)
        finally:
            timer.cancel()
            process.kill()
            process.communicate()
