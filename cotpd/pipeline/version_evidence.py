"""The evidence of its making that a version carries, so that the gate can judge it without the workspace."""

from pathlib import Path

from cotpd.data.data_checks import DATA_CHECKS, CheckedTable, DataChecks
from cotpd.data.post_hashes import TRAINING_POSTS, PostHashes
from cotpd.data.tables import read_json
from cotpd.pipeline.workspace import UNLABELLED, Workspace


def write_evidence(workspace: Workspace, folder: Path) -> list[Path]:
    """Write the hashes of the training posts and the outcome of the data checks; return the files.

    What a workspace without some table cannot say is left out, and the gate refuses a version without it.

    Args:
        workspace: With the tables that the student was made from.
        folder: An empty one.

    Raises:
        DataError: A table is damaged.
    """
    posts, checks = folder / TRAINING_POSTS, folder / DATA_CHECKS
    hash_training_posts(workspace).write(posts)
    if not all(path.is_file() for path in _list_checked(workspace)):
        return [posts]
    collect_checks(workspace).write(checks)
    return [posts, checks]


def hash_training_posts(workspace: Workspace) -> PostHashes:
    """Return the hashes of all posts that a student may have been trained on, those without labels included."""
    is_augmented = (workspace.augmented / "augmented.jsonl").is_file()
    augmented = [row.post for row in workspace.read_augmented()] if is_augmented else []
    return PostHashes.build(workspace.read_posts("train"), [*augmented, *workspace.read_posts(UNLABELLED)])


def _list_checked(workspace: Workspace) -> list[Path]:
    """Return the tables that say what the checks came to."""
    prepared, validated = workspace.prepared, workspace.validated
    tables = [validated / name for name in ("quarantine.jsonl", "captions.jsonl", "knowledge.jsonl")]
    return [prepared / "summary.json", prepared / "quarantine.jsonl", *tables]


def collect_checks(workspace: Workspace) -> DataChecks:
    """Return how many posts, captions and answers failed their checks, and the warnings about the data set."""
    refused_posts = len(workspace.read_refused(workspace.prepared))
    refused = workspace.read_refused(workspace.validated)
    refused_answers = sum(isinstance(row.row, dict) and "kind" in row.row for row in refused)
    refused_captions = len(refused) - refused_answers
    captions = len(workspace.read_captions())
    answers = sum(map(len, workspace.read_knowledge().values()))
    tables = (
        CheckedTable(name="posts", rows=len(workspace.read_all_posts()) + refused_posts, failed=refused_posts),
        CheckedTable(name="captions", rows=captions + refused_captions, failed=refused_captions),
        CheckedTable(name="answers", rows=answers + refused_answers, failed=refused_answers),
    )
    warnings = read_json(workspace.prepared / "summary.json", "stats.warnings")["stats"]["warnings"]
    return DataChecks(tables=tables, warnings=tuple(map(str, warnings)))
