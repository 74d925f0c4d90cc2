"""The description of a version's MLflow run, and the data set that MLflow shows as the run's input."""

import json
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cotpd.escaping import escape_markdown
from cotpd.files import compute_sha256
from cotpd.registry.model_card import CARD, CardFacts

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

_CONTEXTS = {"train": "training", "valid": "validation", "test": "testing"}  # MLflow's words for the splits
_DIGEST_LENGTH = 12  # characters of a table's sha256, which MLflow writes behind the name of the data set
_LONGEST_NAME = 500


def build_dataset_inputs(source: str, tables: Sequence[Path]) -> "list[DatasetInput]":
    """Return the data set's splits as MLflow's inputs of a run, each with its digest and its number of posts.

    Args:
        source: The data set's folder or file, as params.yaml names it.
        tables: Prepared tables; those of the three splits are the inputs.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag  # noqa: PLC0415  after connect() has switched off its telemetry

    name = (Path(source).stem or Path(source).resolve().name)[:_LONGEST_NAME]
    inputs = []
    for table in tables:
        if table.stem in _CONTEXTS:
            digest = compute_sha256(table)
            profile = {"split": table.stem, "posts": _count_rows(table), "sha256": digest}
            details = {"source": json.dumps({"uri": source}), "profile": json.dumps(profile)}
            dataset = Dataset(name, digest[:_DIGEST_LENGTH], "local", **details)
            inputs.append(DatasetInput(dataset, [InputTag("mlflow.data.context", _CONTEXTS[table.stem])]))
    return inputs


def describe_run(
    name: str,
    facts: CardFacts | None,
    metrics: Mapping[str, Any],
    tables: Sequence[Path],
    tags: Mapping[str, str],
    score: str,
) -> str:
    """Return the run's description as Markdown: what was trained on what, how well, and where the rest is.

    Args:
        name: The registered model's.
        facts: The facts of its model card.
        metrics: Scores by split and model.
        tables: The prepared tables that it was made from.
        tags: The run's tags; git.commit, git.dirty and seed are read.
        score: The name of the leading score.
    """
    student = f"by a student that becomes a version of {escape_markdown(name)}"
    lines = [f"Text is read {student}."]
    if facts is not None:
        lines = [f"{escape_markdown(facts.title)}, read from text alone {student}."]
        lines += [f"Encoder {escape_markdown(facts.encoder)}."]
        lines += _describe_data(facts.data, tables)
    lines += _describe_source(tags)
    heading = facts.score_headings.get(score, score) if facts else score
    scores = chain.from_iterable(_describe_scores(split, rows, score, heading) for split, rows in metrics.items())
    artifacts = f"all figures (`evaluation/scores.json`), the report (`evaluation/report.html`), `{CARD}`"
    return "\n\n".join([*scores, " ".join(lines), f"Among the artifacts: {artifacts}."])


def _describe_data(source: str, tables: Sequence[Path]) -> list[str]:
    counts = [f"{_count_rows(table)} {table.stem}" for table in tables if table.stem in _CONTEXTS]
    posts = f", posts: {', '.join(counts)}" if counts else ""
    return [f"Data set {escape_markdown(source)}{posts}."]


def _describe_source(tags: Mapping[str, str]) -> list[str]:
    """Return the seed and the commit as sentences."""
    sentences = [f"Seed {escape_markdown(tags['seed'])}."] if "seed" in tags else []
    if commit := tags.get("git.commit"):
        changed = " with uncommitted changes" if tags.get("git.dirty") == "true" else ""
        sentences.append(f"Commit `{commit[:12]}`{changed}.")
    return sentences


def _describe_scores(split: str, rows: Mapping[str, Any], score: str, heading: str) -> list[str]:
    """Return the student's leading score on a split beside the baseline's, and the gain with its interval."""
    if "student" not in rows:
        return []
    text = f"{split}: {heading} of the student **{100 * rows['student'].get(score, rows['student']['f1']):.2f}**"
    if "baseline" in rows:
        text += f", of the baseline {100 * rows['baseline'].get(score, rows['baseline']['f1']):.2f}"
    gain = rows.get("gain", {})
    if "f1" in gain:
        text += f", gain {100 * gain['f1']:+.2f} points"
    if "low" in gain and "high" in gain:
        text += f" (95 % interval {100 * gain['low']:+.2f} to {100 * gain['high']:+.2f})"
    return [f"{text}."]


def _count_rows(table: Path) -> int:
    with table.open("rb") as lines:
        return sum(1 for line in lines if line.strip())
