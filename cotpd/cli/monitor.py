"""`cotpd monitor`: whether posts that were scored still look like those that the student was made for."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cotpd.cli.options import Backend, Device, HeadColumn, Prefix, TailColumn, TextColumn
from cotpd.cli.output import build_console, format_json, show, warn
from cotpd.cli.predict import choose_model
from cotpd.counts import format_count
from cotpd.monitoring.drift_page import write_page
from cotpd.monitoring.drift_verdict import Verdict, judge_window
from cotpd.monitoring.reference_profile import ReferenceProfile
from cotpd.monitoring.scored_window import WindowFile
from cotpd.pipeline.workspace import Workspace
from cotpd.scoring.columns import ColumnNames
from cotpd.scoring.scoring_model import load_scoring_model

if TYPE_CHECKING:
    from cotpd.scoring.scoring_model import ScoringModel

WORRIED = 3  # the exit status


def monitor(
    window: Annotated[
        Path, typer.Argument(help="Scored posts, or posts to score: any format of predict --input.")
    ],
    reference: Annotated[
        Path | None, typer.Option(help="A profile; else it is made of this project's posts.", show_default=False)
    ] = None,
    save_reference: Annotated[
        Path | None, typer.Option(help="Where to write that profile, for later windows.", show_default=False)
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Scores what has no predictions; else the challenger.", show_default=False)
    ] = None,
    page: Annotated[Path, typer.Option(help="The page to write.")] = Path("monitor.html"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
    text_column: TextColumn = None,
    head_column: HeadColumn = None,
    tail_column: TailColumn = None,
    prefix: Prefix = None,
    backend: Backend = "auto",
    device: Device = "auto",
) -> None:
    """Say whether scored posts still look like the training data.

    The exit status is 0 if there is no need to worry, and 3 if there is.

    \b
    Examples:
      cotpd monitor spans.parquet --save-reference profile.json
      cotpd monitor spans.parquet --reference profile.json --page monitor.html
    """
    loader = ModelOnDemand(model, backend, device)
    profile = ReferenceProfile.read(reference) if reference else build_profile(loader.load())
    if save_reference is not None:
        profile.write(save_reference)
    columns = ColumnNames(text_column or "text", head_column or "head", tail_column or "tail", None, prefix or "")
    posts = WindowFile(window, columns, profile.task)
    scored = posts.read(frozenset(profile.vocabulary), None if posts.is_scored else loader.load())
    verdict = judge_window(scored, profile)

    write_page(verdict, window.name, page)
    if as_json:
        show(format_json(verdict.as_dict()))
    else:
        print_verdict(verdict, page)
    sys.exit(WORRIED if verdict.worries else 0)


class ModelOnDemand:
    """A model that is loaded when it is first needed, and once."""

    def __init__(self, address: str | None, backend: str, device: str) -> None:
        self._address, self._backend, self._device = address, backend, device
        self._model: ScoringModel | None = None

    def load(self) -> "ScoringModel":
        """Return the model."""
        if self._model is None:
            self._model = load_scoring_model(choose_model(self._address), self._backend, self._device)
        return self._model


def build_profile(model: "ScoringModel") -> ReferenceProfile:
    """Build the profile of the posts of this project."""
    workspace = Workspace()
    return ReferenceProfile.build(model, workspace.read_posts("train"), workspace.read_posts("valid"))


def print_verdict(verdict: Verdict, page: Path) -> None:
    """Print the answer, its figures, and what to do."""
    show(verdict.headline, fg="red" if verdict.worries else "green", bold=True)
    table = Table("measure", "before", "now", "PSI", "p", "effect", "")
    for measure in verdict.measures:
        means = ("", "") if measure.name == "types" else (f"{measure.reference:.3g}", f"{measure.window:.3g}")
        figures = (f"{measure.psi:.3f}", f"{measure.p_value:.2g}", f"{measure.effect:.3f}")
        table.add_row(measure.title, *means, *figures, measure.state)
    build_console(100).print(table)
    for warning in verdict.warnings:
        warn(f"warning: {warning}")
    for measure in verdict.worries:
        show(f"{measure.title}: {measure.advice}")
    show(f"{page}: {format_count(verdict.posts, 'post')} beside {verdict.reference_posts:,} of the reference")
