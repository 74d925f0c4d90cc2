"""The inputs of a run's diagnoses: rows set aside by step, posts with answers, learning curves."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cotpd.config import Params
from cotpd.evaluation.diagnoses import RunEvidence, SetAside
from cotpd.evaluation.results_table import group_predictions
from cotpd.pipeline.workspace import Workspace
from cotpd.student.tasks import Prediction, find_task


def gather_run_evidence(
    workspace: Workspace,
    params: Params,
    predictions: Sequence[Prediction],
    histories: Mapping[str, Sequence[Mapping[str, Any]]],
) -> RunEvidence:
    """Return the figures by which a run is diagnosed.

    Args:
        workspace: Where its tables lie.
        params: All of params.yaml.
        predictions: Predictions of every row on every split that was scored.
        histories: Epochs by model, as the plots read them.

    Raises:
        DataError: A table is missing or was edited, or a prediction names an unknown row or split.
    """
    knowledge = workspace.read_knowledge()
    answered = {}
    for split in params.evaluate.splits:
        posts = workspace.read_posts(split)
        answered[str(split)] = (sum(bool(knowledge.get(post.id)) for post in posts), len(posts))
    return RunEvidence(
        rows=group_predictions(predictions),
        histories=histories,
        set_aside=list(_count_set_aside(workspace)),
        answered=answered,
        has_generator=params.student.prompt_length > 0,
        score_name=find_task(params.task).score_name,
    )


def _count_set_aside(workspace: Workspace) -> Iterator[SetAside]:
    """Yield how many rows each step has set aside, and out of how many."""
    answers = sum(map(len, workspace.read_knowledge().values()))
    passed = {
        "prepare": len(workspace.read_all_posts()),
        "validate": answers + len(workspace.read_captions()),
        "augment": len(workspace.read_augmented()),
    }
    reasons: dict[str, Counter[str]] = {step: Counter() for step in passed}
    for row in workspace.read_quarantine():
        reasons.setdefault(row.step, Counter())[row.reason] += 1
    for step, counts in reasons.items():
        if counts and step in passed:
            [(reason, _)] = counts.most_common(1)
            yield SetAside(step, counts.total(), passed[step] + counts.total(), reason)
