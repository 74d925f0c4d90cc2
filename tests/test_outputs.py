"""Nothing of the user's may lie where the pipeline deletes its own files."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from cotpd.config import load_params
from cotpd.errors import ConfigError
from cotpd.outputs import read_outputs

ROOT = Path(__file__).parent.parent


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    return tmp_path


def write_params(project: Path, values: dict) -> Path:
    path = project / "params.yaml"
    path.write_text(yaml.safe_dump(values), "utf-8")
    return path


@pytest.mark.parametrize(
    "folder",
    [
        "data/prepared",
        "data/prepared/posts.jsonl",
        "./data/../models/student",
        "reports/checks",
        "data",
        ".",
        "reports",
    ],
)
def test_posts_within_an_output_or_around_one_are_refused_with_their_line(folder: str, project: Path) -> None:
    path = write_params(project, {"data": {"path": folder}})

    with pytest.raises(
        ConfigError, match=rf"params\.yaml:2: data\.path: {re.escape(folder)} (lies|contains)"
    ) as caught:
        load_params(path)

    assert caught.value.remedy


@pytest.mark.parametrize(
    "folder", ["data/my-posts", "my-posts", "../posts", "reports/notes", "sample", "models"[:3]]
)
def test_posts_beside_the_outputs_are_fine(folder: str, project: Path) -> None:
    assert load_params(write_params(project, {"data": {"path": folder}})).data.path == folder


def test_an_absolute_path_and_a_link_into_an_output_are_refused_too(project: Path) -> None:
    (project / "data/prepared").mkdir(parents=True)
    (project / "posts").symlink_to(project / "data/prepared")

    for folder in (project / "data/prepared", "posts"):
        with pytest.raises(ConfigError, match="lies within data/prepared"):
            load_params(write_params(project, {"data": {"path": str(folder)}}))


@pytest.mark.parametrize(
    "values",
    [
        {"llm": {"ledger": "data/validated/ledger.db"}},
        {"register": {"tracking_uri": "sqlite:///reports/evaluation/mlflow.db"}},
        {"data": {"path": "posts", "unlabelled": [{"path": "../data/augmented"}]}},
        {"data": {"path": "posts", "pictures": "../data/prepared"}},
    ],
)
def test_the_ledger_the_registry_and_unlabelled_posts_are_refused_there_too(values: dict, project: Path) -> None:
    with pytest.raises(ConfigError, match="which the pipeline writes and deletes"):
        load_params(write_params(project, values))


def test_make_clean_removes_the_outputs_by_name_and_a_users_posts_stay(project: Path) -> None:
    (project / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    outputs = read_outputs(project)
    users_files = [
        "data/my-posts/train.jsonl",
        "models/mine/student.json",
        "reports/notes.txt",
        "ledger.db",
        "params.yaml",
    ]
    leftovers = ["models/.student.resume/state.json", "models/.baseline.part/x", "data/captions.jsonl.part"]
    for name in [
        *(f"{output}/x" for output in outputs if not output.suffix),
        *users_files,
        *leftovers,
        "dvc.lock",
    ]:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("mine")

    subprocess.run(["make", "clean"], cwd=project, check=True, capture_output=True)

    files = {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}
    assert files == {*users_files, "Makefile", "dvc.yaml"}


def test_make_clean_names_every_output() -> None:
    text = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", " ")
    named = re.search(r"^OUTPUTS := (.*)$", text, re.MULTILINE)
    assert named
    assert {Path(name) for name in named[1].split()} >= set(read_outputs(ROOT))


def run_make(project: Path, path: str) -> str:
    """Run `make run` with only the programs of a path, and return what it prints before it fails."""
    (project / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    (project / "pyproject.toml").write_text("")
    process = subprocess.run(
        [shutil.which("make") or "make", "run"],
        cwd=project,
        env={"PATH": path, "GIT_CEILING_DIRECTORIES": str(project.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert process.returncode != 0
    assert not (project / ".venv").exists()
    return process.stdout + process.stderr


def test_make_run_outside_a_repository_says_so_before_anything_is_installed(project: Path) -> None:
    output = run_make(project, "/usr/bin:/bin")

    assert "Run: git init" in output
    assert "fatal" not in output


def test_make_run_without_git_names_git(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    programs = tmp_path_factory.mktemp("programs")
    (programs / "sh").symlink_to(shutil.which("sh") or "/bin/sh")

    output = run_make(project, str(programs))

    assert "git is missing, which DVC needs" in output
    assert "git init" not in output


def test_an_environment_that_was_copied_along_is_built_again(project: Path) -> None:
    (project / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    for folder, built_in in (("copied", "/elsewhere/.venv"), ("own", str(project / "own"))):
        (project / folder / "bin").mkdir(parents=True)
        (project / folder / "pyvenv.cfg").write_text("")
        (project / folder / "bin/activate").write_text(f"VIRTUAL_ENV={built_in}\n")

        subprocess.run(["make", "project", f"VENV={folder}"], cwd=project, check=True, capture_output=True)

    assert not (project / "copied").exists()
    assert (project / "own").exists()
