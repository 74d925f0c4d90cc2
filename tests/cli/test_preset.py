"""Presets: values are written, comments stay, and a bad preset changes nothing."""

import shutil
from pathlib import Path

import pytest

from cotpd.cli.preset import apply, write_values
from cotpd.config import load_params
from cotpd.errors import ConfigError

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return Path(shutil.copy(ROOT / "params.yaml", tmp_path))


@pytest.mark.parametrize("preset", sorted(path.stem for path in (ROOT / "presets").glob("*.yaml")))
def test_every_shipped_preset_is_valid(preset: str, params: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    apply(preset, data="somewhere", params=params)
    assert load_params(params).data.path == "somewhere"


@pytest.mark.parametrize("other", ["sample-re", "twitter2017", "twitter2017-frozen", "mnre"])
def test_the_sample_preset_takes_back_what_another_did(
    other: str, params: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    before = load_params(params)
    apply(other, data=None, params=params)
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
    with pytest.raises(ConfigError, match="epochs"):
        write_values(params, {"train": {"epochs": -1}})
    assert params.read_bytes() == before


def test_an_unknown_preset_names_the_known_ones(params: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(ConfigError, match="twitter2017"):
        apply("nothing", data=None, params=params)
