"""The check of the gold labels after an evaluation: suspected errors, and scores on labels that were corrected.

Held-out posts are judged by the models of the results. Training posts are judged by teachers that were not trained
on them (teach.folds); without those they are not judged at all, since a model repeats the label that it learnt.
"""

from collections.abc import Iterator, Sequence

from cotpd.config import Params
from cotpd.counts import format_count
from cotpd.data.tables import write_json, write_table
from cotpd.evaluation.gold_errors import SUSPECTED_ERRORS, Evidence, Suspect, find_suspects
from cotpd.evaluation.gold_errors_page import SUSPECTS_PAGE, write_suspects_page
from cotpd.evaluation.labelling_odds import Reader
from cotpd.evaluation.predictions import build_predictions
from cotpd.evaluation.uncorrected_scores import CORRECTED_LABELS, compare_label_versions, describe_versions
from cotpd.pipeline.cross_fitted import CrossFitted
from cotpd.pipeline.training_examples import read_original_examples
from cotpd.pipeline.workspace import Workspace
from cotpd.student.tasks import Prediction, find_task
from cotpd.student.views import View


def check_gold(
    workspace: Workspace, params: Params, predictions: Sequence[Prediction], readers: Sequence[Reader]
) -> Iterator[str]:
    """Write the suspected gold errors and a page on them, and the scores on both versions of corrected labels.

    Args:
        workspace: The project.
        params: Its parameters.
        predictions: Predictions of every row on the splits to score.
        readers: The models of these rows.

    Yields:
        Sentences on what there is.
    """
    splits: list[str] = [split for split in params.evaluate.splits if workspace.read_posts(split)]
    posts = {split: workspace.read_posts(split) for split in splits}
    suspects = find_suspects(Evidence(find_task(params.task), predictions, posts, readers))
    training_suspects = _find_training_suspects(workspace, params)
    if training_suspects is not None:
        suspects, posts["train"] = [*training_suspects, *suspects], workspace.read_posts("train")
    write_table(workspace.evaluation / SUSPECTED_ERRORS, suspects)
    write_suspects_page(suspects, posts, workspace.evaluation / SUSPECTS_PAGE)
    for split in posts:
        count = sum(suspect.split == split for suspect in suspects)
        yield f"{split}: {format_count(count, 'suspected gold error')}; see `cotpd data suspects --split {split}`"

    originals = {split: workspace.read_uncorrected_posts(split) for split in splits}
    versions = compare_label_versions(predictions, posts, originals, params.task)
    write_json(workspace.evaluation / CORRECTED_LABELS, versions)
    yield from describe_versions(versions)


def _find_training_suspects(workspace: Workspace, params: Params) -> list[Suspect] | None:
    """Return the suspected errors of training posts; None without teachers that did not see them."""
    device = params.evaluate.device
    sources: dict[str, tuple[CrossFitted | None, View]] = {
        "teacher": (CrossFitted.find(workspace.teachers, workspace.targets, device), "knowledge"),
        "control teacher": (
            CrossFitted.find(workspace.control_teachers, workspace.control_targets, device),
            "text",
        ),
    }
    captions, knowledge = workspace.read_captions(), workspace.read_knowledge()
    predictions: list[Prediction] = []
    readers = []
    for row, (model, view) in sources.items():
        if model is None:
            continue
        examples = model.select_examples(read_original_examples(workspace, params.task, "train"))
        labels = model.predict_examples(examples, view, batch_size=params.evaluate.batch_size)
        predictions += build_predictions(examples, labels, task=params.task, split="train", model=row)
        readers.append(Reader(row, model, view, captions, knowledge))
    if not readers:
        return None
    posts = {"train": workspace.read_posts("train")}
    return find_suspects(Evidence(find_task(params.task), predictions, posts, readers))
