"""Score a file: survey it, predict its rows into a journal, and put the output together from both."""

import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import version as read_installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cotpd.counts import format_count
from cotpd.engine.ordered_map import LOCAL, Engine
from cotpd.errors import ConfigError, DataError
from cotpd.escaping import warn
from cotpd.files import compute_sha256, write_atomically
from cotpd.progress import Progress
from cotpd.scoring.file_formats import STANDARD, FileFormat, explain_damage, find_format
from cotpd.scoring.journal import Journal, lock_folder
from cotpd.scoring.row_predictions import BatchOptions, RowChunk, predict_chunks
from cotpd.scoring.scored_output import ScoredOutput
from cotpd.scoring.source_rows import Chunk, RowSource, Survey
from cotpd.scoring.text_sources import TextSource
from cotpd.student.predictor import LOOK_AHEAD

if TYPE_CHECKING:
    from cotpd.scoring.scoring_model import ScoringModel

Watch = Callable[[int, int], None]  # called with the rows that are scored, and all rows


class BatchResult(NamedTuple):
    """The counts, the time and the files of a finished job.

    Attributes:
        rows: The rows of the input, and so of the output.
        scored: Rows that this run scored; an earlier one may have scored the others.
        unreadable: Rows without a prediction.
        seconds: The time that scoring took in this run.
        output: The file that was written.
        quarantine: The file of unreadable rows; None if there are none.
    """

    rows: int
    scored: int
    unreadable: int
    seconds: float
    output: Path
    quarantine: Path | None

    def describe(self, source: str) -> str:
        """Say what was scored and where it lies."""
        rate = f", {self.scored / self.seconds:,.0f} rows/s" if self.scored and self.seconds else ""
        earlier = f", {self.rows - self.scored:,} of them in an earlier run" if self.scored < self.rows else ""
        text = f"{self.output}: {format_count(self.rows, 'row')} of {source} scored{earlier}{rate}"
        if self.quarantine is None:
            return text
        unreadable = format_count(self.unreadable, "row")
        return f"{text}\n{unreadable} without a prediction, which could not be read: {self.quarantine}"


class BatchJob:
    """One file to score.

    Args:
        source: Its path; ``-`` reads JSON Lines from standard input.
        output: The file to write, in the format that its name says.
        options: The columns, the batch size, and what may be replaced.

    Raises:
        ConfigError: An unknown format, a missing input, an output that exists, or both are one file.
    """

    def __init__(self, source: str, output: str, options: BatchOptions) -> None:
        self._name, self._output, self._options = source, Path(output), options
        self._format = find_format(source)
        find_format(output)  # refuse a name without a format now, and not after hours
        if source != STANDARD:
            require_input(Path(source))
        _require_output(self._output, source, overwrite=options.overwrite)
        self._folder = self._output.with_name(f"{self._output.name}.scoring")

    def run(
        self, model: "ScoringModel", *, show: bool = True, watch: Watch | None = None, engine: Engine = LOCAL
    ) -> BatchResult:
        """Score every row that is not scored yet, and write the output.

        Args:
            model: Of any task.
            show: Whether to show progress on standard error.
            watch: Called after each commit.
            engine: Whose machines predict.

        Raises:
            DataError: The input cannot be read or has changed, or a row cannot be read and ``strict`` is set.
            ConfigError: Another process scores into the output.
            StorageError: The disk is full; what was scored is kept.
        """
        journal = Journal(self._folder)
        with lock_folder(self._folder, str(self._output)):
            try:
                return self._run(model, journal, show, watch, engine)
            except KeyboardInterrupt:
                if journal.count_again():
                    rows = format_count(journal.count, "row is", "rows are")
                    warn(f"stopped: {rows} scored; the same command goes on from there")
                raise
            finally:
                if not journal.count_again():  # nothing to go on from
                    journal.remove()

    @property
    def options(self) -> BatchOptions:
        """The options, adapted to the columns of the source once the job has run."""
        return self._options

    def _run(
        self, model: "ScoringModel", journal: Journal, show: bool, watch: Watch | None, engine: Engine
    ) -> BatchResult:
        path = self._copy_standard_input() if self._name == STANDARD else Path(self._name)
        state = _read_state(path)
        with explain_damage(path):
            digest = compute_sha256(path)
        source = open_source(path, self._format)
        survey = source.summarize()
        self._options = self._options.adapt(survey)
        self._options.columns.check(model.task, survey, self._name)
        columns = self._options.columns.list_read(model.task)
        manifest = {"input": digest, "model": model.describe(), "columns": columns}
        journal.begin(manifest, restart=self._options.restart)

        began, earlier = time.monotonic(), journal.count
        self._score(source, survey, journal, model, show, watch, engine)
        seconds = time.monotonic() - began
        if _read_state(path) != state or journal.count != survey.rows:
            raise DataError(f"{self._name}: has changed while it was read", "Score it again once it is complete.")

        output = ScoredOutput(self._output, self._options.columns, model.task)
        unreadable = output.write(source, survey, journal.iterate_outcomes, self._describe(model, digest))
        journal.remove()
        quarantine = output.quarantine if unreadable else None
        return BatchResult(survey.rows, survey.rows - earlier, unreadable, seconds, self._output, quarantine)

    def _copy_standard_input(self) -> Path:
        path = self._folder / "input.jsonl"
        with write_atomically(path) as partial, partial.open("wb") as out:
            shutil.copyfileobj(sys.stdin.buffer, out)
        return path

    def _describe(self, model: "ScoringModel", digest: str) -> dict[str, Any]:
        """Return the notes on model and input that the output carries."""
        name = "standard input" if self._name == STANDARD else Path(self._name).name
        package = {"cotpd": read_installed_version("cotpd")}
        return model.describe() | package | {"input": {"name": name, "sha256": digest}}

    def _score(
        self,
        source: RowSource,
        survey: Survey,
        journal: Journal,
        model: "ScoringModel",
        show: bool,
        watch: Watch | None,
        engine: Engine,
    ) -> None:
        """Predict the rows that the journal lacks; each chunk is committed in the order of the rows.

        On several machines a chunk stays together: predictions of other batches may differ in their last digits.
        """
        columns, size = self._options.columns.list_read(model.task), self._options.batch_size * LOOK_AHEAD
        chunks = iterate_numbered(source.iterate_chunks(columns, size, journal.count), journal.count)
        predictions = engine.map_in_order(
            partial(predict_chunks, model, self._options), chunks, weigh=RowChunk.count_characters
        )
        pace = Pace(survey.rows, journal)
        with Progress(f"scoring {self._name}", survey.rows, journal.count, show=show, facts=pace.describe) as bar:
            for outcomes in predictions:
                journal.append(outcomes)
                bar.advance(len(outcomes))
                if watch is not None:
                    watch(journal.count, survey.rows)
                if journal.count > survey.rows:  # another process appends rows as fast as they are scored
                    break


class Pace:
    """The rate at which rows are scored, and the time that the pending ones will take.

    Args:
        total: All rows.
        journal: Counts the scored ones.
    """

    def __init__(self, total: int, journal: Journal) -> None:
        self._total, self._journal = total, journal
        self._first, self._began = journal.count, time.monotonic()

    def describe(self) -> dict[str, str]:
        """Return rate and time left, once there is a rate."""
        count = self._journal.count
        rate = (count - self._first) / max(time.monotonic() - self._began, 1e-3)
        if not rate:
            return {}
        minutes, seconds = divmod(round((self._total - count) / rate), 60)
        return {"rows/s": f"{rate:.0f}", "left": f"{minutes}:{seconds:02d}"}


def iterate_numbered(chunks: Iterable[Chunk], count: int) -> Iterator[RowChunk]:
    """Yield the rows of chunks behind the first ``count`` rows, with their numbers."""
    for chunk in chunks:
        yield RowChunk(count + 1, chunk.list_rows())
        count += len(chunk)


def open_source(path: Path, file_format: FileFormat) -> RowSource:
    """Return the rows of a file; nothing is read yet."""
    if file_format.name == "parquet":
        from cotpd.scoring.parquet_files import ParquetSource  # noqa: PLC0415  pyarrow is of an extra

        return ParquetSource(path)
    return TextSource(path, file_format)


def require_input(source: Path) -> None:
    """Refuse an input that cannot be read several times.

    Raises:
        ConfigError: It is missing, or no regular file.
    """
    if not source.exists():
        raise ConfigError(f"{source}: there is no such file", "Check the path.")
    if not source.is_file():
        raise ConfigError(f"{source}: is no regular file", "Name a file, or pipe JSON Lines into --input -.")


def _require_output(output: Path, source: str, *, overwrite: bool) -> None:
    if output.is_dir():
        raise ConfigError(f"{output}: is a folder", "Name a file in it.")
    if not output.exists():
        return
    if source != STANDARD and output.samefile(source):
        raise ConfigError(f"{output}: is the input, too", "Name another file for the output.")
    if not overwrite:
        raise ConfigError(f"{output}: exists", "Name another file, or say --overwrite.")


def _read_state(path: Path) -> tuple[int, int, int]:
    """Return what changes when another process writes a file or replaces it."""
    with explain_damage(path):
        status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino
