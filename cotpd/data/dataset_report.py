"""The report of `cotpd data check` on a data set: a table of its splits, and a line for each refused row."""

from typing import Any

from rich.table import Table

from cotpd.counts import format_count
from cotpd.data.load import Dataset
from cotpd.data.records import Quarantined
from cotpd.escaping import make_printable_line

ROWS = (
    ("posts", "posts"),
    ("tokens", "tokens"),
    ("longest", "longest post, tokens"),
    ("entities", "entities"),
    ("without_entities", "posts without entities"),
    ("relations", "relations"),
    ("name_a_picture", "posts naming a picture"),
    ("picture_at_hand", "pictures at hand"),
    ("with_caption", "posts with caption"),
    ("with_answer", "posts with LLM answer"),
    ("orphan_tags", "orphan I- tags"),
)


def build_report(dataset: Dataset) -> dict[str, Any]:
    """Build the whole report as one JSON value."""
    return {
        **dataset.stats,
        "types": list(dataset.types),
        "labels": list(dataset.labels),
        "classes": list(dataset.classes),
        "problems": [row.model_dump(exclude={"step", "row"}) for row in dataset.quarantine],
    }


def build_table(dataset: Dataset) -> Table:
    """Build a table with a column for each split; types and labels are indented below their sums."""
    splits: dict[str, dict[str, Any]] = dataset.stats["splits"]
    table = Table(title=f"format {dataset.stats['format']}", title_justify="left")
    table.add_column("")
    for split in splits:
        table.add_column(split, justify="right")
    for key, label in ROWS:
        table.add_row(label, *(f"{counts[key]:,}" for counts in splits.values()))
        if key == "entities":
            _add_names(table, splits, "entities_by_type", dataset.types)
        elif key == "relations":
            _add_names(table, splits, "relations_by_label", dataset.labels)
    if dataset.classes:
        labelled = (f"{sum(counts['posts_by_label'].values()):,}" for counts in splits.values())
        table.add_row("posts with a label", *labelled)
        _add_names(table, splits, "posts_by_label", dataset.classes)
    return table


def _add_names(table: Table, splits: dict[str, Any], key: str, names: tuple[str, ...]) -> None:
    for name in names:
        cells = [f"{counts[key].get(name, 0):,}" for counts in splits.values()]
        table.add_row(f"  {make_printable_line(name)}", *cells, style="dim")


def list_companion_lines(dataset: Dataset) -> list[str]:
    """Return a line of counts for captions, answers and corrections, each if it came in a file of its own."""
    lines = []
    for companion in ("captions", "answers"):
        if companion in dataset.stats:
            counts = [f"{count:,} {name.replace('_', ' ')}" for name, count in dataset.stats[companion].items()]
            lines.append(f"{companion}: {', '.join(counts)}")
    if "corrections" in dataset.stats:
        lines.append(_format_corrections(dataset.stats["corrections"]))
    return lines


def _format_corrections(counts: dict[str, Any]) -> str:
    """Format how many posts were corrected, in which splits, and what was refused or left out."""
    splits = ", ".join(f"{split} {count:,}" for split, count in counts["by_split"].items())
    line = f"corrections: {format_count(counts['posts'], 'post')} corrected" + (f" ({splits})" if splits else "")
    line += f", {counts['refused']:,} refused" if counts["refused"] else ""
    relations = format_count(counts["relations_left_out"], "relation")
    return line + (f", {relations} left out with a mention" if counts["relations_left_out"] else "")


def list_word_lines(dataset: Dataset) -> list[str]:
    """Return the rule by which text becomes words, why, and how many mentions each rule can represent."""
    words = dataset.stats["words"]
    by = "auto" if words["setting"] == "auto" else "data.words"
    counts = [f"{rule} {count:,}" for rule, count in words["representable"].items()]
    lines = [f"words: {words['rule']}, chosen by {by}: {words['reason']}"]
    if words["mentions"]:
        lines.append(f"mentions that each rule can represent, of {words['mentions']:,}: {', '.join(counts)}")
    return lines


def format_problem(row: Quarantined) -> str:
    """Format a refused row as one line: file, line, reason and remedy."""
    return f"{row.file}:{row.line}: {row.reason}" + (f" ({row.remedy})" if row.remedy else "")
