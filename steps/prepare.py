"""prepare: read the data set in its own format and write it as checked records, a table per split."""

from pathlib import Path

from cotpd.config import Params
from cotpd.data.dataset_report import list_companion_lines
from cotpd.data.load import load_dataset
from cotpd.data.picture_files import PictureFolder
from cotpd.data.picture_lookup import add_digests
from cotpd.data.records import Post, Quarantined
from cotpd.data.split_checks import require_task_labels
from cotpd.data.tables import write_json, write_table
from cotpd.data.unlabelled import load_unlabelled
from cotpd.pipeline.workspace import BEYOND_LIMIT, UNCORRECTED, UNLABELLED, Workspace
from steps.common import main, say


def run(params: Params) -> None:
    """Read ``params.data`` and write data/prepared: Post records per split, quarantined rows and a summary."""
    workspace = Workspace()
    dataset = load_dataset(params.data)
    require_task_labels(dataset.posts, params.task, params.data.path)
    unlabelled = load_unlabelled(params.data, dataset.posts)

    for table in workspace.prepared.glob("*.jsonl"):  # a step run by hand would keep another data set's splits
        table.unlink()
    pictures = PictureFolder(Path(params.data.path), params.data.pictures)
    for split, posts in {**dataset.posts, UNLABELLED: unlabelled.posts}.items():
        usable = _select_usable(posts, params)
        count = write_table(workspace.locate_posts(split), add_digests(usable, pictures))
        say(f"prepare: {split}: {count} posts")
    for split, posts in dataset.uncorrected.items():
        write_table(workspace.locate_posts(f"{split}_{UNCORRECTED}"), _select_usable(posts, params))
    write_table(workspace.locate_posts(BEYOND_LIMIT), _select_usable(dataset.beyond_limit, params))

    for line in list_companion_lines(dataset):
        say(f"prepare: {line}")
    for note in dataset.stats["warnings"]:
        say(f"prepare: note: {note}")
    summary = {"types": dataset.types, "labels": dataset.labels}
    stats = {**dataset.stats, UNLABELLED: unlabelled.stats}
    write_json(workspace.prepared / "summary.json", {**summary, "stats": stats})
    _write_quarantine(workspace, [*dataset.quarantine, *unlabelled.quarantine])


def _write_quarantine(workspace: Workspace, rows: list[Quarantined]) -> None:
    path = workspace.prepared / "quarantine.jsonl"
    write_table(path, rows)
    if rows:
        say(f"prepare: {len(rows)} rows set aside, see {path}")


def _select_usable(posts: list[Post], params: Params) -> list[Post]:
    """Return the posts that hold what the task reads: for re those with a pair."""
    return [post for post in posts if post.relations] if params.task == "re" else posts


if __name__ == "__main__":
    main(run)
