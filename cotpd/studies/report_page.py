"""A study's result for people: tables in Markdown and for the terminal, and the sentences below them."""

from pathlib import Path
from statistics import stdev

from cotpd.escaping import escape_markdown
from cotpd.evaluation.diagnoses.diagnosis import format_points
from cotpd.evaluation.results_table import format_p, format_percent
from cotpd.files import write_atomically
from cotpd.report.table_writer import Table, write_markdown
from cotpd.studies.answer_agreement import describe_agreement
from cotpd.studies.exchange import describe_exchange
from cotpd.studies.verdict import CellResult, StudyResult, Verdict, describe_verdict

CELL_HEADINGS = (
    "cell",
    "model",
    "sees at test time",
    "labels / unlabelled / answers",
    "F1, mean ± deviation",
    "each seed",
)
VERDICT_HEADINGS = (
    "difference",
    "first",
    "second",
    "points of F1",
    "95 % interval",
    "p",
    "p, randomised",
    "p, Holm",
)


def tabulate_cells(result: StudyResult) -> Table:
    """Return the cells as a table, a row a cell."""
    rows = [
        [cell.name, cell.model, cell.sees, _format_counts(cell), *_format_scores(cell)] for cell in result.cells
    ]
    return Table(CELL_HEADINGS, rows, texts=3, title=f"Cells on {result.split}, F1 in percent")


def _format_counts(cell: CellResult) -> str:
    return f"{cell.labelled} / {cell.unlabelled} / {cell.answers}"


def _format_scores(cell: CellResult) -> list[str]:
    """Return mean and deviation, and each seed; a cell with a problem says so in a word, and a note says why."""
    state = cell.problem.partition(":")[0]
    if cell.mean is None:
        return [state, ""]
    deviation = "" if cell.deviation is None else f" ± {100 * cell.deviation:.2f}"
    seeds = [*map(format_percent, cell.f1.values()), *([f"others {state}"] if state else [])]
    return [format_percent(cell.mean) + deviation, " ".join(seeds)]


def tabulate_verdicts(result: StudyResult) -> Table:
    """Return the differences as a table, a row each."""
    rows = [
        [verdict.claim, verdict.first, verdict.second, *_format_figures(verdict)] for verdict in result.verdicts
    ]
    return Table(VERDICT_HEADINGS, rows, texts=3, title="Differences of F1 in points")


def _format_figures(verdict: Verdict) -> list[str]:
    if verdict.gain is None or verdict.low is None or verdict.high is None:
        return [f"not tested: {verdict.problem}", "", "", "", ""]
    p_values = (verdict.p_value, verdict.p_randomised, verdict.p_holm)
    interval = f"{format_points(verdict.low)} to {format_points(verdict.high)}"
    cells = ["" if value is None else format_p(value).removeprefix("= ") for value in p_values]
    return [format_points(verdict.gain), interval, *cells]


def list_notes(result: StudyResult) -> list[str]:
    """Return the sentences below the tables: what was drawn, corrected, and what a single seed cannot say."""
    problems = [f"{cell.name}: {cell.problem}." for cell in result.cells if cell.problem]
    count = sum(verdict.gain is not None for verdict in result.verdicts)
    notes = [
        *problems,
        *map(describe_exchange, result.exchanges),
        f"{_name_score(result)} on {_count_posts(result)} posts of {result.split}, encoder {result.encoder}; "
        f"seeds {', '.join(map(str, result.seeds))}.",
        f"Intervals and p: paired bootstrap over {_name_draws(result)}. p, randomised: approximate randomisation, "
        f"as a cross-check. p, Holm: the bootstrap's, corrected for the {count} differences of this study.",
    ]
    notes += map(describe_agreement, result.agreements)
    if result.agreements:
        notes.append(_describe_spread(result))
    if result.answer_price is None:
        notes.append("No price is known for the model that gave the answers, so that no cost is stated.")
    else:
        notes.append(f"An answer costs ${result.answer_price:,.3g}, by the ledger's tokens and the price file.")
    notes += [f"{finding.title}. {finding.evidence} {finding.remedy}" for finding in result.diagnoses]
    if len(result.seeds) == 1:
        notes.append("One seed: the intervals say nothing about another training. Three seeds say more.")
    return notes


def _name_score(result: StudyResult) -> str:
    """Return the score's name; micro F1 of classes is their accuracy."""
    return "Micro F1" if result.score_name == "F1" else f"F1 is {result.score_name} here, measured"


def _describe_spread(result: StudyResult) -> str:
    """Return how far F1 spreads over the cells, which differ in the source of their answers."""
    means = [cell.mean for cell in result.cells if cell.mean is not None]
    if len(means) < 2:
        return "F1 of one source of answers alone: nothing is known of its spread over sources."
    deviation = f"standard deviation {100 * stdev(means):.2f}"
    return (
        f"F1 over {len(means)} sources of answers: {format_percent(min(means))} to {format_percent(max(means))}, "
        f"{deviation}."
    )


def _count_posts(result: StudyResult) -> str:
    """Return the number of test posts; cells on several data sets have several."""
    counts = sorted({cell.posts for cell in result.cells if cell.f1})
    return " or ".join(map(str, counts)) or "no"


def _name_draws(result: StudyResult) -> str:
    return "posts and seeds" if len(result.seeds) > 1 else "posts alone"


def render_markdown(result: StudyResult, picture: str) -> str:
    """Return the result as a page in Markdown.

    Args:
        result: The result.
        picture: The picture's file, as the page names it.
    """
    sentences = [f"- {describe_verdict(verdict, result)}" for verdict in result.verdicts]
    changes = ", ".join(f"`{name}: {value}`" for name, value in result.params.items())
    parts = [
        f"# {escape_markdown(result.study)}",
        f"{escape_markdown(result.question)} **{escape_markdown(result.answer)}**",
        write_markdown(tabulate_cells(result)),
        write_markdown(tabulate_verdicts(result)) if result.verdicts else "",
        f"![F1 of each cell, and the differences]({picture})",
        "\n".join(map(escape_markdown, sentences)),
        "\n\n".join(map(escape_markdown, list_notes(result))),
        f"All cells: {changes}." if changes else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_page(result: StudyResult, path: Path, picture: str) -> None:
    """Write the page."""
    with write_atomically(path) as partial:
        partial.write_text(render_markdown(result, picture), "utf-8")
