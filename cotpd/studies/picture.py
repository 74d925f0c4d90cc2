"""A study as a picture: the score of each cell with its seeds, and beside it each difference with its interval."""

from pathlib import Path
from typing import TYPE_CHECKING

from cotpd.escaping import make_printable_line
from cotpd.evaluation.plots import COLOURS, make_figure, save_figure
from cotpd.studies.verdict import SIGNIFICANT, StudyResult, Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FAINT = "#cbd5e1"


def draw_study(result: StudyResult, path: Path) -> Path:
    """Draw a study's cells and differences, and return the PNG's path; cells without figures are left out."""
    rows = max(len(result.cells), len(result.verdicts))
    figure, [scores, gains] = make_figure(2, 1.4 + 0.34 * rows)
    _draw_cells(scores, result)
    _draw_verdicts(gains, [verdict for verdict in result.verdicts if verdict.gain is not None], result.score_name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return save_figure(figure, path)


def _draw_cells(axis: "Axes", result: StudyResult) -> None:
    """Draw a dot for each seed and a bar at the mean."""
    cells = [cell for cell in result.cells if cell.f1]
    for row, cell in enumerate(cells):
        colour = COLOURS[cell.model]
        axis.plot([100 * score for score in cell.f1.values()], [row] * len(cell.f1), "o", color=colour, alpha=0.5)
        axis.plot([100 * (cell.mean or 0)], [row], "|", color=colour, markersize=14, markeredgewidth=2.5)
    _label_rows(axis, [cell.name for cell in cells])
    axis.grid(axis="x", color=_FAINT, linewidth=0.5)
    axis.set_xlabel(f"{result.score_name}, percent: seeds and mean", fontsize=9)
    axis.set_title(f"{make_printable_line(result.study)}, {result.split}", loc="left", fontsize=11)


def _draw_verdicts(axis: "Axes", verdicts: list[Verdict], score_name: str) -> None:
    """Draw each difference with its interval, in a strong colour if it is more than chance."""
    axis.axvline(0, color=_FAINT, linewidth=1)
    for row, verdict in enumerate(verdicts):
        is_certain = verdict.p_holm is not None and verdict.p_holm < SIGNIFICANT
        colour = COLOURS["student"] if is_certain else COLOURS["baseline"]
        axis.plot([100 * (verdict.low or 0), 100 * (verdict.high or 0)], [row, row], color=colour, linewidth=2)
        axis.plot([100 * (verdict.gain or 0)], [row], "o", color=colour)
    _label_rows(axis, [verdict.claim for verdict in verdicts])
    axis.set_xlabel(f"points of {score_name}, 95 % interval", fontsize=9)
    axis.set_title("blue: p < 0.05 after Holm", loc="left", fontsize=11)


def _label_rows(axis: "Axes", labels: list[str]) -> None:
    axis.set_yticks(
        range(len(labels)), [make_printable_line(label) for label in labels], fontsize=8, parse_math=False
    )
    axis.set_ylim(max(len(labels), 1) - 0.5, -0.5)
