"""`cotpd compare`: several runs of the pipeline that differ in the seed, as one result."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cotpd.cli.output import build_console, format_json, show
from cotpd.evaluation.multi_seed import Comparison, MeanGain, Spread, compare_seeds, name_score, read_runs
from cotpd.evaluation.results_table import GAIN_ROWS, ROWS, format_percent
from cotpd.evaluation.significance import RESAMPLES, SEED
from cotpd.report.table_writer import Table, build_rich, write_markdown

HEADINGS = (
    "split",
    "row",
    "{score}, mean ± deviation",
    "each seed",
    "gain",
    "95 % interval",
    "p",
    "p, randomised",
    "95 %, seeds drawn too",
    "recovered",
)
NO_GAIN = [""] * 6


def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Evaluation folders, or predictions.jsonl files, a run each.")
    ],
    resamples: Annotated[int, typer.Option(min=100, help="Bootstrap resamples of the posts.")] = RESAMPLES,
    seed: Annotated[int, typer.Option(help="Seeds the bootstrap.")] = SEED,
    markdown: Annotated[bool, typer.Option("--markdown", help="A Markdown table.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, F1 in [0, 1].")] = False,
) -> None:
    """Compare runs of the pipeline that differ only in the seed.

    p is two-sided, from resamples of the posts (paired bootstrap); approximate randomisation checks it.
    The second interval draws the seeds, too.
    Recovered is the share of the knowledge view's gain that the student brings home.
    Runs with a control (control.enabled) also say what the knowledge itself is worth,
    runs with the language model alone (llm_row.enabled) what the student gains over it.

    \b
    Example:
      mkdir -p runs
      for s in 1 2 3 4 5; do dvc exp run -S seed=$s && cp -r reports/evaluation runs/$s; done
      cotpd compare runs/*
    """
    predictions = read_runs(runs)
    comparisons, score_name = compare_seeds(predictions, seed=seed, resamples=resamples), name_score(predictions)
    if as_json:
        figures = {split: _build_json(comparison) for split, comparison in comparisons.items()}
        show(format_json(figures, indent=2))
    elif markdown:
        show(write_markdown(_build_table(comparisons, score_name)))
    else:
        build_console(width=180).print(build_rich(_build_table(comparisons, score_name)))


def _build_table(comparisons: Mapping[str, Comparison], score_name: str) -> Table:
    """Build the table, a row for each split and model."""
    headings = [heading.format(score=score_name) for heading in HEADINGS]
    return Table(headings, _list_rows(comparisons), texts=2, strong=frozenset({ROWS["student"]}))


def _list_rows(comparisons: Mapping[str, Comparison]) -> list[list[str]]:
    """Return the cells below :data:`HEADINGS`: a row for each split and model, the gain in the student's."""
    rows = []
    for split, comparison in comparisons.items():
        for name, spread in comparison.rows.items():
            scores = "the same" if spread.shared else " ".join(format_percent(score) for score in spread.each)
            gain = comparison.gain if name == "student" else None
            recovered = comparison.recovered if gain else None
            rows.append([split, ROWS[name], _format_spread(spread), scores, *_list_gain_cells(gain, recovered)])
        for key, title in GAIN_ROWS.items():
            if key in comparison.gains:
                rows.append([split, title, "", "", *_list_gain_cells(comparison.gains[key])])
    return rows


def _list_gain_cells(gain: MeanGain | None, recovered: float | None = None) -> list[str]:
    """Return gain, interval, p and share recovered; empty cells where there is no gain."""
    if gain is None:
        return NO_GAIN
    over_posts, over_both = (_format_interval(*ends) for ends in ((gain.low, gain.high), gain.over_seeds))
    p_values = [f"{p_value:.4f}" for p_value in (gain.p_value, gain.p_randomised)]
    share = "" if recovered is None else f"{100 * recovered:.0f} %"
    return [_format_spread(gain.spread, "+"), over_posts, *p_values, over_both, share]


def _format_interval(low: float, high: float) -> str:
    return f"{100 * low:+.2f} to {100 * high:+.2f}"


def _format_spread(spread: Spread, sign: str = "") -> str:
    """Format mean and standard deviation in percent; a single run has no deviation."""
    mean = f"{100 * spread.mean:{sign}.2f}"
    return mean if spread.deviation is None else f"{mean} ± {100 * spread.deviation:.2f}"


def _build_json(comparison: Comparison) -> dict[str, Any]:
    """Return what `--json` prints of one split, F1 in [0, 1]."""

    def build_figures(spread: Spread) -> dict[str, Any]:
        return {"mean": spread.mean, "deviation": spread.deviation, "each": spread.each}

    def build_gain(gain: MeanGain | None) -> dict[str, Any]:
        names = ("low", "high", "p_value", "p_randomised", "over_seeds")
        test = {name: getattr(gain, name) if gain else None for name in names}
        return {"gain": build_figures(gain.spread) if gain else None, **test}

    rows = {name: build_figures(spread) for name, spread in comparison.rows.items()}
    figures = {"rows": rows, "recovered": comparison.recovered, "knowledge_gain": None}
    figures |= {key: build_gain(gain) for key, gain in comparison.gains.items()}
    return figures | build_gain(comparison.gain)
