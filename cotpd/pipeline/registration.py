"""Registering the pipeline's student with its parameters, scores, prompts and training runs."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cotpd.config import Params
from cotpd.errors import ModelError
from cotpd.evaluation.results_table import select_headlines
from cotpd.llm.prompts import PromptSet
from cotpd.pipeline.card_facts import gather_card_facts
from cotpd.pipeline.workspace import INTERVALS
from cotpd.registry.new_version import RegisteredVersion, register_model
from cotpd.registry.origin import Origin
from cotpd.registry.pack import Interface
from cotpd.registry.prompt_versions import build_prompt_name
from cotpd.student.checkpoint import read_fingerprint
from cotpd.student.tasks import find_task


def register_student(
    params: Params,
    student: Path,
    metrics: Mapping[str, Any],
    *,
    evaluation: Path | None = None,
    tables: Sequence[Path] = (),
    trained: Sequence[Path] = (),
    cost: Sequence[tuple[str, str]] = (),
    tags: Mapping[str, str] | None = None,
    evidence: Sequence[Path] = (),
    root: Path = Path(),
) -> RegisteredVersion:
    """Register a trained student as a new version, and give it ``params.register.alias``.

    Args:
        params: All of params.yaml.
        student: The trained student's folder.
        metrics: The scores that :func:`cotpd.evaluation.results_table.compute_metrics` returns.
        evaluation: Folder with report, plots and intervals.
        tables: Prepared tables whose sha256 is kept with the run and the version.
        trained: Folders of models whose training runs are put below the version's run.
        cost: What the answers behind it cost, for the model card.
        tags: Further tags of the run and the version.
        evidence: Files of :func:`cotpd.pipeline.version_evidence.write_evidence`, which the gate reads.
        root: The project's folder, where a SQLite store lies.

    Raises:
        ModelError: The student's folder is missing, or MLflow refuses.
        DataError: The student's card or the table of intervals cannot be read.
        ConfigError: A prompt set cannot be used.
    """
    if not student.is_dir():
        raise ModelError(f"{student}: there is no such folder", "Train the student first: dvc repro train.")
    task = find_task(params.task)
    interface = Interface(task.example_row, task.output_columns, task.output_list)
    origin = Origin(
        params=params.model_dump(mode="json", by_alias=True),
        metrics=metrics,
        headlines=select_headlines(dict(metrics), params.task),
        score=task.score_key,
        evaluation=evaluation,
        tables=tables,
        trainings=read_fingerprints(trained),
        prompts=read_prompts(params),
        tags=_describe_training(params, tables) | dict(tags or {}),
        evidence=evidence,
        card=gather_card_facts(
            params,
            metrics,
            student=student,
            intervals=evaluation / INTERVALS if evaluation else None,
            tables=tables,
            cost=cost,
        ),
    )
    return register_model(student, params.registered_name, interface, origin, params.register_, root)


def _describe_training(params: Params, tables: Sequence[Path]) -> dict[str, str]:
    """Return the tags by which a listing tells versions apart: data set, training posts, seed."""
    tags = {"data.path": params.data.path, "seed": str(params.seed)}
    for table in tables:
        if table.name == "train.jsonl":
            with table.open("rb") as lines:
                tags["posts.train"] = str(sum(1 for _ in lines))
    return {name: tag for name, tag in tags.items() if tag}


def read_prompts(params: Params) -> dict[str, str]:
    """Return the text of each prompt file that a run's parameters use, by its name in MLflow's prompt registry.

    Raises:
        ConfigError: A prompt set cannot be used.
    """
    texts = {}
    for name, kinds in ((params.ask.prompts, params.ask.kinds), (params.augment.prompts, params.augment.kinds)):
        prompt_set = PromptSet.load(name, kinds)
        for kind in kinds:
            text = prompt_set.prompts[kind].path.read_text("utf-8-sig")
            texts[build_prompt_name(prompt_set.folder.name, kind)] = text
    return texts


def read_fingerprints(folders: Iterable[Path]) -> dict[str, str]:
    """Return the fingerprint of each model's training by the model's name; folders without one are left out."""
    fingerprints = {_name_model(folder): read_fingerprint(folder) for folder in folders}
    return {name: fingerprint for name, fingerprint in fingerprints.items() if fingerprint}


def _name_model(folder: Path) -> str:
    """Return a model's name from its folder: models/teachers/0, models/control/student, models/baseline."""
    if folder.name.isdigit():
        return f"teacher {folder.name}"
    return folder.parent.name if folder.parent.name == "control" else folder.name
