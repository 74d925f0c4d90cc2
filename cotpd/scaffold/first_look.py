"""A first look at a data set: its task, splits, words and pictures, and so the parameters of a project.

The pipeline that these parameters describe asks no language model and reads no picture that is not there, so that
it ends with a student on any machine. The project's README says how to switch a language model on.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cotpd.counts import format_count
from cotpd.data.dataset_report import list_word_lines
from cotpd.data.load import Dataset, load_dataset
from cotpd.data.params import DataParams
from cotpd.data.records import TaskName, iterate_posts
from cotpd.data.split_checks import list_occurring, require_task_labels
from cotpd.data.word_choice import measure_share_outside_latin
from cotpd.student.params import StudentParams
from cotpd.student.tasks import Task, find_task, list_task_names
from cotpd.student.vocabulary import MOST_UNKNOWN, MULTILINGUAL, measure_unknown_share

HELD_OUT = 0.1  # of the posts, for each split that a single file lacks
SHOWN = 12  # labels that are named
Values = dict[str, Any]


@dataclass(frozen=True)
class FirstLook:
    """The facts seen in a data set, and the parameters that follow from them.

    Attributes:
        values: Sections of params.yaml.
        facts: Lines for people, by a word or two.
        notes: Oddities that are kept, a sentence each.
    """

    values: Values
    facts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def look_at_nothing(task: TaskName | None, path: str) -> FirstLook:
    """Return the parameters of a project whose data set is still to come.

    Args:
        task: The task that the user names; None is the first.
        path: Where the data set will be.
    """
    return FirstLook(_build_values(task or list_task_names()[0], {"path": path}, "none"))


def look_at_data(path: Path, task: TaskName | None, reading: DataParams, shown: str) -> FirstLook:
    """Read a data set and choose the parameters of a project for it.

    Args:
        path: Its folder or file, from the working directory.
        task: The task that the user names; None takes the first that the posts are annotated for.
        reading: What the user names of how it is read: the format, the unit of offsets, ...
        shown: The path to write into the parameters, from the project's folder.

    Raises:
        DataError: It cannot be read, or no training post is annotated for the task.
        ConfigError: There is no such task.
    """
    dataset = load_dataset(reading.model_copy(update={"path": str(path), "held_out": HELD_OUT}))
    chosen = choose_task(dataset, task, str(path))
    captioner = _choose_captioner(dataset)
    named = reading.model_dump(exclude={"path"}, exclude_defaults=True)
    data: Values = {**named, "path": shown, "format": dataset.stats["format"]}
    if dataset.is_divided:
        data["held_out"] = HELD_OUT
    values = _build_values(chosen.name, data, captioner)

    notes = [*_list_notes(dataset, chosen), *dataset.stats["warnings"]]
    if reason := _explain_other_encoder(dataset):
        values["student"] = {"encoder": MULTILINGUAL}
        notes.append(f"{reason}: student.encoder is {MULTILINGUAL}")
    return FirstLook(values, _list_facts(dataset, chosen, captioner, values), notes)


def _explain_other_encoder(dataset: Dataset) -> str:
    """Return why the default encoder does not fit the posts; nothing if it does.

    Where its tokenizer is not on this machine, the script decides: it was made for English.
    """
    encoder = StudentParams().encoder
    share = measure_unknown_share(encoder, iterate_posts(dataset.posts))
    if share is not None:
        unknown = f"{share:.0%} of the words hold signs that {encoder} does not know"
        return unknown if share > MOST_UNKNOWN else ""
    outside = measure_share_outside_latin(iterate_posts(dataset.posts))
    return f"{outside:.0%} of the letters are not Latin, and {encoder} is English" if outside > 0.5 else ""


def choose_task(dataset: Dataset, name: TaskName | None, shown: str) -> Task:
    """Return the task that is named, or the first that training posts are annotated for.

    Raises:
        DataError: No training post is annotated for it, or for any.
    """
    annotated = _list_annotated_tasks(dataset)
    task = find_task(name) if name else next(iter(annotated), find_task(list_task_names()[0]))
    require_task_labels(dataset.posts, task, shown, dataset.ignored_keys)
    return task


def _list_annotated_tasks(dataset: Dataset) -> list[Task]:
    train = {"train": dataset.posts["train"]}
    tasks = map(find_task, list_task_names())
    return [task for task in tasks if list_occurring(train, task.list_data_labels)]


def _choose_captioner(dataset: Dataset) -> str:
    """Return caption.backend: captions that came along, else pictures that are at hand, else none."""
    if _count(dataset, "with_caption"):
        return "dataset"
    has_packages = find_spec("rapidocr") is not None
    return "tags" if _count(dataset, "picture_at_hand") and has_packages else "none"


def _count(dataset: Dataset, key: str) -> int:
    return sum(counts[key] for counts in dataset.stats["splits"].values())


def _build_values(task: TaskName, data: Values, captioner: str) -> Values:
    """Return the sections of params.yaml that differ from the defaults: no question is asked of anyone."""
    return {
        "task": task,
        "data": data,
        "caption": {"backend": captioner},
        "ask": {"kinds": [], "prompts": "prompts"},
        "augment": {"kinds": [], "prompts": "prompts"},
        "llm_row": {"enabled": False, "prompts": "prompts"},
    }


def _list_facts(dataset: Dataset, task: Task, captioner: str, values: Values) -> dict[str, str]:
    """Return what was seen, a line each."""
    labels = dataset.list_label_names(task)
    shown = ", ".join(labels[:SHOWN]) + (f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else "")
    return {
        "format": dataset.stats["format"],
        "splits": _describe_splits(dataset),
        "task": f"{task.name}: {task.title}",
        "labels": shown,
        "words": list_word_lines(dataset)[0].removeprefix("words: "),
        "pictures": _describe_pictures(dataset, captioner),
        "encoder": values.get("student", {}).get("encoder", StudentParams().encoder),
    }


def _describe_splits(dataset: Dataset) -> str:
    counts = ", ".join(f"{split} {len(rows):,}" for split, rows in dataset.posts.items())
    held_out = f"; the data have no others, so data.held_out gives {HELD_OUT:.0%} to valid and to test"
    return f"{counts} posts" + (held_out if dataset.is_divided else "")


def _describe_pictures(dataset: Dataset, captioner: str) -> str:
    pictures = dataset.stats["pictures"]
    at_hand = pictures["named"] - pictures["missing"]
    count = f"{at_hand:,} of {pictures['named']:,} at hand" if pictures["named"] else "none named"
    return f"{count}; caption.backend {captioner}"


def _list_notes(dataset: Dataset, task: Task) -> Iterator[str]:
    """Yield a sentence on each oddity that this look alone can see."""
    if dataset.quarantine:
        first = dataset.quarantine[0]
        rows = format_count(len(dataset.quarantine), "row is", "rows are")
        yield f"{rows} set aside; the first: {first.file}:{first.line}: {first.reason}"
    names = [annotated.name for annotated in _list_annotated_tasks(dataset) if annotated is not task]
    if names:
        yield f"the posts are annotated for {' and '.join(names)}, too: cotpd init --task {names[0]}"
    for split in ("valid", "test"):
        if split not in dataset.posts:
            meaning = "the last epoch is kept" if split == "valid" else "nothing is scored on it"
            yield f"there is no {split} split: {meaning}"
    if _count(dataset, "with_answer"):
        yield "answers of a language model come with the posts, and are used"
    if _count(dataset, "picture_at_hand") and find_spec("rapidocr") is None:
        yield "pictures are not read without: pip install 'cotpd[images]'; then set caption.backend: tags"
