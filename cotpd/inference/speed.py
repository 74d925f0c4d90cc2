"""The speed of several backends of one student, timed in turns.

Trade-off: the least of a few rounds is taken, which on a busy machine says what the processor can do; rounds in
turns share its busy moments among the backends.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from cotpd.inference.export_record import Speed
from cotpd.student.examples import Example
from cotpd.student.labeller import Labeller

_ROUNDS = 4
_SINGLES = 8  # posts that are timed one by one


def measure_speeds(students: Mapping[str, Labeller], examples: Sequence[Example]) -> dict[str, Speed]:
    """Return the speed of each backend, in bulk and for a single post.

    Args:
        students: The same student by backend.
        examples: At least one.
    """
    bulk = {name: partial(student.predict_examples, examples) for name, student in students.items()}
    singles = {name: partial(_predict_singles, student, examples) for name, student in students.items()}
    bulk_times, single_times = _time_in_turns(bulk), _time_in_turns(singles)
    count = min(_SINGLES, len(examples))
    return {
        name: Speed(
            posts_per_second=round(len(examples) / bulk_times[name], 1),
            milliseconds=round(1000 * single_times[name] / count, 2),
        )
        for name in students
    }


def _predict_singles(student: Labeller, examples: Sequence[Example]) -> None:
    for example in examples[:_SINGLES]:
        student.predict_examples([example])


def _time_in_turns(calls: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Return the least seconds of each call."""
    least = dict.fromkeys(calls, float("inf"))
    for _ in range(_ROUNDS):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            least[name] = min(least[name], time.perf_counter() - began)
    return least
