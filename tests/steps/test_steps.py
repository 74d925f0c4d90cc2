"""What the steps share: how a mistake of the user's ends, and what a missing environment says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cotpd.config import Params, load_params
from cotpd.errors import ConfigError, DataError
from cotpd.pipeline.training_examples import read_label_names
from cotpd.pipeline.workspace import BEYOND_LIMIT, Workspace
from steps import prepare
from steps.common import main
from steps.graph import read_graph
from tests.builders import write_jsonl


def test_a_python_without_the_packages_says_which_environment_to_activate(root: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-S", "-m", "steps.prepare"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert process.returncode == 1
    assert "source .venv/bin/activate" in process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (DataError("bad row", "Mend it."), 1, "Mend it."),
        (DataError("bad row \ud83d", "Mend it."), 1, "bad row ?"),
        (OSError(36, "File name too long", "x" * 9), 1, "error: xxxxxxxxx: File name too long"),
        (OSError("no file at all"), 1, "error: no file at all"),
        (KeyboardInterrupt(), 130, "run again to go on"),
    ],
)
def test_a_step_ends_without_a_traceback(
    error: BaseException,
    status: int,
    message: str,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run_step(params: Params) -> None:
        raise error

    monkeypatch.chdir(root)
    with pytest.raises(SystemExit) as ended:
        main(run_step)
    assert ended.value.code == status
    assert message in capsys.readouterr().err


def test_prepare_leaves_no_split_of_another_data_set_behind(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stale = tmp_path / "data/prepared/dev.jsonl"
    stale.parent.mkdir(parents=True)
    stale.write_text("{}\n")
    params = load_params(root / "params.yaml")

    prepare.run(params.model_copy(update={"data": params.data.model_copy(update={"path": str(root / "sample")})}))

    assert not stale.exists()
    assert {"train.jsonl", "valid.jsonl", "test.jsonl"} <= {path.name for path in stale.parent.iterdir()}


def test_a_data_set_without_a_limit_leaves_dvc_no_empty_table_to_warn_of(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(root / "dvc.yaml", tmp_path)
    write_jsonl(tmp_path / "posts/train.jsonl", [{"id": "1", "text": "Ada visits London", "label": "calm"}])

    prepare.run(Params.model_validate({"task": "sentiment", "augment": {"kinds": []}, "data": {"path": "posts"}}))

    stages = yaml.safe_load((tmp_path / "dvc.yaml").read_text("utf-8"))["stages"]
    inputs = [Path(name) for name in stages["augment"]["deps"]]
    assert Path("data/prepared/beyond_limit") in inputs
    assert [path for path in inputs if path.is_file() and not path.stat().st_size] == []


def test_a_training_post_without_a_label_is_no_example_whether_or_not_a_limit_leaves_it_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    labels = ("positive", "negative", "positive", None)
    rows = [{"id": f"p{n}", "text": f"post {n} here", "label": label} for n, label in enumerate(labels)]
    write_jsonl(tmp_path / "posts/train.jsonl", rows)

    sections = {"task": "sentiment", "augment": {"kinds": []}, "data": {"path": "posts", "limit": 2}}
    prepare.run(Params.model_validate(sections))

    assert [post.id for post in Workspace().read_posts(BEYOND_LIMIT)] == ["p2"]


def test_without_git_the_flow_says_what_to_run(root: Path, tmp_path: Path) -> None:
    for name in (".dvc/config", "dvc.yaml", "params.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, tmp_path / name)

    with pytest.raises(ConfigError, match=r"is no git repository.*\n.*git init"):
        read_graph(tmp_path)


def test_a_parameter_file_of_an_earlier_release_is_upgraded_by_the_command_that_the_flow_names(
    root: Path, tmp_path: Path
) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    for name in (".dvc/config", "dvc.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, tmp_path / name)
    (tmp_path / "params.yaml").write_text("data: {path: sample, pictures: .}\nseed: 4\n")

    with pytest.raises(ConfigError, match=r"data\.corrections.*\n.*python -m cotpd\.pipeline\.params_file"):
        read_graph(tmp_path)

    subprocess.run(
        [sys.executable, "-m", "cotpd.pipeline.params_file"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(root)},
        check=True,
    )
    assert "seed: 4 #" in (tmp_path / "params.yaml").read_text("utf-8")
    assert len(read_graph(tmp_path)) > 10


def test_posts_within_an_output_are_named_by_the_flow_too(root: Path, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    for name in (".dvc/config", "dvc.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, tmp_path / name)
    (tmp_path / "params.yaml").write_text("data: {path: data/prepared, pictures: ., corrections: .}\n")

    with pytest.raises(ConfigError, match=r"params\.yaml:1: data\.path: data/prepared lies within"):
        read_graph(tmp_path)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"types": 3}', '{"types": [1]}', '{"types": []}', "\xff", "[" * 99_999]
)
def test_an_edited_summary_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/prepared").mkdir(parents=True)
    (tmp_path / "data/prepared/summary.json").write_text(content, "latin-1")

    with pytest.raises(DataError, match=r"data/prepared/summary\.json: ") as caught:
        read_label_names(Workspace(), "ner")

    assert "dvc repro" in caught.value.remedy
