"""What the training steps share: examples of train and valid, and the inventory of the data."""

from pathlib import Path

from cotpd.config import Params
from cotpd.data.records import Augmented
from cotpd.data.tables import read_json, read_table
from cotpd.errors import DataError
from cotpd.student.curves import Curves
from cotpd.student.examples import Example, build_augmented_examples, build_examples, remove_labels
from cotpd.student.objectives import Objective
from cotpd.student.params import TrainParams
from cotpd.student.tasks import find_task
from cotpd.student.training import train
from steps.common import (
    AUGMENTED,
    PREPARED,
    UNLABELLED,
    checked_captions,
    checked_knowledge,
    prepared,
    say,
)


def inventory(params: Params) -> tuple[str, ...]:
    """Entity types (ner) or relation labels (re), as the prepare step found or was told them."""
    path, key = PREPARED / "summary.json", find_task(params.task).summary_key
    names = read_json(path, key)[key]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise DataError(f"{path}: {key} is no list of names", "Write it again: dvc repro --force prepare")
    return tuple(names)


def fit(
    examples: list[Example],
    valid: list[Example],
    params: Params,
    run: TrainParams,
    *,
    objective: Objective,
    out: Path,
    start: Path | None = None,
) -> None:
    """Train a model on examples of the inventory and write it into a folder, and its curves into MLflow.

    Where the curves go (register.tracking_uri) is no parameter of the stage: the model does not depend on it.
    """
    say(f"{out.name}: {len(examples)} training examples")
    train(
        examples,
        valid,
        task=params.task,
        types=inventory(params),
        student=params.student,
        params=run,
        objective=objective,
        seed=params.seed,
        out=out,
        start=start,
        curves=Curves(params.register_, out.name, {"student": params.student, "run": run}),
    )


def text_examples(split: str, params: Params) -> list[Example]:
    """A split's examples, text alone."""
    return build_examples(prepared(split), params.task, {}, {})


def knowledge_examples(split: str, params: Params) -> list[Example]:
    """A split's examples with caption and knowledge; the training split with what augment added."""
    captions, knowledge = checked_captions(), checked_knowledge()
    examples = build_examples(prepared(split), params.task, captions, knowledge)
    if split == "train":
        augmented = read_table(AUGMENTED / "augmented.jsonl", Augmented)
        examples += build_augmented_examples(augmented, params.task, captions, knowledge)
    return examples


def unlabelled_examples(params: Params) -> list[Example]:
    """The examples that have no labels, with caption and knowledge for the teachers to read."""
    posts = [find_task(params.task).drop_gold(post) for post in prepared(UNLABELLED)]
    examples = build_examples(posts, params.task, checked_captions(), checked_knowledge())
    return [remove_labels(example) for example in examples]


def text_alone(examples: list[Example]) -> list[Example]:
    """The same examples as a model sees them that reads nothing else."""
    return [example.model_copy(update={"caption": None, "knowledge": {}}) for example in examples]
