"""How many labels do posts without labels replace? Read off the curve of F1 over labels that a study has measured.

Trade-off: the curve is drawn through the means, straight between two shares of the labels on a logarithmic scale.
That is one number for a reader who decides what to pay for, and it has no interval; the differences have.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from cotpd.studies.study import Cell, Study
from cotpd.studies.verdict import CellResult, Exchange


def compute_exchanges(study: Study, cells: Sequence[CellResult], answer_price: float | None) -> list[Exchange]:
    """Return an exchange for each cell whose other training posts stay as unlabelled ones.

    It is compared with the cells that differ in nothing but the share of labels and drop the other posts: one of
    its own share, and at least one of a larger share.

    Args:
        study: The study.
        cells: Its rows.
        answer_price: Dollars that an answer costs, if it is known.
    """
    rows = {row.name: row for row in cells if row.mean is not None}
    exchanges = []
    for cell in study.cells:
        if cell.name not in rows or study.list_changes(cell).remainder != "unlabelled":
            continue
        curve = sorted((rows[name] for name in _list_curve(study, cell) if name in rows), key=_get_labelled)
        same = [row for row in curve if row.labelled == rows[cell.name].labelled]
        if same and len(curve) > 1:
            exchanges.append(_compute_exchange(rows[cell.name], same[0], curve, answer_price))
    return exchanges


def _get_labelled(row: CellResult) -> int:
    return row.labelled


def _list_curve(study: Study, cell: Cell) -> list[str]:
    """Return the names of the cells that differ in the share of labels alone, and drop the other posts."""
    sought = _describe(study, cell, "unlabelled")
    return [row.name for row in study.cells if _describe(study, row, "dropped") == sought]


def _describe(study: Study, cell: Cell, remainder: str) -> object:
    """Return what a cell is, but for its name and labels; None if it treats the other posts in another way."""
    changes = study.list_changes(cell)
    if changes.remainder != remainder:
        return cell.name, remainder
    data = changes.model_dump(exclude={"labels", "remainder"})
    return cell.model_dump(exclude={"name", "data"}), data


def _compute_exchange(
    row: CellResult, base: CellResult, curve: Sequence[CellResult], answer_price: float | None
) -> Exchange:
    further = row.answers - base.answers
    labels = _find_labels(row.mean or 0.0, [cell for cell in curve if cell.labelled >= base.labelled])
    return Exchange(
        cell=row.name,
        labelled=row.labelled,
        posts=row.unlabelled - base.unlabelled,
        labels=None if labels is None else labels - base.labelled,
        dollars=None if answer_price is None else round(further * answer_price, 6),
    )


def _find_labels(f1: float, curve: Sequence[CellResult]) -> float | None:
    """Return with how many labels the curve first reaches an F1; None if it never does."""
    if f1 <= (curve[0].mean or 0.0):
        return float(curve[0].labelled)
    for left, right in pairwise(curve):
        low, high = left.mean or 0.0, right.mean or 0.0
        if high >= f1:
            share = (f1 - low) / (high - low)
            return math.exp(math.log(left.labelled) + share * math.log(right.labelled / left.labelled))
    return None
