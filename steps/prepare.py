"""prepare: read the data set in its own format and write it as checked records, a table per split."""

from pathlib import Path

from cotpd.config import Params
from cotpd.counts import format_count
from cotpd.data.dataset_report import list_companion_lines, list_word_lines
from cotpd.data.load import Dataset, load_dataset
from cotpd.data.picture_files import PictureFolder
from cotpd.data.picture_lookup import add_digests
from cotpd.data.records import Quarantined
from cotpd.data.split_checks import require_task_labels, select_usable, set_faulty_aside
from cotpd.data.tables import write_json, write_table
from cotpd.data.unlabelled import load_unlabelled
from cotpd.pipeline.workspace import BEYOND_LIMIT, UNCORRECTED, UNLABELLED, Workspace
from cotpd.student.tasks import Task, find_task
from steps.common import main, say


def run(params: Params) -> None:
    """Read ``params.data`` and write data/prepared: Post records per split, quarantined rows and a summary."""
    workspace = Workspace()
    dataset = load_dataset(params.data)
    task = find_task(params.task)
    require_task_labels(dataset.posts, task, params.data.path, dataset.ignored_keys)
    unlabelled = load_unlabelled(params.data, dataset.posts, words=dataset.words)

    for table in workspace.prepared.glob("*.jsonl"):  # a step run by hand would keep another data set's splits
        table.unlink()
    pictures = PictureFolder(Path(params.data.path), params.data.pictures)
    posts, faulty = set_faulty_aside(dataset.posts, task)
    for split, rows in {**posts, UNLABELLED: unlabelled.posts}.items():
        count = write_table(workspace.locate_posts(split), add_digests(select_usable(rows, task), pictures))
        say(f"prepare: {split}: {format_count(count, 'post')}")
    for split, rows in dataset.uncorrected.items():
        write_table(workspace.locate_posts(f"{split}_{UNCORRECTED}"), select_usable(rows, task))
    _write_beyond_limit(workspace, dataset, task)

    write_json(workspace.words, dataset.words.model_dump())
    for line in [*list_companion_lines(dataset), *list_word_lines(dataset), *_list_notes(dataset)]:
        say(f"prepare: {line}")
    names = {"types": dataset.types, "labels": dataset.labels, "classes": dataset.classes}
    names[task.summary_key] = dataset.list_label_names(task)
    stats = {**dataset.stats, UNLABELLED: unlabelled.stats}
    write_json(workspace.prepared / "summary.json", {**names, "stats": stats})
    _write_quarantine(workspace, [*dataset.quarantine, *faulty, *unlabelled.quarantine])


def _write_beyond_limit(workspace: Workspace, dataset: Dataset, task: Task) -> None:
    """Write the posts that the limit leaves out, those alone that would be trained on without it."""
    accepted, _ = set_faulty_aside({BEYOND_LIMIT: dataset.beyond_limit}, task)
    write_table(workspace.locate_posts(BEYOND_LIMIT), select_usable(accepted[BEYOND_LIMIT], task))


def _list_notes(dataset: Dataset) -> list[str]:
    return [f"note: {note}" for note in dataset.stats["warnings"]]


def _write_quarantine(workspace: Workspace, rows: list[Quarantined]) -> None:
    path = workspace.prepared / "quarantine.jsonl"
    write_table(path, rows)
    if rows:
        say(f"prepare: {format_count(len(rows), 'row')} set aside, see {path}")


if __name__ == "__main__":
    main(run)
