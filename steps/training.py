"""What the two training steps share: examples of train and valid, and the inventory of the data."""

from collections.abc import Callable
from pathlib import Path

from cotpd.config import Params, TrainParams
from cotpd.data.records import Augmented
from cotpd.data.tables import read_table
from cotpd.student.examples import Example, augmented_examples, build_examples
from cotpd.student.objectives import Objective
from cotpd.student.training import train
from steps.common import AUGMENTED, PREPARED, checked_captions, checked_knowledge, prepared, read_json, say


def inventory(params: Params) -> tuple[str, ...]:
    """Entity types (ner) or relation labels (re), as the prepare step found or was told them."""
    summary = read_json(PREPARED / "summary.json")
    return tuple(summary["types" if params.task == "ner" else "labels"])


def fit(
    view: Callable[[str, Params], list[Example]],
    params: Params,
    run: TrainParams,
    *,
    objective: Objective,
    out: Path,
) -> None:
    """Train a model on what a view gives of train and valid, and write it into a folder."""
    examples = view("train", params)
    say(f"{out.name}: {len(examples)} training examples")
    train(
        examples,
        view("valid", params),
        task=params.task,
        types=inventory(params),
        student=params.student,
        params=run,
        objective=objective,
        seed=params.seed,
        out=out,
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
        examples += augmented_examples(augmented, params.task, captions, knowledge)
    return examples
