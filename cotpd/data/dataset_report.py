"""What `cotpd data check` says of a data set: a table of its splits, oddities that were kept, rows refused."""

from typing import Any

from rich.table import Table

from cotpd.data.load import Dataset
from cotpd.data.records import Quarantined
from cotpd.escaping import printable_line

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


def report(dataset: Dataset) -> dict[str, Any]:
    """Everything that the check found, as a JSON value."""
    return {
        **dataset.stats,
        "types": list(dataset.types),
        "labels": list(dataset.labels),
        "problems": [row.model_dump(exclude={"step", "row"}) for row in dataset.quarantine],
    }


def summary_table(dataset: Dataset) -> Table:
    """A column for each split; entity types and relation labels indented below their sums."""
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
    return table


def _add_names(table: Table, splits: dict[str, Any], key: str, names: tuple[str, ...]) -> None:
    for name in names:
        table.add_row(
            f"  {printable_line(name)}",
            *(f"{counts[key].get(name, 0):,}" for counts in splits.values()),
            style="dim",
        )


def companion_lines(dataset: Dataset) -> list[str]:
    """A line each on the captions and answers that came in files of their own."""
    return [
        f"{what}: "
        + ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in dataset.stats[what].items())
        for what in ("captions", "answers")
        if what in dataset.stats
    ]


def problem_line(row: Quarantined) -> str:
    """One refused row: where, why, and what would mend it."""
    return f"{row.file}:{row.line}: {row.reason}" + (f" ({row.remedy})" if row.remedy else "")
