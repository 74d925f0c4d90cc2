"""The examples that baseline, teachers and student learn from, built from the tables of a workspace."""

from cotpd.pipeline.workspace import UNLABELLED, Workspace
from cotpd.student.examples import Example, build_augmented_examples, build_examples, remove_labels
from cotpd.student.tasks import TaskName, find_task


def read_label_names(workspace: Workspace, task: TaskName) -> tuple[str, ...]:
    """Return the entity types, relation labels or labels of posts that the data set has for the task.

    Raises:
        DataError: The summary of prepare is missing or was edited.
    """
    return workspace.read_label_names(find_task(task).summary_key)


def read_text_examples(workspace: Workspace, task: TaskName, split: str) -> list[Example]:
    """Return the examples of a split, text alone."""
    return build_examples(workspace.read_posts(split), task, {}, {})


def read_knowledge_examples(workspace: Workspace, task: TaskName, split: str) -> list[Example]:
    """Return the examples of a split with caption and knowledge; train's include the augmented posts."""
    examples = read_original_examples(workspace, task, split)
    if split == "train":
        captions, knowledge = workspace.read_captions(), workspace.read_knowledge()
        examples += build_augmented_examples(workspace.read_augmented(), task, captions, knowledge)
    return examples


def read_original_examples(workspace: Workspace, task: TaskName, split: str) -> list[Example]:
    """Return the examples of the posts that the data set holds, with caption and knowledge."""
    posts = workspace.read_posts(split)
    return build_examples(posts, task, workspace.read_captions(), workspace.read_knowledge())


def read_unlabelled_examples(workspace: Workspace, task: TaskName) -> list[Example]:
    """Return the examples without labels, with caption and knowledge for the teachers to read."""
    posts = [find_task(task).drop_gold(post) for post in workspace.read_posts(UNLABELLED)]
    examples = build_examples(posts, task, workspace.read_captions(), workspace.read_knowledge())
    return [remove_labels(example) for example in examples]


def read_training_texts(workspace: Workspace, task: TaskName) -> list[Example]:
    """Return the student's labelled examples, those of augmented posts included, text alone."""
    augmented = build_augmented_examples(workspace.read_augmented(), task, {}, {})
    return read_text_examples(workspace, task, "train") + remove_knowledge(augmented)


def read_unlabelled_texts(workspace: Workspace, task: TaskName) -> list[Example]:
    """Return the student's examples without labels, text alone."""
    posts = [find_task(task).drop_gold(post) for post in workspace.read_posts(UNLABELLED)]
    return [remove_labels(example) for example in build_examples(posts, task, {}, {})]


def remove_knowledge(examples: list[Example]) -> list[Example]:
    """Return the same examples without caption and knowledge, as a model reads them that sees text alone."""
    return [example.model_copy(update={"caption": None, "knowledge": {}}) for example in examples]
