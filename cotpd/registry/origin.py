"""The origin of a version, logged with its run: parameters, scores, digests of the data, commit, prompts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cotpd.files import compute_sha256
from cotpd.passwords import hide_passwords
from cotpd.registry.model_card import CardFacts
from cotpd.registry.prompt_versions import register_prompts
from cotpd.registry.run_description import build_dataset_inputs, describe_run
from cotpd.registry.tracking_store import DESCRIPTION
from cotpd.registry.training_curves import adopt_runs
from cotpd.source_commit import read_source_commit

if TYPE_CHECKING:
    from mlflow import MlflowClient

SCORES = "evaluation/scores.json"  # the artifact with all scores


@dataclass(frozen=True)
class Origin:
    """The parameters, data, trainings and scores behind a version; MLflow keeps them with the version's run.

    Attributes:
        params: All parameters by section; logged flattened.
        metrics: Scores by split and model; logged as an artifact.
        headlines: Those of them that runs are compared by; logged flattened, under the names that DVC shows.
        score: The name of the leading score among them.
        evaluation: Folder with report and plots; logged as artifacts.
        tables: Prepared tables whose sha256 is kept with the run and the version.
        trainings: Fingerprints of trainings by model; their runs are put below this run and named in its tags.
        prompts: The text of each prompt file by its name in MLflow's prompt registry.
        tags: Further tags of the run and the version.
        evidence: Files of the version, beside the student, by which the gate judges what it learnt from.
        card: What the model card says; without it the version has none.
    """

    params: Mapping[str, Any]
    metrics: Mapping[str, Any]
    headlines: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Path | None = None
    tables: Sequence[Path] = ()
    trainings: Mapping[str, str] = field(default_factory=dict)
    prompts: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    evidence: Sequence[Path] = ()
    card: CardFacts | None = None
    score: str = "f1"


def log_origin(
    client: "MlflowClient", experiment: str, run_id: str, name: str, origin: Origin, root: Path
) -> dict[str, str]:
    """Log to the active run what a version is made from; return the run's tags, which the version gets too.

    Args:
        client: A client of the store.
        experiment: Id of the run's experiment.
        run_id: The id of the active run.
        name: The registered model's.
        origin: What the version is made from.
        root: The project's folder.
    """
    import mlflow  # noqa: PLC0415  after connect() has switched off its telemetry

    tags = {f"sha256.{path.name}": compute_sha256(path) for path in origin.tables}
    tags |= _describe_commit(root) | dict(origin.tags)
    tags |= adopt_runs(client, experiment, run_id, origin.trainings)
    tags |= register_prompts(client, origin.prompts)

    description = describe_run(name, origin.card, origin.metrics, origin.tables, tags, origin.score)
    mlflow.set_tags(tags | _name_commit(tags) | {DESCRIPTION: description})
    mlflow.log_params(_flatten(origin.params))
    mlflow.log_metrics(_flatten(origin.headlines))
    if origin.card is not None:
        client.log_inputs(run_id, build_dataset_inputs(origin.card.data, origin.tables))
    mlflow.log_dict(dict(origin.metrics), SCORES)
    if origin.evaluation is not None:
        mlflow.log_artifacts(str(origin.evaluation), "evaluation")
    return tags


def _name_commit(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the commit as MLflow's own tag, which it sets only where it can read the repository itself."""
    return {"mlflow.source.git.commit": tags["git.commit"]} if "git.commit" in tags else {}


def _describe_commit(root: Path) -> dict[str, str]:
    """Return the checkout's commit and whether it had changes, as tags; none outside a git checkout."""
    source = read_source_commit(root)
    return {"git.commit": source.commit, "git.dirty": str(source.is_changed).lower()} if source else {}


def format_headlines(metrics: Mapping[str, Any], score: str) -> dict[str, str]:
    """Return the leading score and the gain of each split in percent, as tags that a listing shows."""
    tags = {}
    for split, rows in metrics.items():
        if "student" in rows:
            tags[f"{score}.{split}"] = f"{100 * rows['student'][score]:.2f}"
        if "gain" in rows:
            tags[f"gain.{split}"] = f"{100 * rows['gain']['f1']:+.2f}"
    return tags


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values under dotted keys, without the passwords of addresses."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        path, shown = f"{prefix}{key}", hide_passwords(value) if isinstance(value, str) else value
        flat |= _flatten(value, f"{path}.") if isinstance(value, Mapping) else {path: shown}
    return flat
