"""A study's result for people: tables in Markdown and for the terminal, and the sentences below them."""

from decimal import Decimal
from pathlib import Path
from statistics import mean, stdev

from cotpd.escaping import escape_markdown
from cotpd.evaluation.diagnoses.diagnosis import format_points
from cotpd.evaluation.results_table import format_p, format_percent
from cotpd.files import write_atomically
from cotpd.report.table_writer import Table, write_markdown
from cotpd.report.what_was_run import format_setting
from cotpd.studies.verdict import CellResult, StudyResult, Verdict

CELL_HEADINGS = (
    "cell",
    "model",
    "sees at test time",
)
VERDICT_HEADINGS = (
    "difference",
    "first",
    "second",
)
TESTS = ("95 % interval", "p", "p, randomised", "p, Holm")


def tabulate_cells(result: StudyResult) -> Table:
    """Return the cells as a table, a row a cell."""
    rows = [
        [cell.name, cell.model, cell.sees, *_format_scores(cell), _format_counts(cell)] for cell in result.cells
    ]
    score = result.score_name
    headings = (*CELL_HEADINGS, f"{score}, mean ± deviation", "each seed", "labels / unlabelled / answers")
    return Table(headings, rows, texts=3, title=f"Cells on {result.split}, {score} in percent")


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
    points = f"points of {result.score_name}"
    return Table((*VERDICT_HEADINGS, points, *TESTS), rows, texts=3, title=f"Differences in {points}")


def _format_figures(verdict: Verdict) -> list[str]:
    if verdict.gain is None or verdict.low is None or verdict.high is None:
        return [f"not tested: {verdict.problem}", "", "", "", ""]
    p_values = (verdict.p_value, verdict.p_randomised, verdict.p_holm)
    interval = f"{format_points(verdict.low)} to {format_points(verdict.high)}"
    cells = ["" if value is None else format_p(value).removeprefix("= ") for value in p_values]
    return [format_points(verdict.gain), interval, *cells]


def tabulate_agreements(result: StudyResult) -> Table:
    """Return how far the answers of compared cells agree, a row a pair; without rows if no source was compared."""
    rows = []
    for pair in result.agreements:
        shares = [format_percent(share) for share in (pair.words, pair.by_chance, pair.corrected)]
        interval = f"{format_percent(pair.low)} to {format_percent(pair.high)}"
        kappas = [_format_kappa(pair.naming, pair.mentions), _format_kappa(pair.typing, pair.named_by_both)]
        rows.append([pair.first, pair.second, str(pair.posts), *shares, interval, *kappas])
    headings = (
        "first",
        "second",
        "posts",
        "words shared",
        "by chance",
        "beyond chance",
        "95 % interval",
        "kappa, named",
        "kappa, sort",
    )
    note = "Words in percent. Kappa: whether a mention is named, and its sort where both name it (mentions)."
    return Table(headings, rows, texts=2, title="Agreement of the answers", note=note)


def _format_kappa(kappa: float | None, mentions: int) -> str:
    return f"{'not stated' if kappa is None else f'{kappa:.2f}'} ({mentions})"


def tabulate_exchanges(result: StudyResult) -> Table:
    """Return what posts without labels are worth in labels, a row a cell; no rows if no curve was measured."""
    rows = []
    for exchange in result.exchanges:
        labels = "more than were measured" if exchange.labels is None else f"{exchange.labels:,.1f}"
        labels = "none" if exchange.labels == 0 else labels
        rate = f"{exchange.posts / exchange.labels:.1f}" if exchange.labels else ""
        counts = [str(exchange.labelled), str(exchange.posts)]
        rows.append([exchange.cell, *counts, labels, rate, format_dollars(exchange.dollars)])
    headings = (
        "cell",
        "labelled",
        "further posts without labels",
        "labels that they replace",
        "posts a label",
        "price of their answers in dollars",
    )
    note = f"Read off the means of {result.score_name} over labels, without an interval."
    return Table(headings, rows, title="Posts without labels, in labels", note=note)


def format_dollars(price: float | None) -> str:
    """Return a price with four places; one that is smaller is not written as nothing."""
    if price is None:
        return "not known"
    return "< 0.0001" if 0 < price < 0.0001 else f"{price:,.4f}"


def list_source_tables(result: StudyResult) -> list[Table]:
    """Return the tables on the answers' sources and on posts without labels, as far as the study has them."""
    return [table for table in (tabulate_agreements(result), tabulate_exchanges(result)) if table.rows]


def list_notes(result: StudyResult) -> list[str]:
    """Return the sentences below the tables: problems, the method, diagnoses."""
    return [
        *(f"{cell.name}: {cell.problem.rstrip('.')}." for cell in result.cells if cell.problem),
        *list_method_notes(result),
        *(f"{finding.title}. {finding.evidence} {finding.remedy}" for finding in result.diagnoses),
    ]


def list_method_notes(result: StudyResult) -> list[str]:
    """Return the sentences on the method: what was drawn, corrected, and what a single seed cannot say."""
    count = sum(verdict.gain is not None for verdict in result.verdicts)
    notes = [
        f"{_name_score(result)} on {_count_posts(result)} of {result.split}, encoder {result.encoder}; "
        f"{'seed' if len(result.seeds) == 1 else 'seeds'} {', '.join(map(str, result.seeds))}.",
        f"Intervals and p: paired bootstrap over {_name_draws(result)}. p, randomised: approximate randomisation, "
        f"as a cross-check. p, Holm: the bootstrap's, corrected for the {count} differences of this study.",
    ]
    if result.agreements:
        notes.append(_describe_spread(result))
    if result.answer_price is None:
        notes.append("No price is known for the model that gave the answers, so that no cost is stated.")
    else:
        price = Decimal(f"{result.answer_price:.3g}")  # an answer of a small model costs 0.00001, and not 1e-05
        notes.append(f"An answer costs ${price:,f}, by the ledger's tokens and the price file.")
    if len(result.seeds) == 1:
        notes.append("One seed: the intervals say nothing about another training. Three seeds say more.")
    return notes


def _name_score(result: StudyResult) -> str:
    """Return the score's name at the beginning of a sentence."""
    return "Micro F1" if result.score_name == "F1" else begin_sentence(result.score_name)


def begin_sentence(text: str) -> str:
    """Return a text with a capital at its beginning, the rest as it is."""
    return text[:1].upper() + text[1:]


def _describe_spread(result: StudyResult) -> str:
    """Return how far the score spreads over the compared sources of answers, and over the seeds of one source."""
    score = begin_sentence(result.score_name)
    names = {agreement.first for agreement in result.agreements}
    names |= {agreement.second for agreement in result.agreements}
    cells = [cell for cell in result.cells if cell.name in names]
    means = [cell.mean for cell in cells if cell.mean is not None]
    if len(means) < 2:
        return f"{score} of one source of answers alone: nothing is known of its spread over sources."
    variances = [cell.deviation**2 for cell in cells if cell.deviation is not None]
    seeds = f"; over the seeds of one source {100 * mean(variances) ** 0.5:.2f}" if variances else ""
    return (
        f"{score} over {len(means)} sources of answers: {format_percent(min(means))} to "
        f"{format_percent(max(means))}, standard deviation {100 * stdev(means):.2f}{seeds}."
    )


def _count_posts(result: StudyResult) -> str:
    """Return the number of test posts; cells on several data sets have several."""
    counts = sorted({cell.posts for cell in result.cells if cell.f1})
    return f"{' or '.join(map(str, counts)) or 'no'} post{'s' * (counts != [1])}"


def _name_draws(result: StudyResult) -> str:
    return "posts and seeds" if len(result.seeds) > 1 else "posts alone"


def render_markdown(result: StudyResult, picture: str) -> str:
    """Return the result as a page in Markdown.

    Args:
        result: The result.
        picture: The picture's file, as the page names it.
    """
    tables = [tabulate_cells(result)] + [tabulate_verdicts(result)] * bool(result.verdicts)
    sentences = [f"- {escape_markdown(sentence)}" for sentence in result.list_further_sentences()]
    changes = ", ".join(f"{name}: {format_setting(value)}" for name, value in result.params.items())
    parts = [
        f"# {escape_markdown(result.study)}",
        f"{escape_markdown(result.question)} **{escape_markdown(result.answer)}**",
        *map(_write_titled, tables),
        "\n".join(sentences),
        *map(_write_titled, list_source_tables(result)),
        f"![{begin_sentence(result.score_name)} of each cell, and the differences]({picture})",
        "\n\n".join(map(escape_markdown, list_notes(result))),
        escape_markdown(f"All cells: {changes}.") if changes else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _write_titled(table: Table) -> str:
    """Return a table in Markdown below its title, with its note."""
    parts = (f"## {escape_markdown(table.title)}", write_markdown(table), escape_markdown(table.note))
    return "\n\n".join(part for part in parts if part)


def write_page(result: StudyResult, path: Path, picture: str) -> None:
    """Write the page."""
    with write_atomically(path) as partial:
        partial.write_text(render_markdown(result, picture), "utf-8")
