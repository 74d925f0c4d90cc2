"""What a run is given: stages by name, values for params.yaml, and the folder for itself alone."""

from itertools import chain
from pathlib import Path

import pytest
import yaml

from cotpd.errors import ConfigError
from flows.run_values import write_values
from flows.stage_choice import choose_steps
from flows.workspace_lock import hold_workspace
from steps.graph import Step

GRAPH = [
    Step("prepare", "", ()),
    Step("ask", "", ("prepare",)),
    Step("train", "", ("ask",)),
    Step("aside", "", ()),
]


@pytest.fixture
def params(tmp_path: Path, root: Path) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text((root / "params.yaml").read_text())
    return path


def test_stages_come_with_all_that_they_need() -> None:
    assert [step.name for step in choose_steps(GRAPH, ["train"])] == ["prepare", "ask", "train"]


def test_without_a_choice_every_stage_runs() -> None:
    assert choose_steps(GRAPH, []) == GRAPH


def test_a_misspelt_stage_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(ConfigError, match="no stage 'trian'; did you mean train"):
        choose_steps(GRAPH, ["trian"])


def test_overrides_are_written_with_the_comments_of_params_yaml_kept(params: Path) -> None:
    lines: list[str] = []
    comments = [line for line in params.read_text().splitlines() if line.strip().startswith("#")]

    write_values(params.parent, "", {"train.epochs": 2, "data.limit": 5}, lines.append)

    assert lines == ["params.yaml: train.epochs: 2", "params.yaml: data.limit: 5"]
    assert [line for line in params.read_text().splitlines() if line.strip().startswith("#")] == comments


def test_overrides_outweigh_the_preset(params: Path) -> None:
    lines: list[str] = []

    write_values(params.parent, "sample-re", {"train.epochs": 31}, lines.append)

    assert "params.yaml: task: re" in lines
    assert "params.yaml: train.epochs: 31" in lines


def test_the_engine_is_written_as_a_parameter_that_outweighs_the_overrides(params: Path) -> None:
    lines: list[str] = []

    write_values(params.parent, "", {"scale.engine": "local", "scale.num_gpus": 1}, lines.append, "ray")

    assert lines == ["params.yaml: scale.engine: ray", "params.yaml: scale.num_gpus: 1"]


def test_no_stage_depends_on_the_engine(root: Path) -> None:
    stages = yaml.safe_load((root / "dvc.yaml").read_text("utf-8"))["stages"]

    watched = set(chain.from_iterable(stage.get("params", []) for stage in stages.values()))

    assert not [name for name in watched if name.startswith("scale")]


@pytest.mark.parametrize(
    ("preset", "overrides", "problem"),
    [
        ("", {"train.epoch": 2}, "did you mean epochs"),
        ("", {"train.epochs": "many"}, "train.epochs"),
        ("", {"train": 3}, "train"),
        ("", {"train.epochs": 3, "train.epochs.best": 3}, "lies below the value"),
        ("", {".": 3}, "is no parameter"),
        ("smaple", {}, "there is no preset 'smaple'"),
    ],
)
def test_values_that_params_yaml_does_not_allow_change_nothing(params: Path, preset, overrides, problem) -> None:
    before = params.read_text()

    with pytest.raises(ConfigError, match=problem):
        write_values(params.parent, preset, overrides, print)

    assert params.read_text() == before


class StopWaitingError(Exception):
    """Ends a wait that would last for ever."""


def test_a_second_run_in_a_folder_waits_and_says_for_which(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    reasons: list[str] = []

    def give_up(reason: str) -> None:
        reasons.append(reason)
        raise StopWaitingError

    with (
        hold_workspace(tmp_path, "swift-otter", print),
        pytest.raises(StopWaitingError),
        hold_workspace(tmp_path, "late-heron", give_up),
    ):
        pass

    assert reasons[0].startswith("the run swift-otter (process ")
    assert reasons[0].endswith(f"is at work in {tmp_path}")


def test_a_folder_is_free_when_the_run_before_has_ended(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    reasons: list[str] = []
    with hold_workspace(tmp_path, "swift-otter", reasons.append):
        pass

    with hold_workspace(tmp_path, "late-heron", reasons.append):
        assert reasons == []


def test_runs_in_two_folders_do_not_wait_for_each_other(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / ".dvc").mkdir(parents=True)
    reasons: list[str] = []

    with (
        hold_workspace(tmp_path / "one", "swift-otter", print),
        hold_workspace(tmp_path / "two", "late", reasons.append),
    ):
        assert reasons == []


@pytest.mark.parametrize(
    ("key", "value", "variable"),
    [
        ("llm.base_url", "https://me:hunter2@host/v1", "OPENAI_API_KEY"),
        ("llm.ledger", "postgresql+psycopg://me:hunter2@host/ledger", "COTPD_LEDGER"),
        ("register.tracking_uri", "postgresql://me:hunter2@host/mlflow", "MLFLOW_TRACKING_URI"),
        ("llm.base_url", "https://host/v1?api_key=hunter2", "OPENAI_API_KEY"),
        ("llm.extra_body", {"headers": [{"api_key": "hunter2"}]}, "a variable of the environment"),
        ("llm.extra_body.token", "hunter2", "a variable of the environment"),
    ],
)
def test_a_secret_is_refused_with_the_variable_for_it_and_not_repeated(params: Path, key, value, variable) -> None:
    before = params.read_text()

    with pytest.raises(ConfigError, match=variable) as caught:
        write_values(params.parent, "", {key: value}, print)

    assert "hunter2" not in str(caught.value)
    assert params.read_text() == before


def test_a_name_that_only_resembles_a_secret_is_written(params: Path) -> None:
    overrides = {"llm.api_key_env": "MY_KEY", "llm.length_key": "max_tokens", "llm.base_url": "https://host/v1"}

    write_values(params.parent, "", overrides, print)

    assert yaml.safe_load(params.read_text())["llm"]["api_key_env"] == "MY_KEY"
