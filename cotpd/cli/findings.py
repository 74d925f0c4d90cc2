"""Printing the findings of the evaluate step beside the scores: diagnoses, and where a row gains."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from rich.table import Column, Table

from cotpd.cli.output import measure_table
from cotpd.data.records import SPLITS, TaskName
from cotpd.escaping import SafeConsole
from cotpd.evaluation.buckets import BUCKETS_FILE, BucketRow, select_certain
from cotpd.evaluation.diagnoses import DIAGNOSES_FILE, Diagnosis
from cotpd.evaluation.json_rows import read_rows
from cotpd.evaluation.results_table import GAINS, Metrics, build_rich_table, format_p

HEADINGS = ("bucket", "posts", "labels", "score", "against", "difference", "95 % interval")


def print_scores(console: SafeConsole, metrics: Metrics, task: TaskName) -> None:
    """Print the results table; on a terminal that is too narrow for it, the leading score alone.

    Figures must not be cut: where even that table is wider, its lines are broken by the terminal.
    """
    table = build_rich_table(metrics, task)
    if console.is_terminal and measure_table(console, table) > console.width:
        table = build_rich_table(metrics, task, leading_only=True)
    console.width = max(console.width, measure_table(console, table))
    console.print(table)


def print_notes(console: SafeConsole, metrics: Metrics) -> None:
    """Print what stands behind the scores: the second test of each gain, and how illegal tags became mentions."""
    for split in sorted(metrics, key=SPLITS.index):
        tests = [
            f"over {reference} p {format_p(metrics[split][key]['p_randomised'])}"
            for key, reference in GAINS.items()
            if "p_randomised" in metrics[split].get(key, {})
        ]
        if tests:
            console.print(f"approximate randomisation, student on {split}: {', '.join(tests)}", soft_wrap=True)
    rows = chain.from_iterable(scores.values() for scores in metrics.values())
    repairs = {str(row["label_repair"]) for row in rows if "label_repair" in row}
    if repairs:
        names = ", ".join(sorted(repairs))
        console.print(f"label repair {names}: an I- that continues nothing opens a mention")


def list_findings(folder: Path, buckets: bool) -> dict[str, list[dict[str, Any]]]:
    """Return the diagnoses of an evaluation, and its buckets if they are wanted, as `--json` prints them.

    Raises:
        DataError: A file was edited to something else, or that of the buckets is missing.
    """
    findings = {"diagnoses": [diagnosis.model_dump() for diagnosis in _read_diagnoses(folder)]}
    if buckets:
        findings["buckets"] = [row.model_dump() for row in read_rows(folder / BUCKETS_FILE, BucketRow)]
    return findings


def _read_diagnoses(folder: Path) -> list[Diagnosis]:
    """Return the diagnoses of an evaluation; evaluations of earlier versions have none."""
    path = folder / DIAGNOSES_FILE
    return read_rows(path, Diagnosis) if path.is_file() else []


def print_diagnoses(console: SafeConsole, folder: Path) -> None:
    """Print what is wrong with the run, each finding with its evidence and its remedy.

    Raises:
        DataError: The file of the diagnoses was edited to something else.
    """
    diagnoses = _read_diagnoses(folder)
    if diagnoses:
        console.print("\ndiagnoses", style="bold")
    for diagnosis in diagnoses:
        console.print(f"- {diagnosis.title} ({diagnosis.split})", style="yellow", soft_wrap=True)
        console.print(f"  {diagnosis.evidence}", soft_wrap=True)
        console.print(f"  {diagnosis.remedy}\n", soft_wrap=True)


def print_buckets(console: SafeConsole, folder: Path) -> None:
    """Print the buckets of the last split of an evaluation, a table a pair of rows, and where the first gains.

    Raises:
        DataError: The file of the buckets is missing, or was edited to something else.
    """
    rows = read_rows(folder / BUCKETS_FILE, BucketRow)
    if not rows:
        console.print("No two rows were scored that could be compared by bucket.")
    splits = [row.split for row in rows]
    last = splits[-1:]  # test, where there is one: nothing is tuned on it
    for pair in dict.fromkeys((row.row, row.against) for row in rows if [row.split] == last):
        members = [row for row in rows if [row.split] == last and (row.row, row.against) == pair]
        console.print(_build_table(members))
        console.print(_describe_certain(members), soft_wrap=True)


def _build_table(rows: Sequence[BucketRow]) -> Table:
    """Build the table of one pair of rows on one split, in percent."""
    first = rows[0]
    columns = (Column(heading, justify="right", no_wrap=True) for heading in HEADINGS[1:])
    title = f"{first.row} over {first.against}, {first.split}"
    table = Table(Column(HEADINGS[0], no_wrap=True), *columns, title=title, title_justify="left")
    previous = ""
    for row in rows:
        if row.by != previous:
            table.add_section()
            table.add_row(row.by, *[""] * 6, style="bold")
            previous = row.by
        figures = (f"{row.score:.2f}", f"{row.score_against:.2f}", f"{row.difference:+.2f}")
        table.add_row(f"  {row.bucket}", str(row.posts), str(row.mentions), *figures, _format_interval(row))
    return table


def _format_interval(row: BucketRow) -> str:
    """Return the interval of a difference, or that the bucket is too small for one."""
    return "too few" if row.low is None or row.high is None else f"{row.low:+.2f} to {row.high:+.2f}"


def _describe_certain(rows: Sequence[BucketRow]) -> str:
    """Return in which buckets the difference is more than luck, as a sentence."""
    certain = select_certain(rows)
    gains = [f"{row.by}: {row.bucket} ({row.difference:+.2f})" for row in certain]
    if not gains:
        return "In no bucket is the difference more than luck, after correction for their number (Holm).\n"
    return f"More than luck, after correction for the number of buckets (Holm): {'; '.join(gains)}.\n"
