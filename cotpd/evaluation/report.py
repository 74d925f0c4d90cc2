"""One self-contained HTML page on a run and its results: no scripts, no clock.

Plots are embedded, which makes the page some 300 KB, but it can be mailed, archived and logged as one file; only
its link to the Data Docs leads outside it. Posts, captions and LLM answers are untrusted text: the template
escapes everything that is put into it.
"""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from cotpd.data.records import Kind, Post, Quarantined
from cotpd.escaping import make_printable
from cotpd.evaluation.disagreements import Case, find_disagreements
from cotpd.evaluation.explanation import cut_excerpt, shorten
from cotpd.evaluation.reliability import compute_calibrations
from cotpd.evaluation.results_table import (
    ROWS,
    WORTH,
    Metrics,
    format_gain,
    format_percent,
    group_predictions,
)
from cotpd.evaluation.showcase import Explained, shade_text
from cotpd.files import write_atomically
from cotpd.student.tasks import Prediction, TaskName, find_task

EXAMPLES = 8  # of each sort


@dataclass(frozen=True)
class Material:
    """Everything that the report is made from."""

    task: TaskName
    encoder: str
    """The student's, as it was named."""
    settings: Sequence[tuple[str, Any]]
    """Name and value of each parameter that decides how a run comes out."""
    metrics: Metrics
    predictions: Sequence[Prediction]
    posts: Mapping[str, Sequence[Post]]
    """By split, as prepared."""
    captions: Mapping[str, str] = field(default_factory=dict)
    """Checked ones, by post id."""
    knowledge: Mapping[str, Mapping[Kind, str]] = field(default_factory=dict)
    """Checked answers, by post id."""
    quarantine: Sequence[Quarantined] = ()
    """Of every step."""
    augmented: Mapping[str, Any] = field(default_factory=dict)
    """Counts of the augment step."""
    plots: Sequence[Path] = ()
    """PNG files to embed."""
    explained: Mapping[str, Sequence[Explained]] = field(default_factory=dict)
    """Explained predictions of the student, by why they are shown."""


def write_report(material: Material, path: Path) -> None:
    """Write the page, whole or not at all.

    Raises:
        StorageError: The disk is full.
        DataError: A prediction names an unknown row or split.
    """
    page = render_report(material)
    with write_atomically(path) as partial:
        partial.write_text(page, "utf-8")


def render_report(material: Material) -> str:
    """Return the page as HTML."""
    return (
        _make_environment()
        .get_template("report.html.j2")
        .render(
            task=material.task,
            wording=find_task(material.task),
            encoder=material.encoder,
            rows=ROWS,
            metrics=material.metrics,
            per_type=[_tabulate_types(split, scores) for split, scores in material.metrics.items()],
            data=_count_data(material),
            quarantine=_count_reasons(material.quarantine),
            augmented=_flatten(material.augmented),
            params=material.settings,
            plots=[(path.stem.replace("_", " "), _encode_png(path)) for path in material.plots],
            chosen=_choose_cases(material),
            captions=material.captions,
            knowledge=material.knowledge,
            reliability=[
                (split, compute_calibrations(rows))
                for split, rows in group_predictions(material.predictions).items()
            ],
            explained=material.explained,
        )
    )


def _make_environment() -> Environment:
    """Return Jinja with the template's filters; it escapes everything, and an unknown name is an error."""
    environment = Environment(
        loader=PackageLoader("cotpd.evaluation", "."),
        autoescape=True,
        finalize=make_printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": format_percent, "gain": format_gain, "shorten": shorten}
    environment.globals |= {"excerpt": cut_excerpt, "shades": shade_text, "worth": WORTH}
    return environment


def _tabulate_types(
    split: str, scores: Mapping[str, Any]
) -> tuple[str, list[str], list[tuple[str, int, list[float]]]]:
    """Return a split, the rows' names, and each type with its gold count and its F1 in each row."""
    names = [name for name in ROWS if name in scores]
    per_type = [scores[name]["per_type"] for name in names]
    absent = {"support": 0, "f1": 0.0}
    table = []
    for kind in sorted(set(chain.from_iterable(per_type))):
        cells = [row.get(kind, absent) for row in per_type]
        table.append((kind, max(cell["support"] for cell in cells), [cell["f1"] for cell in cells]))
    return split, [ROWS[name] for name in names], table


def _count_data(material: Material) -> list[dict[str, Any]]:
    """Return one row per split: the number of posts, annotations, pictures, captions and answers."""
    return [
        {
            "split": split,
            "posts": len(posts),
            "entities": sum(len(post.entities) for post in posts),
            "relations": sum(len(post.relations) for post in posts),
            "pictures": sum(post.image is not None for post in posts),
            "captions": sum(post.id in material.captions for post in posts),
            "answers": sum(len(material.knowledge.get(post.id, {})) for post in posts),
        }
        for split, posts in material.posts.items()
    ]


def _count_reasons(rows: Sequence[Quarantined]) -> list[tuple[str, str, int]]:
    """Return step, reason and number of quarantined rows, the most frequent first."""
    counts = Counter((row.step, row.reason) for row in rows)
    by_frequency = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return [(step, reason, count) for (step, reason), count in by_frequency]


def _flatten(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return the leaves of a nested object, each named by its keys with colons between."""
    entries: list[tuple[str, Any]] = []
    for key, member in value.items():
        name = f"{prefix}{key}"
        entries += _flatten(member, f"{name}: ") if isinstance(member, dict) else [(name, member)]
    return entries


def _choose_cases(material: Material) -> list[tuple[str, str, list[Case]]]:
    """Return cases of the last split scored, the one least tuned on: student right, then baseline right."""
    if not material.metrics:
        return []
    split = list(material.metrics)[-1]
    better, worse = find_disagreements(material.predictions, material.posts.get(split, ()), split)
    return [
        ("Student right, baseline wrong", split, better[:EXAMPLES]),
        ("Baseline right, student wrong", split, worse[:EXAMPLES]),
    ]


def _encode_png(path: Path) -> str:
    """Return a PNG as a data URL."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
