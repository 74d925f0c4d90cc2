"""Posts that a student was unsure of, sampled into a JSON Lines file to be annotated.

The file is in the project's own format, with the predictions as a draft of the annotation, so `cotpd data check`
reads it. It holds texts of clients, so only its owner may read it. A thread writes: no answer waits for a disk.
"""

import errno
import hashlib
import json
import os
import queue
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cotpd.data.words import TextInWords
from cotpd.errors import ConfigError
from cotpd.escaping import warn
from cotpd.serving.service_metrics import ServiceMetrics
from cotpd.student.prediction_input import PredictionInput

_STOP_SECONDS = 5.0
_PENDING = 1000  # rows that wait for the disk; more are dropped


class DoubtfulPosts:
    """The file and the thread that writes it.

    Args:
        path: The file; rows are appended, and no post twice.
        below: A post is doubtful if one of its scores is below this.
        share: The share of the doubtful posts that is written, 0 to 1.
        most_bytes: The largest file; then nothing more is written.
        metrics: Count rows.

    Raises:
        ConfigError: The file cannot be opened.
    """

    def __init__(self, path: Path, below: float, share: float, most_bytes: int, metrics: ServiceMetrics) -> None:
        self._path, self._below, self._share, self._metrics = path, below, share, metrics
        self._most_bytes = most_bytes
        self._rows: queue.Queue[dict[str, Any] | None] = queue.Queue(_PENDING)
        self._ids = _read_ids(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}", "Name another file with --sample-to.") from None
        self._thread = threading.Thread(target=self._run, name="cotpd-sample", daemon=True)
        self._thread.start()

    def offer(
        self, inputs: Sequence[PredictionInput], predictions: Sequence[dict[str, Any]], version: dict[str, Any]
    ) -> None:
        """Queue the doubtful ones of a request's posts; return at once.

        Args:
            inputs: The posts.
            predictions: Of each.
            version: As :meth:`cotpd.serving.served_version.ServedVersion.describe` returns it.
        """
        for post, prediction in zip(inputs, predictions, strict=True):
            scores = [entity["score"] for entity in prediction.get("entities", [prediction])]
            score = min((value for value in scores if value is not None), default=1.0)
            if score >= self._below or random.random() >= self._share or _overlap(post):
                continue
            row = _build_row(post, prediction) | {"lowest_score": score, "model": version}
            try:
                self._rows.put_nowait(row)
            except queue.Full:
                self._metrics.record_sample("dropped")

    def stop(self) -> None:
        """Write what is queued, and close the file; a disk that hangs is not waited for."""
        with suppress(queue.Full):
            self._rows.put(None, timeout=_STOP_SECONDS)
        self._thread.join(_STOP_SECONDS)
        if not self._thread.is_alive():
            os.close(self._descriptor)

    def _run(self) -> None:
        problem = ""
        for row in iter(self._rows.get, None):
            problem = self._write(row, problem)

    def _write(self, row: dict[str, Any], problem: str) -> str:
        """Append a row; return why that was impossible, which is logged when it changes."""
        if row["id"] in self._ids:
            return problem
        line = (json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8")
        reason = self._append(line)
        if reason:
            self._metrics.record_sample("dropped")
        else:
            self._ids.add(row["id"])
            self._metrics.record_sample("written")
        if reason and reason != problem:
            warn(f"warning: {self._path}: no more posts are sampled: {reason}")
        return reason

    def _append(self, line: bytes) -> str:
        """Append a line whole, or not at all; return why that was impossible, or nothing."""
        try:
            size = os.fstat(self._descriptor).st_size
            if size + len(line) > self._most_bytes:
                return f"it has reached {self._most_bytes:,} bytes"
            if os.write(self._descriptor, line) < len(line):  # a disk that is full takes a part
                os.ftruncate(self._descriptor, size)
                return os.strerror(errno.ENOSPC)
        except OSError as error:
            return str(error.strerror)
        return ""


def _build_row(post: PredictionInput, prediction: dict[str, Any]) -> dict[str, Any]:
    """Return a post with its predictions as a draft of its annotation."""
    # without words the digest is that of earlier releases, so that a file which goes on holds no post twice
    content = repr(post) if post.offsets else repr(post).replace(", offsets=None)", ")")
    digest = hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()[:16]
    row: dict[str, Any] = {"id": digest, "text": post.text}
    if isinstance(post.content, TextInWords):
        row["tokens"] = list(post.content.words)  # which the entities then count, here and in the data format
    if post.head and post.tail:
        mentions = [{"start": start, "end": end} for start, end in (post.head, post.tail)]
        return row | {"entities": mentions, "relations": [{"head": 0, "tail": 1, "label": prediction["label"]}]}
    if "label" in prediction:
        return row | {"label": prediction["label"]}
    return row | {"entities": [_drop_score(entity) for entity in prediction["entities"]]}


def _drop_score(entity: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entity.items() if key != "score"}


def _overlap(post: PredictionInput) -> bool:
    """Whether head and tail share a character, which the format does not allow."""
    if not post.head or not post.tail:
        return False
    return post.head[0] < post.tail[1] and post.tail[0] < post.head[1]


def _read_ids(path: Path) -> set[str]:
    """Return the ids of the rows that a file holds; none if it is not there."""
    return set(_iterate_ids(path)) if path.is_file() else set()


def _iterate_ids(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                yield str(json.loads(line)["id"])
            except (ValueError, KeyError, TypeError, RecursionError):
                continue  # edited by hand, or cut short by a full disk: its post may be sampled once more
