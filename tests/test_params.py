"""params.yaml is written the way DVC writes it: `dvc exp run -S` changes the value it is given, and nothing else."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from cotpd.cli.params_editor import write_values

ROOT = Path(__file__).parent.parent


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return Path(shutil.copy(ROOT / "params.yaml", tmp_path))


def iterate_leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from iterate_leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


LEAVES = dict(iterate_leaves(yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))))


def list_comments(text: str) -> list[str]:
    return [line.partition("#")[2] for line in text.splitlines() if "#" in line]


@pytest.mark.parametrize("key", [key for key, value in LEAVES.items() if not isinstance(value, list)])
def test_dvc_changes_one_line_for_one_value(key: str, params: Path) -> None:
    before = params.read_text("utf-8").splitlines()

    apply_overrides(params, [f"{key}=7"])

    after = params.read_text("utf-8").splitlines()
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) <= 1  # a few are 7 already
    assert all(f"{key.rpartition('.')[2]}: 7" in line for line in changed)


@pytest.mark.parametrize("key", [key for key, value in LEAVES.items() if isinstance(value, list)] + ["data.types"])
@pytest.mark.parametrize("items", ["[]", "[one]", "[one, two, three, four, five]"])
def test_dvc_changes_one_list_and_no_comment(key: str, items: str, params: Path) -> None:
    before = params.read_text("utf-8")

    apply_overrides(params, [f"{key}={items}"])

    after = params.read_text("utf-8")
    assert list_comments(after) == list_comments(before)
    assert dict(iterate_leaves(yaml.safe_load(after))) == LEAVES | {key: yaml.safe_load(items)}
    assert after.count("\n\n") == before.count("\n\n")


def test_a_list_that_was_set_and_is_taken_back_leaves_the_file_as_it_was(params: Path) -> None:
    before = params.read_bytes()

    for values in ("[PER, LOC]", "null"):
        apply_overrides(params, [f"data.types={values}"])
    for values in ("[{model: other}]", "[]"):
        apply_overrides(params, [f"llm.others={values}"])

    assert params.read_bytes() == before


def test_a_preset_writes_as_dvc_does(params: Path, tmp_path: Path) -> None:
    expected = Path(shutil.copy(params, tmp_path / "other.yaml"))

    apply_overrides(expected, ["task=re", "ask.kinds=[]", "evaluate.splits=[valid]", "llm.temperature=null"])
    write_values(
        params,
        {
            "task": "re",
            "ask": {"kinds": []},
            "evaluate": {"splits": ["valid"]},
            "llm": {"temperature": None},
        },
    )

    assert params.read_bytes() == expected.read_bytes()
