"""A study as a picture: the score of each cell with its seeds, and beside it each difference with its interval."""

import textwrap
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from cotpd.escaping import make_printable_line
from cotpd.evaluation.plots import COLOURS, make_figure, save_figure
from cotpd.studies.verdict import CellResult, StudyResult, Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEGEND = "blue: p < 0.05 after Holm"  # and on enough posts
_FAINT = "#cbd5e1"
_LETTERS, _LINES = 34, 2  # of a label: a longer one leaves no room for the plot
_TICKS = 4  # at most: the numbers of more run into one another
_MARGIN = 0.5  # points on either side, so that equal figures do not look far apart


def draw_study(result: StudyResult, path: Path) -> Path:
    """Draw a study's cells and differences, and return the PNG's path; cells without figures are left out."""
    cells = [cell for cell in result.cells if cell.f1]
    verdicts = [verdict for verdict in result.verdicts if verdict.gain is not None]
    rows = max(len(cells), len(verdicts))
    figure, axes = make_figure(2 if verdicts else 1, 1.4 + 0.34 * rows)
    _draw_cells(axes[0], cells, result)
    if verdicts:
        _draw_verdicts(axes[1], verdicts, result)
    path.parent.mkdir(parents=True, exist_ok=True)
    return save_figure(figure, path)


def _draw_cells(axis: "Axes", cells: list[CellResult], result: StudyResult) -> None:
    """Draw a dot for each seed and a bar at the mean."""
    for row, cell in enumerate(cells):
        colour = COLOURS[cell.model]
        axis.plot([100 * score for score in cell.f1.values()], [row] * len(cell.f1), "o", color=colour, alpha=0.5)
        axis.plot([100 * (cell.mean or 0)], [row], "|", color=colour, markersize=14, markeredgewidth=2.5)
    scores = [*chain.from_iterable(cell.f1.values() for cell in cells)] or [0, 1]
    _widen_axis(axis, 100 * min(scores), 100 * max(scores))
    _label_rows(axis, [cell.name for cell in cells])
    axis.grid(axis="x", color=_FAINT, linewidth=0.5)
    axis.set_xlabel(f"{result.score_name}, percent: seeds and mean", fontsize=9)
    axis.set_title(f"{_shorten(result.study, 1)}, {result.split}", loc="left", fontsize=11)


def _draw_verdicts(axis: "Axes", verdicts: list[Verdict], result: StudyResult) -> None:
    """Draw each difference with its interval, in a strong colour if it is more than chance."""
    axis.axvline(0, color=_FAINT, linewidth=1)
    for row, verdict in enumerate(verdicts):
        colour = COLOURS["student" if result.is_certain(verdict) else "baseline"]
        value, low, high = _list_points(verdict)
        axis.plot([low, high], [row, row], color=colour, linewidth=2)
        axis.plot([value], [row], "o", color=colour)
    _widen_axis(axis, 0, 0)
    _label_rows(axis, [verdict.claim for verdict in verdicts])
    axis.set_xlabel(f"points of {result.score_name}, 95 % interval", fontsize=9)
    axis.set_title(LEGEND, loc="right", fontsize=9)


def _widen_axis(axis: "Axes", low: float, high: float) -> None:
    """Have an axis reach beyond some values: of equal ones matplotlib would show millionths."""
    axis.update_datalim([(low - _MARGIN, 0), (high + _MARGIN, 0)], updatey=False)
    axis.autoscale_view(scaley=False)


def _list_points(verdict: Verdict) -> list[float]:
    return [100 * (figure or 0) for figure in (verdict.gain, verdict.low, verdict.high)]


def _label_rows(axis: "Axes", labels: list[str]) -> None:
    names = [_shorten(label, _LINES) for label in labels]
    axis.set_yticks(range(len(labels)), names, fontsize=8, parse_math=False)
    axis.set_ylim(max(len(labels), 1) - 0.5, -0.5)
    axis.locator_params(axis="x", nbins=_TICKS)


def _shorten(text: str, lines: int) -> str:
    """Return a text on a few lines of limited width."""
    return "\n".join(textwrap.wrap(make_printable_line(text), _LETTERS, max_lines=lines, placeholder=" …"))
