"""`cotpd compare`: several runs of the pipeline that differ in the seed, as one result."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cotpd.cli.output import console, json_text, show

if TYPE_CHECKING:
    from cotpd.evaluation.multi_seed import Comparison, Spread

HEADINGS = ("split", "row", "F1, mean ± deviation", "each seed", "gain", "95 % interval", "p", "recovered")


def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Evaluation folders, or predictions.jsonl files, a run each.")
    ],
    resamples: Annotated[int, typer.Option(min=100, help="Bootstrap resamples of the posts.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Seeds the bootstrap.")] = 13,
    markdown: Annotated[bool, typer.Option("--markdown", help="A Markdown table.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, F1 in [0, 1].")] = False,
) -> None:
    """Compare runs of the pipeline that differ only in the seed.

    p is two-sided, from resamples of the posts (paired bootstrap);
    recovered is the share of the knowledge view's gain that the student brings home.

    \b
    Example:
      mkdir -p runs
      for s in 1 2 3 4 5; do dvc exp run -S seed=$s && cp -r reports/evaluation runs/$s; done
      cotpd compare runs/*
    """
    from cotpd.evaluation.multi_seed import compare_seeds, read_runs

    found = compare_seeds(read_runs(runs), seed=seed, resamples=resamples)
    if as_json:
        show(json_text({split: _as_dict(one) for split, one in found.items()}, indent=2))
    elif markdown:
        lines = [HEADINGS, ["---", "---", *["---:"] * (len(HEADINGS) - 2)], *_cells(found)]
        show("\n".join("| " + " | ".join(line) + " |" for line in lines))
    else:
        _print(found)


def _print(found: "dict[str, Comparison]") -> None:
    from rich.table import Column, Table

    table = Table(
        *(Column(name, no_wrap=True, justify="right" if n > 1 else "left") for n, name in enumerate(HEADINGS))
    )
    for cells in _cells(found):
        table.add_row(*cells)
    console(width=140).print(table)


def _cells(found: "dict[str, Comparison]") -> list[list[str]]:
    from cotpd.evaluation.results_table import ROWS, format_percent

    rows = []
    for split, one in found.items():
        for name, spread in one.rows.items():
            each = "the same" if spread.shared else " ".join(format_percent(value) for value in spread.each)
            rows.append(
                [split, ROWS[name], _spread(spread), each, *(_gain(one) if name == "student" else [""] * 4)]
            )
    return rows


def _gain(one: "Comparison") -> list[str]:
    if one.gain is None or one.low is None or one.high is None:
        return [""] * 4
    interval = f"{100 * one.low:+.2f} to {100 * one.high:+.2f}"
    recovered = "" if one.recovered is None else f"{100 * one.recovered:.0f} %"
    return [_spread(one.gain, "+"), interval, f"{one.p_value:.4f}", recovered]


def _spread(spread: "Spread", sign: str = "") -> str:
    mean = f"{100 * spread.mean:{sign}.2f}"
    return mean if spread.deviation is None else f"{mean} ± {100 * spread.deviation:.2f}"


def _as_dict(one: "Comparison") -> dict[str, Any]:
    def figures(spread: "Spread") -> dict[str, Any]:
        return {"mean": spread.mean, "deviation": spread.deviation, "each": spread.each}

    rows = {name: figures(spread) for name, spread in one.rows.items()}
    return asdict(one) | {"rows": rows, "gain": figures(one.gain) if one.gain else None}
