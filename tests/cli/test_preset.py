"""Presets: values are written, comments stay, and a bad preset changes nothing."""

import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cotpd.cli import preset as module
from cotpd.cli.params_editor import write_values
from cotpd.cli.preset import apply
from cotpd.config import load_params
from cotpd.errors import ConfigError

ROOT = Path(__file__).parent.parent.parent
PRESETS = sorted((ROOT / "cotpd/presets").glob("*.yaml"))


def list_keys(values: dict, prefix: str = "") -> set[str]:
    """The dotted keys that are set."""
    return {
        key
        for name, value in values.items()
        for key in (list_keys(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name})
    }


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return Path(shutil.copy(ROOT / "params.yaml", tmp_path))


@pytest.mark.parametrize("preset", [path.stem for path in PRESETS])
def test_every_shipped_preset_is_valid(preset: str, params: Path) -> None:
    folder = params.parent / "somewhere"
    folder.mkdir()

    apply(preset, data=str(folder), params=params)

    assert load_params(params).data.path == str(folder)


def test_data_that_are_not_there_are_refused_and_nothing_is_written(params: Path) -> None:
    before = params.read_bytes()

    with pytest.raises(ConfigError, match="--data nowhere: there is nothing there"):
        apply("sample", data="nowhere", params=params)

    assert params.read_bytes() == before


@pytest.mark.parametrize("previous", ["sample-re", "twitter2017", "twitter2017-frozen", "mnre"])
def test_the_sample_preset_takes_back_what_another_did(previous: str, params: Path) -> None:
    before = load_params(params)

    apply(previous, data=None, params=params)

    assert load_params(params) != before
    apply("sample", data=None, params=params)
    assert load_params(params) == before


def test_comments_survive(params: Path) -> None:
    write_values(params, {"train": {"epochs": 2}})

    text = params.read_text("utf-8")
    assert "epochs: 2" in text
    assert "# Every knob of the pipeline" in text
    assert text.count("#") == (ROOT / "params.yaml").read_text("utf-8").count("#")


def test_a_bad_value_leaves_the_file_as_it_was(params: Path) -> None:
    before = params.read_bytes()

    with pytest.raises(ConfigError, match=rf"^{params}:\d+: train\.epochs: "):
        write_values(params, {"train": {"epochs": -1}})
    assert params.read_bytes() == before
    assert list(params.parent.iterdir()) == [params]


def test_an_unknown_preset_names_the_known_ones(params: Path) -> None:
    with pytest.raises(ConfigError, match="twitter2017"):
        apply("nothing", data=None, params=params)


def test_every_preset_sets_the_same_keys_so_that_none_leaves_anything_behind() -> None:
    keys_by_preset = {path.stem: list_keys(yaml.safe_load(path.read_text("utf-8"))) for path in PRESETS}

    expected = keys_by_preset["mnre"]
    assert {name: keys ^ expected for name, keys in keys_by_preset.items() if keys != expected} == {}
    assert "data.limit" in expected


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_a_limit_that_was_tried_does_not_outlive_a_preset(preset: Path, params: Path) -> None:
    write_values(params, {"data": {"limit": 2000}, "teach": {"epochs": 9}})

    apply(preset.stem, data=None, params=params)

    values = yaml.safe_load(preset.read_text("utf-8"))
    assert load_params(params).data.limit == values["data"]["limit"]
    assert load_params(params).teach.epochs == values["teach"]["epochs"]


def test_a_preset_that_changes_nothing_writes_nothing(params: Path) -> None:
    apply("sample", data=None, params=params)
    before = params.stat()

    apply("sample", data=None, params=params)

    assert (params.stat().st_ino, params.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_link_stays_a_link(params: Path) -> None:
    link = params.with_name("link.yaml")
    link.symlink_to(params)

    write_values(link, {"train": {"epochs": 2}})

    assert link.is_symlink()
    assert load_params(params).train.epochs == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- a", r"mine\.yaml: holds a list, not sections"),
        ("a: b: c", r"mine\.yaml:1: not YAML"),
        ("task: re\ntask: ner", r"mine\.yaml:2: not YAML: found duplicate key"),
        ("x: 2024-13-45", r"mine\.yaml: not YAML: month"),
        ("data: [1]", r"mine\.yaml: data holds \[1\]"),
        (b"a: \xff", r"mine\.yaml: not UTF-8"),
    ],
)
@pytest.mark.parametrize("of", ["preset", "params"])
def test_a_file_that_is_no_mapping_is_named(params: Path, content: str | bytes, message: str, of: str) -> None:
    edited = params.with_name("mine.yaml")
    edited.write_bytes(content if isinstance(content, bytes) else content.encode())
    if of == "preset":
        with pytest.raises(ConfigError, match=message):
            apply(str(edited), data="x", params=params)
    elif "data holds" not in message:  # of a parameter file, the parameters' own check says so
        with pytest.raises(ConfigError, match=message):
            write_values(edited, {"task": "re"})


def test_a_missing_parameter_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nope\.yaml: there is no such file"):
        write_values(tmp_path / "nope.yaml", {"task": "re"})


def test_a_preset_without_data_takes_the_folder_that_is_given(params: Path) -> None:
    for content in ("data: null\n", "task: re\n", ""):
        edited = params.with_name("mine.yaml")
        edited.write_text(content, "utf-8")
        folder = params.parent / f"for {len(content)} characters"
        folder.mkdir()
        apply(str(edited), data=str(folder), params=params)
        assert load_params(params).data.path == str(folder)


def test_names_and_purposes_stand_apart() -> None:
    listed = CliRunner().invoke(module.app, ["list"], catch_exceptions=False).stdout.splitlines()

    assert [line.split("  ")[0] for line in listed] == [path.stem for path in PRESETS]
    assert len({len(line) - len(line.split("  ", 1)[1].lstrip()) for line in listed}) == 1


def test_presets_come_with_the_package_and_need_no_folder_of_the_project(
    params: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    listed = CliRunner().invoke(module.app, ["list"], catch_exceptions=False)
    applied = CliRunner().invoke(module.app, ["apply", "mnre"], catch_exceptions=False)

    assert "twitter2017-frozen" in listed.output
    assert applied.exit_code == 0
    assert load_params(params).task == "re"


@pytest.mark.parametrize("preset", ["twitter2015-base", "twitter2017-base"])
def test_a_base_size_preset_teaches_the_large_encoder_by_its_like_at_its_rate(preset: str, params: Path) -> None:
    apply(preset, data=None, params=params)

    settings = load_params(params)
    teachers = settings.teach.list_teachers(settings.student.encoder)
    runs = [settings.baseline, settings.train, *(teacher.run for teacher in teachers)]
    assert settings.student.encoder == "all-mpnet-base-v2"
    assert [teacher.encoder for teacher in teachers] == ["all-mpnet-base-v2"] * 2
    assert {run.learning_rate for run in runs} == {5e-5}


def test_the_small_encoder_and_its_rate_come_back_after_a_base_size_preset(params: Path) -> None:
    apply("twitter2017-base", data=None, params=params)

    apply("twitter2017-frozen", data=None, params=params)

    settings = load_params(params)
    assert settings.student.encoder == "all-MiniLM-L6-v2"
    assert settings.train.learning_rate == settings.baseline.learning_rate == settings.teach.learning_rate == 1e-4
