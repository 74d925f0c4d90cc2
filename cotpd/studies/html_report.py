"""The page of a study: question, answer, cells, differences with their intervals, parameters, cost and time.

It is built from the study's result alone, so that the same result gives the same bytes. The time is what its
trainings took when they ran; a cached one says so again.
"""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from cotpd.report.html_page import render_page, write_page
from cotpd.report.plot_figures import Figure, build_differences, build_spreads, find_colour
from cotpd.report.table_writer import Cell, Link, Table
from cotpd.report.what_was_run import format_setting
from cotpd.studies.picture import LEGEND
from cotpd.studies.report_page import (
    begin_sentence,
    format_dollars,
    list_method_notes,
    list_source_tables,
    tabulate_cells,
    tabulate_verdicts,
)
from cotpd.studies.verdict import CellResult, StudyResult, Verdict

SCRIPTS = ("core.js", "plots.js")
TEMPLATE = "study.html.j2"


def write_study_page(result: StudyResult, path: Path) -> None:
    """Write the page of a study, whole or not at all.

    Raises:
        StorageError: The disk is full.
    """
    write_page(render_study_page(result), path)


def render_study_page(result: StudyResult) -> str:
    """Return the page of a study as HTML."""
    figures = _build_figures(result)
    return render_page(
        TEMPLATE,
        SCRIPTS,
        {"figures": figures},
        title=f"CoTPD study: {result.study}",
        result=result,
        figures=[figure["id"] for figure in figures],
        failed=[cell for cell in result.cells if cell.problem],
        cell_table=_link_cells(result),
        verdict_table=tabulate_verdicts(result) if result.verdicts else None,
        sentences=result.list_further_sentences(),
        notes=list_method_notes(result),
        source_tables=list_source_tables(result),
        params_table=_tabulate_params("All cells", result.params),
        cell_params=[
            (_name_anchor(number), _tabulate_params(cell.name, cell.params))
            for number, cell in enumerate(result.cells)
            if cell.params
        ],
        cost_table=_tabulate_cost(result),
    )


def _build_figures(result: StudyResult) -> list[Figure]:
    cells = [cell for cell in result.cells if cell.f1]
    score = result.score_name
    title = f"{begin_sentence(score)} of each cell on {result.split}"
    figures = [build_spreads("cells", title, score, map(_describe_spread, cells))]
    tested = [verdict for verdict in result.verdicts if verdict.gain is not None]
    title = f"Differences in {score} with 95 % intervals; {LEGEND}"
    rows = [_describe_difference(verdict, result.is_certain(verdict)) for verdict in tested]
    figures.append(build_differences("differences", title, score, rows))
    return [figure for figure in figures if figure["rows"]]


def _describe_spread(cell: CellResult) -> tuple[str, Sequence[float], int]:
    return cell.name, [round(100 * score, 4) for score in cell.f1.values()], find_colour(cell.model)


def _describe_difference(verdict: Verdict, is_certain: bool) -> tuple[str, float, float, float, bool]:
    value, low, high = (round(100 * (figure or 0), 4) for figure in (verdict.gain, verdict.low, verdict.high))
    return verdict.claim, value, low, high, is_certain


def _link_cells(result: StudyResult) -> Table:
    """Return the table of cells, each of which leads to its parameters if it changes any."""
    table = tabulate_cells(result)
    rows: list[list[Cell]] = []
    for number, (cell, cells) in enumerate(zip(result.cells, table.rows, strict=True)):
        name: Cell = Link(cell.name, f"#{_name_anchor(number)}") if cell.params else cell.name
        rows.append([name, *cells[1:]])
    return Table(table.headings, rows, texts=table.texts, title=table.title)


def _name_anchor(number: int) -> str:
    return f"cell-{number}"


def _tabulate_params(title: str, params: dict[str, Any]) -> Table:
    rows = [[name, format_setting(value)] for name, value in params.items()]
    return Table(("parameter", "value"), rows, texts=2, title=title)


def _tabulate_cost(result: StudyResult) -> Table:
    """Return answers, dollars and time of each cell, and of the whole study, in which cells share trainings."""
    rows = [
        [cell.name, f"{cell.answers:,}", _format_price(cell.answers, result), _format_seconds(cell.seconds)]
        for cell in result.cells
        if cell.f1
    ]
    rows.append(["all cells, what they share counted once", "", "", _format_seconds(result.seconds)])
    note = "Time of the processes that trained and predicted, one after another, on the machine where they ran."
    return Table(
        ("cell", "answers read", "their price in dollars", "time"), rows, title="Cost and time", note=note
    )


def _format_price(answers: int, result: StudyResult) -> str:
    return format_dollars(None if result.answer_price is None else answers * result.answer_price)


def _format_seconds(seconds: float | None) -> str:
    return "not known" if seconds is None else str(timedelta(seconds=round(seconds)))
