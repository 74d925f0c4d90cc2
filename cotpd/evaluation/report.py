"""One self-contained HTML page on what was run and how it came out: no scripts, no clock.

Plots are embedded, which makes the page some 300 KB, but it can be mailed, archived and logged as one file; only
its link to the Data Docs leads outside it. Posts, captions and LLM answers are untrusted text: the template
escapes everything that is put into it.
"""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cotpd.config import Params
from cotpd.data.records import Kind, Post, Prediction, Quarantined
from cotpd.escaping import printable
from cotpd.evaluation.calibration import reliabilities
from cotpd.evaluation.cases import Case, cases
from cotpd.evaluation.compare import ROWS, Metrics, gain_cells, grouped, percent
from cotpd.evaluation.explanation import excerpt, shorten
from cotpd.evaluation.showcase import Explained, shades

# What decides the outcome. Batch sizes of the captioner, time-outs and the like are left out on purpose: they do
# not make the evaluation run again, and the page would show stale values.
SHOWN = {
    "data": ("format", "limit"),
    "caption": ("backend", "model"),
    "llm": ("model", "temperature", "seed"),
    "ask": ("kinds", "prompts", "max_tokens"),
    "augment": ("kinds", "share", "prompts"),
    "student": None,
    "baseline": None,
    "train": None,
    "distil": None,
}
EXAMPLES = 8  # of each sort


@dataclass(frozen=True)
class Material:
    """All that the report tells of."""

    params: Params
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
    """Write the page, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_text(render(material), "utf-8")
    partial.replace(path)


def render(material: Material) -> str:
    """The page as HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("cotpd.evaluation", "."),
        autoescape=True,
        finalize=printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "gain": gain_cells, "shorten": shorten}
    environment.globals |= {"excerpt": excerpt, "shades": shades}
    return environment.get_template("report.html.j2").render(
        task=material.params.task,
        encoder=material.params.student.encoder,
        rows=ROWS,
        metrics=material.metrics,
        per_type=[_per_type(split, found) for split, found in material.metrics.items()],
        data=_data(material),
        quarantine=_quarantine(material.quarantine),
        augmented=_flat(material.augmented),
        params=_params(material.params),
        plots=[(path.stem.replace("_", " "), _data_uri(path)) for path in material.plots],
        chosen=_chosen(material),
        captions=material.captions,
        knowledge=material.knowledge,
        reliability=[
            (split, reliabilities(rows, material.params.task))
            for split, rows in grouped(material.predictions).items()
        ],
        explained=material.explained,
    )


def _per_type(split: str, found: Mapping[str, Any]) -> tuple[str, list[str], list[tuple[str, int, list[float]]]]:
    """Of one split: the rows' names, then each type with its gold count and its F1 in each row."""
    shown = [found[name]["per_type"] for name in ROWS if name in found]
    nothing = {"support": 0, "f1": 0.0}
    table = []
    for kind in sorted({kind for one in shown for kind in one}):
        scores = [one.get(kind, nothing) for one in shown]
        table.append((kind, max(one["support"] for one in scores), [one["f1"] for one in scores]))
    return split, [ROWS[name] for name in ROWS if name in found], table


def _data(material: Material) -> list[dict[str, Any]]:
    """One row per split: posts, what is annotated, pictures, captions and answers."""
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


def _quarantine(rows: Sequence[Quarantined]) -> list[tuple[str, str, int]]:
    """Step, reason and number of rows, the most frequent first."""
    found = Counter((row.step, row.reason) for row in rows)
    return [(step, why, n) for (step, why), n in sorted(found.items(), key=lambda one: (-one[1], one[0]))]


def _params(params: Params) -> list[tuple[str, Any]]:
    values = params.model_dump(mode="json", by_alias=True)
    found = [("task", params.task), ("seed", params.seed)]
    for section, keys in SHOWN.items():
        found += [(f"{section}.{key}", values[section][key]) for key in keys or values[section]]
    return [(name, ", ".join(map(str, v)) if isinstance(v, list) else v) for name, v in found]


def _flat(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, one in value.items():
        found += _flat(one, f"{prefix}{key}: ") if isinstance(one, dict) else [(f"{prefix}{key}", one)]
    return found


def _chosen(material: Material) -> list[tuple[str, str, list[Case]]]:
    """Examples of the last split scored, the one least tuned on: better, then worse than the baseline."""
    if not material.metrics:
        return []
    split = list(material.metrics)[-1]
    better, worse = cases(material.predictions, material.posts.get(split, ()), split, material.params.task)
    return [
        ("Student right, baseline wrong", split, better[:EXAMPLES]),
        ("Baseline right, student wrong", split, worse[:EXAMPLES]),
    ]


def _data_uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
