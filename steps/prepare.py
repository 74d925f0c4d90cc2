"""prepare: read the data set in its own format and write it as checked records, a table per split."""

from pathlib import Path

from cotpd.config import Params
from cotpd.data.load import load_dataset
from cotpd.data.picture_files import PictureFolder
from cotpd.data.picture_lookup import add_digests
from cotpd.data.records import Post
from cotpd.data.split_checks import require_task_labels
from cotpd.data.tables import write_json, write_table
from cotpd.data.unlabelled import load_unlabelled
from steps.common import BEYOND_LIMIT, PREPARED, UNLABELLED, main, say


def run(params: Params) -> None:
    """Read ``params.data`` and write data/prepared: Post records per split, quarantined rows and a summary."""
    dataset = load_dataset(params.data)
    require_task_labels(dataset.posts, params.task, params.data.path)
    unlabelled = load_unlabelled(params.data, dataset.posts)
    for table in PREPARED.glob("*.jsonl"):  # run by hand, the step would leave another data set's splits behind
        table.unlink()
    files = PictureFolder(Path(params.data.path), params.data.pictures)
    for split, posts in {**dataset.posts, UNLABELLED: unlabelled.posts}.items():
        count = write_table(PREPARED / f"{split}.jsonl", add_digests(_select_usable(posts, params), files))
        say(f"prepare: {split}: {count} posts")
    write_table(PREPARED / f"{BEYOND_LIMIT}.jsonl", _select_usable(dataset.beyond_limit, params))
    quarantine = [*dataset.quarantine, *unlabelled.quarantine]
    write_table(PREPARED / "quarantine.jsonl", quarantine)
    stats = {**dataset.stats, UNLABELLED: unlabelled.stats}
    for note in dataset.stats["warnings"]:
        say(f"prepare: note: {note}")
    write_json(PREPARED / "summary.json", {"types": dataset.types, "labels": dataset.labels, "stats": stats})
    if quarantine:
        say(f"prepare: {len(quarantine)} rows set aside, see {PREPARED / 'quarantine.jsonl'}")


def _select_usable(posts: list[Post], params: Params) -> list[Post]:
    return [post for post in posts if post.relations] if params.task == "re" else posts


if __name__ == "__main__":
    main(run)
