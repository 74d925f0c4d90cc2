"""The model card of a version: Markdown with a YAML head, as the Hugging Face hub shows it.

It is generated from what the pipeline knows. A section of which nothing is known is left out, so that a gap is
seen and not papered over: :func:`list_missing_sections` names it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from cotpd.escaping import MARK, escape_markdown, make_printable_line

CARD = "MODEL_CARD.md"  # its file in a packed model, and among the artifacts of a version's run
HEAD = "head"  # how list_missing_sections calls the YAML
SECTIONS = (
    "Scores",
    "Scores by type",
    "Scores by slice",
    "Intended use",
    "Limits",
    "Data",
    "Cost",
    "Prompts",
    "Licence",
    "How to reproduce",
)
LONGEST_DESCRIPTION = 5000  # characters that MLflow's database holds
_HEAD_KEYS = ("license", "base_model", "pipeline_tag", "model-index")
_REST = f"\n\nThe whole card is the file {CARD} among the version's artifacts.\n"


class Figure(NamedTuple):
    """F1 of one model on a part of a split (all, type or slice), in [0, 1], with its 95 % interval."""

    split: str
    model: str
    part: str
    name: str
    support: int
    f1: float
    low: float
    high: float


class TableFacts(NamedTuple):
    """A table that the version was made from."""

    name: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class CardFacts:
    """Everything that the card says, apart from what the registration itself finds out.

    Attributes:
        title: The task, such as "Named entities".
        pipeline_tag: The hub's name of the task.
        score: The name of the leading score in the metrics.
        score_headings: The headings of the table of scores, by their names in the metrics.
        labels: Entity types or labels.
        encoder: Its name, or its repository on the hub.
        licence: The licence of the encoder; "" if unknown.
        data: The data set, as params.yaml names it.
        metrics: Scores by split and model.
        figures: The leading score, and F1 of each type, with intervals.
        row_titles: What a reader sees of the models' names in the metrics.
        minimum_support: Gold labels below which a score says next to nothing.
        intended_use: What the model is for.
        limits: What it cannot do.
        tables: What it was made from.
        cost: Name and value of each expense.
        settings: Name and value of each parameter.
        commands: Shell commands that make the model again.
    """

    title: str
    pipeline_tag: str
    labels: Sequence[str]
    encoder: str
    licence: str = ""
    data: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    figures: Sequence[Figure] = ()
    row_titles: Mapping[str, str] = field(default_factory=dict)
    minimum_support: int = 0
    intended_use: str = ""
    limits: Sequence[str] = ()
    tables: Sequence[TableFacts] = ()
    cost: Sequence[tuple[str, str]] = ()
    settings: Sequence[tuple[str, Any]] = ()
    commands: Sequence[str] = ()
    score: str = "f1"
    score_headings: Mapping[str, str] = field(
        default_factory=lambda: {"precision": "precision", "recall": "recall", "f1": "F1"}
    )

    def select_figures(self, part: str) -> list[Figure]:
        """Return the figures of all, of each type or of each slice."""
        return [figure for figure in self.figures if figure.part == part]


def render_card(name: str, facts: CardFacts, tags: Mapping[str, str]) -> str:
    """Return the card of a version.

    Args:
        name: The registered model's.
        facts: What the pipeline knows of it.
        tags: Its run's tags: git.commit, git.dirty, and the version of each prompt (prompt.NAME).
    """
    text = (
        _build_environment()
        .get_template("model_card.md.j2")
        .render(
            name=name,
            headline=_format_headline(facts),
            facts=facts,
            head=_Markup(yaml.safe_dump(_build_head(name, facts), sort_keys=False, allow_unicode=True).rstrip()),
            splits=list(facts.metrics),
            figures={part: facts.select_figures(part) for part in ("all", "type", "slice")},
            prompts={key.removeprefix("prompt."): tags[key] for key in sorted(tags) if key.startswith("prompt.")},
            commit=tags.get("git.commit", ""),
            changed=tags.get("git.dirty") == "true",
            star=_Markup("\\*"),
        )
    )
    # half a surrogate pair, which JSON may hold, could not be written to the file
    return text.encode("utf-8", "replace").decode()


def _format_headline(facts: CardFacts) -> str:
    """Return the leading scores on test, or on the first split, for the heading, which a list of versions shows.

    MLflow's list shows it as it is written: there is no sign in it that needs a backslash.
    """
    split = "test" if "test" in facts.metrics else [*facts.metrics, ""][0]
    rows = facts.metrics.get(split, {})
    if facts.score not in rows.get("student", {}):
        return ""
    headline = f", {facts.score_headings[facts.score]} {100 * rows['student'][facts.score]:.2f} on {split}"
    baseline = rows.get("baseline", {}).get(facts.score)
    return headline if baseline is None else f"{headline}, baseline {100 * baseline:.2f}"


def list_missing_sections(text: str) -> list[str]:
    """Return the required sections that a card lacks or has nothing in; "head" if its YAML lacks a key.

    Args:
        text: The card; "" for a version without one, which lacks all of them.
    """
    head, body = _split_head(text)
    sections = _split_sections(body)
    missing = [] if all(head.get(key) for key in _HEAD_KEYS) else [HEAD]
    return missing + [title for title in SECTIONS if not sections.get(title)]


def shorten_card(text: str, longest: int = LONGEST_DESCRIPTION) -> str:
    """Return a card without its head, and without the last sections where it would be too long for MLflow."""
    _, body = _split_head(text)
    if len(body) <= longest:
        return body
    shortened = ""
    for part in re.split(r"^(?=## )", body, flags=re.MULTILINE):
        if len(shortened) + len(part) + len(_REST) > longest:
            break
        shortened += part
    return shortened.rstrip() + _REST


class _Markup(str):
    """Text that the template writes as it is."""


def _build_environment() -> Environment:
    """Return Jinja with the template's filters; it escapes everything, and an unknown name is an error."""
    environment = Environment(
        loader=PackageLoader("cotpd.registry", "."),
        finalize=lambda value: value if isinstance(value, _Markup) else escape_markdown(str(value)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "percent": lambda share: _Markup(f"{100 * share:.2f}"),
        "code": lambda text: _Markup(make_printable_line(text)),  # in a code block nothing is markup but its end
    }
    return environment


def _build_head(name: str, facts: CardFacts) -> dict[str, Any]:
    """Return the head as the hub reads it; of the scores it has the student's."""
    results = []
    keys = [facts.score, *(key for key in facts.score_headings if key not in (facts.score, "macro_f1"))]
    for split, rows in facts.metrics.items():
        scores = rows.get("student", {})
        metrics = [{"type": key, "name": key, "value": scores[key]} for key in keys if key in scores]
        dataset = {"type": _make_plain(facts.data), "name": _make_plain(facts.data), "split": _make_plain(split)}
        results.append({"task": {"type": facts.pipeline_tag}, "dataset": dataset, "metrics": metrics})
    return {
        "license": _make_plain(facts.licence.lower()),
        "library_name": "cotpd",
        "base_model": _make_plain(facts.encoder),
        "pipeline_tag": facts.pipeline_tag,
        "tags": ["cotpd", "mlflow"],
        "model-index": [{"name": _make_plain(name), "results": results}] if results else [],
    }


def _make_plain(text: str) -> str:
    """Return a text for the head without signs of Markdown or HTML: not every program knows that it is YAML."""
    return re.sub(r"[^\w .,/@+()-]", MARK, text)


def _split_head(text: str) -> tuple[dict[str, Any], str]:
    """Return a card's YAML, empty if it cannot be read, and its Markdown."""
    match = re.match(r"---\n(.*?)\n---\n+", text, re.DOTALL)
    if match is None:
        return {}, text
    try:
        head = yaml.safe_load(match[1])
    except yaml.YAMLError:
        head = None
    return head if isinstance(head, dict) else {}, text[match.end() :]


def _split_sections(body: str) -> dict[str, str]:
    """Return the text below each heading of the second level."""
    _, *pieces = re.split(r"^## +(.*)$", body, flags=re.MULTILINE)
    return {title.strip(): text.strip() for title, text in zip(pieces[::2], pieces[1::2], strict=True)}
