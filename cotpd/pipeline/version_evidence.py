"""What a version carries about its own making, so that the gate can judge it without the workspace."""

from itertools import chain
from pathlib import Path

from cotpd.data.data_checks import DATA_CHECKS, CheckedTable, DataChecks
from cotpd.data.post_hashes import TRAINING_POSTS, PostHashes
from cotpd.data.records import Caption, Knowledge, Quarantined
from cotpd.data.tables import read_json, read_table
from cotpd.pipeline.workspace import UNLABELLED, Workspace


def write_evidence(workspace: Workspace, folder: Path) -> list[Path]:
    """Write the hashes of the training posts and the outcome of the data checks; return the files.

    Args:
        workspace: With the tables that the student was made from.
        folder: An empty one.

    Raises:
        DataError: A table is missing or damaged.
    """
    posts, checks = folder / TRAINING_POSTS, folder / DATA_CHECKS
    hash_training_posts(workspace).write(posts)
    collect_checks(workspace).write(checks)
    return [posts, checks]


def hash_training_posts(workspace: Workspace) -> PostHashes:
    """Return the hashes of all posts that a student may have been trained on, those without labels included."""
    augmented = (row.post for row in workspace.read_augmented())
    return PostHashes.build(workspace.read_posts("train"), chain(augmented, workspace.read_posts(UNLABELLED)))


def collect_checks(workspace: Workspace) -> DataChecks:
    """Return how many posts, captions and answers failed their checks, and the warnings about the data set."""
    summary = workspace.prepared / "summary.json"
    refused_posts = len(read_table(workspace.prepared / "quarantine.jsonl", Quarantined))
    refused = read_table(workspace.validated / "quarantine.jsonl", Quarantined)
    refused_answers = sum(isinstance(row.row, dict) and "kind" in row.row for row in refused)
    refused_captions = len(refused) - refused_answers
    captions = len(read_table(workspace.validated / "captions.jsonl", Caption))
    answers = len(read_table(workspace.validated / "knowledge.jsonl", Knowledge))
    tables = (
        CheckedTable(name="posts", rows=len(workspace.read_all_posts()) + refused_posts, failed=refused_posts),
        CheckedTable(name="captions", rows=captions + refused_captions, failed=refused_captions),
        CheckedTable(name="answers", rows=answers + refused_answers, failed=refused_answers),
    )
    warnings = read_json(summary, "stats.warnings")["stats"]["warnings"]
    return DataChecks(tables=tables, warnings=tuple(map(str, warnings)))
