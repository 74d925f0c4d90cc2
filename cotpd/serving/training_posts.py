"""The training posts near to a prediction, for the page: an index of its own beside the one that answers.

Trade-off: the index holds a second copy of the student, so that reading all training posts, which may take a
minute, keeps no client waiting. It is built when it is first asked for, and once for a version.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cotpd.errors import CotpdError
from cotpd.extras import explain_missing_package
from cotpd.registry.model_address import find_student_folder
from cotpd.serving.access_log import describe_failure
from cotpd.serving.served_version import ServedVersion
from cotpd.student.prediction_input import PredictionInput

if TYPE_CHECKING:
    from cotpd.student.examples import Example
    from cotpd.student.neighbours import Neighbours
    from cotpd.student.tasks import TaskName

NEAREST = 3


class TrainingPosts:
    """The index of the version that was asked for last.

    Args:
        read_examples: Returns the training examples of a task.
    """

    def __init__(self, read_examples: "Callable[[TaskName], list[Example]]") -> None:
        self._read_examples = read_examples
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="cotpd-training-posts")
        self._source = ""
        self._index: Future[Neighbours] = Future()

    async def explain(self, version: ServedVersion, row: PredictionInput) -> dict[str, Any]:
        """Return each prediction of a row with its marks, score and nearest training posts, as ``claims``.

        While the training posts are being read, or if they cannot be, there is a ``note`` in their place.
        """
        if self._source != version.source:
            self._source = version.source
            self._index = Future()
            # no thread of the executor's, for which Python would wait as it exits
            threading.Thread(target=self._build, args=(version, self._index), daemon=True).start()
        if not self._index.done():
            return describe_absence("The training posts are being read.", is_reading=True)
        try:
            index = self._index.result()
        except Exception as error:
            return describe_absence(f"There are none to show: {_summarize(error)}.")
        loop = asyncio.get_running_loop()
        claims = await loop.run_in_executor(self._executor, _explain, index, row)
        return {"claims": claims, "note": None, "is_reading": False}

    def stop(self) -> None:
        """Drop what has not begun."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _build(self, version: ServedVersion, index: "Future[Neighbours]") -> None:
        try:
            index.set_result(self._read_posts(version))
        except Exception as error:
            index.set_exception(error)

    def _read_posts(self, version: ServedVersion) -> "Neighbours":
        # torch, which an exported student is served without
        from cotpd.student.neighbours import Neighbours  # noqa: PLC0415
        from cotpd.student.student import Student  # noqa: PLC0415

        examples = self._read_examples(version.task)
        folder = find_student_folder(version.source)
        return Neighbours.build(Student.from_pretrained(folder, "cpu"), folder, examples, progress=False)


def describe_absence(note: str, *, is_reading: bool = False) -> dict[str, Any]:
    """Return an answer without training posts, and whether to ask again."""
    return {"claims": None, "note": note, "is_reading": is_reading}


def _explain(index: "Neighbours", row: PredictionInput) -> list[dict[str, Any]]:
    from cotpd.evaluation.explanation import explain  # noqa: PLC0415  imports torch

    example = index.student.build_example(row)
    if example is None:
        return []
    (explanation,) = explain(index, [example], index.student.predict_examples([example]), NEAREST)
    return [asdict(claim) for claim in explanation.claims]


def _summarize(error: Exception) -> str:
    """Return why an index could not be built, without an unexpected error's words."""
    explained = error if isinstance(error, CotpdError) else explain_missing_package(error)
    return describe_failure(error) if explained is None else explained.problem
