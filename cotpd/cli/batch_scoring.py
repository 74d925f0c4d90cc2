"""`cotpd predict --input FILE --output FILE`: what its options mean together, and what it says at the end."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from cotpd.annotation.suggestions import ToolName
from cotpd.cli.output import show
from cotpd.cli.posts import open_standard_input
from cotpd.cli.suggestions import score_for_tool
from cotpd.config import load_params
from cotpd.engine.ordered_map import open_engine
from cotpd.engine.params import ScaleParams
from cotpd.errors import ConfigError
from cotpd.scoring.batch_job import BatchJob, open_source, require_input
from cotpd.scoring.columns import ColumnNames
from cotpd.scoring.file_formats import STANDARD, find_format
from cotpd.scoring.row_predictions import BatchOptions, stream_rows
from cotpd.scoring.scoring_model import load_scoring_model
from cotpd.scoring.text_sources import read_objects
from cotpd.student.predictor import LOOK_AHEAD

if TYPE_CHECKING:
    from cotpd.scoring.scoring_model import ScoringModel
    from cotpd.scoring.source_rows import SourceRow

Batches = Callable[[Iterable["SourceRow"], int], Iterator[Sequence["SourceRow"]]]


class BatchArguments(NamedTuple):
    """The options of `cotpd predict` that score a file, as they were given."""

    source: str | None
    output: str | None
    text_column: str | None
    head_column: str | None
    tail_column: str | None
    keep: Sequence[str] | None
    prefix: str | None
    overwrite: bool
    restart: bool
    strict: bool
    engine: Literal["local", "ray"] | None = None

    def are_given(self) -> bool:
        """Whether a file is to be scored.

        Raises:
            ConfigError: Only some of the options are there.
        """
        if not any(self):
            return False
        if not self.source or not self.output:
            missing = "--output" if self.source else "--input"
            raise ConfigError(
                f"{missing} is missing", "Name both files: --input posts.parquet --output spans.parquet"
            )
        return True

    def build_options(self, batch_size: int) -> BatchOptions:
        """Return them as the job takes them."""
        columns = ColumnNames(
            self.text_column or "text",
            self.head_column or "head",
            self.tail_column or "tail",
            tuple(self.keep) if self.keep else None,
            self.prefix or "",
        )
        return BatchOptions(columns, batch_size, self.strict, self.overwrite, self.restart)


def refuse_posts(**options: Any) -> None:
    """Refuse options that give posts in another way than a file to score.

    Raises:
        ConfigError: One is given; its keyword is its name in the message.
    """
    if names := [name for name, value in options.items() if value not in (None, False, [])]:
        raise ConfigError(f"--input and {names[0]} do not go together", f"Leave {names[0]} out.")


def score_batch(
    arguments: BatchArguments,
    model: str,
    backend: str,
    device: str,
    batch_size: int,
    collect: Batches,
    tool: ToolName | None = None,
) -> None:
    """Score a file, or a stream of rows if the output is standard output.

    Args:
        arguments: Input, output and columns.
        model, backend, device: As :func:`cotpd.scoring.scoring_model.load_scoring_model` takes them.
        batch_size: Rows that the model reads at a time.
        collect: Groups rows of a stream as they arrive.
        tool: An annotation tool, for which the output is written.
    """
    source, output = str(arguments.source), str(arguments.output)
    options = arguments.build_options(batch_size)
    if tool is not None:
        score_for_tool(source, output, options, load_scoring_model(model, backend, device), tool, model)
        return
    if output == STANDARD:
        if source != STANDARD:
            require_input(Path(source))
        print_stream(source, load_scoring_model(model, backend, device), options, collect)
        return
    job = BatchJob(source, output, options)  # checks the paths before seconds are spent on the model
    with open_engine(read_scale(arguments.engine)) as engine:
        show(job.run(load_scoring_model(model, backend, device), engine=engine).describe(source))


def read_scale(engine: Literal["local", "ray"] | None) -> ScaleParams:
    """Return the section scale of params.yaml, if this folder has one, with another engine if it is named."""
    path = Path("params.yaml")
    scale = load_params(path).scale if path.is_file() else ScaleParams()
    return scale if engine is None else scale.model_copy(update={"engine": engine})


def print_stream(source: str, model: "ScoringModel", options: BatchOptions, collect: Batches) -> None:
    """Print a line of JSON for each row."""
    size = options.batch_size * LOOK_AHEAD
    if source == STANDARD:
        batches = collect((row for row, _ in read_objects(open_standard_input())), size)
    else:
        rows = open_source(Path(source), find_format(source))
        survey = rows.summarize()
        options = options.adapt(survey)
        options.columns.check(model.task, survey, source)
        batches = (chunk.list_rows() for chunk in rows.iterate_chunks(None, size))
    for line in stream_rows(batches, model, options):
        sys.stdout.buffer.write(line.encode("utf-8"))
        sys.stdout.buffer.flush()
