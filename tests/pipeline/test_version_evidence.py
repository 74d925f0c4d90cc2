"""A version carries hashes of every post that it was trained on, and what the checks of its data came to."""

from pathlib import Path

import pytest

from cotpd.data.data_checks import CheckedTable, DataChecks
from cotpd.data.post_hashes import PostHashes
from cotpd.data.records import Augmented, Caption, Kind, Knowledge, Quarantined
from cotpd.data.tables import write_json, write_table
from cotpd.errors import DataError
from cotpd.pipeline.version_evidence import collect_checks, write_evidence
from cotpd.pipeline.workspace import UNLABELLED, Workspace
from tests.builders import build_post

TEXTS = {name: f"a post of the {name} table" for name in ("train", "augmented", UNLABELLED, "test")}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace after the augment step."""
    workspace = Workspace(tmp_path)
    for name in ("train", UNLABELLED, "test"):
        write_table(workspace.locate_posts(name), [build_post(TEXTS[name], id=name)])
    rewritten = Augmented(post=build_post(TEXTS["augmented"], id="a"), of="train", kind=Kind.STYLE)
    write_table(workspace.augmented / "augmented.jsonl", [rewritten])
    write_table(workspace.prepared / "quarantine.jsonl", [Quarantined(id="x", step="prepare", reason="no text")])
    write_json(workspace.prepared / "summary.json", {"stats": {"warnings": ["train and test share 1 text"]}})

    rows = [{"id": "1", "kind": "noun", "text": ""}, {"id": "1", "caption": "?"}, {"id": "2", "caption": "?"}]
    refused = [Quarantined(id="1", step="validate", reason="empty", row=row) for row in rows]
    write_table(workspace.validated / "quarantine.jsonl", refused)
    captions = [Caption(id=str(number), image="a.jpg", caption="a dog", backend="tags") for number in range(2)]
    write_table(workspace.validated / "captions.jsonl", captions)
    answers = [Knowledge(id=str(number), kind=Kind.NOUN, text="a word") for number in range(3)]
    write_table(workspace.validated / "knowledge.jsonl", answers)
    return workspace


def test_every_post_that_was_trained_on_is_among_the_hashes_and_no_other(workspace, tmp_path):
    posts, _ = write_evidence(workspace, tmp_path)

    overlaps = PostHashes.read(posts).measure_overlaps(list(TEXTS.values()))

    assert [overlap.is_exact for overlap in overlaps] == [True, True, True, False]


def test_the_checks_are_counted_table_by_table(workspace, tmp_path):
    _, checks = write_evidence(workspace, tmp_path)

    assert DataChecks.read(checks) == DataChecks(
        tables=(
            CheckedTable(name="posts", rows=4, failed=1),
            CheckedTable(name="captions", rows=4, failed=2),
            CheckedTable(name="answers", rows=4, failed=1),
        ),
        warnings=("train and test share 1 text",),
    )


def test_what_a_workspace_cannot_say_is_left_out(workspace, tmp_path):
    (workspace.validated / "quarantine.jsonl").unlink()

    files = write_evidence(workspace, tmp_path)

    assert [file.name for file in files] == ["training_posts.safetensors"]


def test_a_summary_that_was_edited_is_named(workspace):
    write_json(workspace.prepared / "summary.json", {})

    with pytest.raises(DataError, match=r"summary\.json: has no stats\.warnings"):
        collect_checks(workspace)


@pytest.mark.parametrize("content", [None, "", "[]", '{"tables": [{"name": "posts", "rows": -1, "failed": 0}]}'])
def test_a_damaged_record_of_checks_is_named(tmp_path, content):
    path = tmp_path / "data_checks.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(DataError, match=r"data_checks\.json: no record of data checks"):
        DataChecks.read(path)
