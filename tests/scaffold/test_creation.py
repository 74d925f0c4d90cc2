"""`cotpd init`: which folders become a project, what is refused, and what is left after a refusal."""

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from cotpd.cli.main import app
from cotpd.config import load_params
from cotpd.data.load import load_dataset
from cotpd.errors import ConfigError, CotpdError
from cotpd.scaffold.creation import create_project
from tests.builders import write_jsonl

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work outside of any repository."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    """A data set in files by split."""
    return write_posts(tmp_path / "posts")


def write_posts(folder: Path) -> Path:
    for split in ("train", "valid", "test"):
        spans = [{"start": 0, "end": 3, "type": "PER"}]
        rows = [{"id": f"{split}{n}", "text": f"Ada {split} {n}", "entities": spans} for n in range(3)]
        write_jsonl(folder / f"{split}.jsonl", rows)
    return folder


def run_init(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["init", *arguments])


def list_files(folder: Path) -> list[str]:
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in paths if path.parts[0] != ".git")


def test_it_says_what_it_saw_and_ends_with_a_command_that_can_be_pasted(posts: Path, tmp_path: Path) -> None:
    printed = run_init("my project", "--data", "posts")

    lines = printed.stdout.splitlines()
    assert printed.exit_code == 0, printed.output
    assert any(line.split() == ["splits", "train", "3,", "valid", "3,", "test", "3", "posts"] for line in lines)
    words = shlex.split(lines[-1])
    assert words[-8:] == ["cd", "my project", "&&", "dvc", "repro", "&&", "cotpd", "show"]
    assert load_params(tmp_path / "my project/params.yaml").data.path == "../posts"


def test_without_data_the_project_waits_for_posts(tmp_path: Path) -> None:
    printed = run_init("mine", "--task", "sentiment")

    params = load_params(tmp_path / "mine/params.yaml")
    assert (params.task, params.data.path) == ("sentiment", "posts")
    assert "Put your posts into mine/posts" in printed.stdout
    assert printed.stdout.splitlines()[-1].endswith("cd mine && cotpd data check && dvc repro && cotpd show")


def test_an_environment_that_is_not_active_is_activated_first(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "my venv/bin").mkdir(parents=True)
    (tmp_path / "my venv/bin/activate").touch()
    monkeypatch.setattr("sys.prefix", str(tmp_path / "my venv"))

    printed = run_init("mine")

    assert f". '{tmp_path}/my venv/bin/activate' && cd mine" in printed.stdout.splitlines()[-1]


@pytest.mark.parametrize("entry", ["notes.txt", ".env", "dvc.yaml", "posts2/a.txt"])
def test_a_folder_with_files_of_its_own_is_refused_and_left(tmp_path: Path, write: Write, entry: str) -> None:
    write(f"mine/{entry}", "mine")

    with pytest.raises(ConfigError, match=f"holds files of its own: {Path(entry).parts[0]}"):
        create_project(Path("mine"))

    assert list_files(tmp_path / "mine") == [entry]


def test_a_project_is_not_made_twice_and_the_upgrade_is_named(posts: Path) -> None:
    create_project(Path("mine"), posts)

    with pytest.raises(ConfigError, match="cotpd init --upgrade"):
        create_project(Path("mine"), posts)


def test_the_data_set_and_an_empty_repository_may_be_there(tmp_path: Path) -> None:
    data = write_posts(tmp_path / "mine/posts")
    subprocess.run(["git", "init", "-q", "mine"], check=True, timeout=60)

    project = create_project(Path("mine"), data)

    assert load_params(tmp_path / "mine/params.yaml").data.path == "posts"
    assert "in the git repository that was here" in project.repository


@pytest.mark.parametrize("name", ["data", "models", "reports", "prompts", "expectations", "registry"])
def test_a_data_set_where_the_project_has_files_is_refused(tmp_path: Path, name: str) -> None:
    data = write_posts(tmp_path / "mine" / name)
    before = list_files(tmp_path / "mine")

    with pytest.raises(ConfigError, match=r"posts|folder of its own"):
        create_project(Path("mine"), data)

    assert list_files(tmp_path / "mine") == before


def test_a_project_within_the_data_set_is_refused(posts: Path) -> None:
    with pytest.raises(ConfigError, match="contains data/prepared"):
        create_project(posts / "mine", posts)

    assert not (posts / "mine").exists()


@pytest.mark.parametrize(
    "arguments", [("--data", "nothing"), ("--task", "nerd"), ("--data", "posts", "--task", "re")]
)
def test_a_refused_data_set_or_task_leaves_no_folder(posts: Path, arguments: tuple[str, ...]) -> None:
    printed = run_init("mine", *arguments)

    assert isinstance(printed.exception, CotpdError)
    assert not Path("mine").exists()


def test_a_file_in_place_of_the_folder_is_refused(write: Write) -> None:
    with pytest.raises(ConfigError, match="is no folder"):
        create_project(write("mine", "text"))


# the first file that is written, a later one, and one of a folder
@pytest.mark.parametrize("name", ["prefect.toml", "prefect.yaml", "noun.txt"])
def test_a_folder_that_cannot_be_written_is_named_with_a_remedy_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write_text = Path.write_text

    def fail_late(path: Path, *arguments, **options) -> int:
        if path.name == name:
            path.touch()  # as a disk does that gets full in the middle of a file
            raise OSError(28, "No space left on device", str(path))
        return write_text(path, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", fail_late)

    with pytest.raises(
        ConfigError, match=rf"{name}: No space left on device\n  Name a folder that you may write to"
    ):
        create_project(Path("new/mine"))

    assert list(tmp_path.iterdir()) == []


def test_data_far_from_the_project_are_named_by_their_whole_path(tmp_path: Path) -> None:
    data = write_posts(tmp_path / "elsewhere/export")

    create_project(Path("work/mine"), data)
    create_project(Path("beside"), data)

    assert load_params(tmp_path / "work/mine/params.yaml").data.path == str(data)
    assert load_params(tmp_path / "beside/params.yaml").data.path == "../elsewhere/export"


def test_a_link_to_the_data_stays_a_link(tmp_path: Path) -> None:
    write_posts(tmp_path / "disk/2026")
    Path("posts").symlink_to("disk/2026")

    create_project(Path("mine"), Path("posts"))

    assert load_params(tmp_path / "mine/params.yaml").data.path == "../posts"


# git and DVC


def test_outside_a_repository_git_init_is_run(posts: Path, tmp_path: Path) -> None:
    project = create_project(Path("mine"), posts)

    ignored = subprocess.run(
        ["git", "check-ignore", "data/x", "models/x", "ledger.db"], cwd="mine", capture_output=True, text=True
    )
    assert project.repository == "a git repository and a DVC project of its own"
    assert (tmp_path / "mine/.git").is_dir()
    assert ignored.stdout.split() == ["data/x", "models/x", "ledger.db"]


def test_inside_a_git_and_dvc_repository_the_project_is_one_of_its_own(tmp_path: Path) -> None:
    from steps.graph import read_graph

    subprocess.run(["git", "init", "-q", "."], check=True, timeout=60)
    (tmp_path / ".dvc").mkdir()

    project = create_project(Path("sub/mine"))

    (tmp_path / "sub/mine/posts").mkdir()
    assert f"within the git repository {tmp_path}" in project.repository
    assert not (tmp_path / "sub/mine/.git").exists()
    assert "register" in [step.name for step in read_graph(tmp_path / "sub/mine")]


def test_a_repository_that_git_does_not_trust_is_left_alone(
    posts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "-q", tmp_path / "outer"], check=True)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # as a repository of another user

    with pytest.raises(ConfigError, match="dubious ownership") as caught:
        create_project(tmp_path / "outer/mine", posts)

    assert "safe.directory" in str(caught.value.remedy)
    assert [path.name for path in (tmp_path / "outer").iterdir()] == [".git"]


def test_a_folder_that_the_outer_repository_ignores_gets_one_of_its_own(tmp_path: Path, write: Write) -> None:
    subprocess.run(["git", "init", "-q", "."], check=True, timeout=60)
    write(".gitignore", "/mine/\n")

    create_project(Path("mine"))

    assert (tmp_path / "mine/.git").is_dir()


def test_without_git_dvc_works_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from steps.graph import read_graph

    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))

    project = create_project(Path("mine"))

    assert "git is not installed" in project.repository
    assert "no_scm = true" in (tmp_path / "mine/.dvc/config").read_text("utf-8")
    assert len(read_graph(tmp_path / "mine")) == len(yaml.safe_load(Path("mine/dvc.yaml").read_text())["stages"])


def test_a_name_with_signs_of_yaml_and_of_the_shell_is_written_and_shown_whole(tmp_path: Path) -> None:
    write_posts(tmp_path / "posts: of #1 'x'")

    printed = run_init("a $HOME; b", "--data", "posts: of #1 'x'")

    assert load_params(tmp_path / "a $HOME; b/params.yaml").data.path == "../posts: of #1 'x'"
    assert shlex.split(printed.stdout.splitlines()[-1].partition("cd ")[2])[0] == "a $HOME; b"


def test_how_the_data_are_read_is_said_once_and_kept_as_parameters(tmp_path: Path) -> None:
    rows = [
        {"id": n, "text": f"👋 New York Times {n}", "label": [[3, 11, "LOC"], [3, 17, "ORG"]]} for n in range(30)
    ]
    write_jsonl(tmp_path / "export.jsonl", rows)

    printed = run_init("mine", "--data", "export.jsonl", "--offsets", "utf16", "--nested", "outermost")

    assert printed.exit_code == 0, printed.output
    data = load_params(Path("mine/params.yaml")).data
    assert (data.offsets, data.nested, data.format) == ("utf16", "outermost", "doccano")
    assert len(load_dataset(data, Path("mine")).quarantine) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--offsets", "utf-16", "--data", "posts"), "--offsets utf-16"),
        (("--nested", "innermost"), "--nested says how posts are read"),
    ],
)
def test_an_option_of_reading_that_makes_no_sense_leaves_nothing(posts: Path, arguments, message: str) -> None:
    printed = run_init("mine", *arguments)

    assert message in str(printed.exception)
    assert not Path("mine").exists()
