"""Damaged data sets of every format end in posts, quarantined rows or a CotpdError: never in another exception.

A seed damages a small data set in one to four ways: bytes and lines of a file, values of a row, names of files,
parameters. A few seeds run with every `make test`, many with `make stress`.
"""

import json
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cotpd.config import Params, load_params
from cotpd.data.dataset_report import build_report
from cotpd.data.load import Dataset, load_dataset
from cotpd.data.readers.split_names import find_split
from cotpd.data.records import iterate_posts
from cotpd.data.tables import write_json, write_table
from cotpd.data.unlabelled import load_unlabelled
from cotpd.errors import CotpdError
from tests.data.damage import FORMATS, PIECES, SPOILERS, YAML_PIECES, build, choose_params

SEEDS = int(os.environ.get("COTPD_STRESS", "20"))  # of each format


def check_that_no_row_is_lost(folder: Path, dataset: Dataset) -> None:
    """Every line that is not blank became a post or a refused row, where a line is a row."""
    rows = [*iterate_posts(dataset.posts), *dataset.quarantine]
    counts = Counter(row.file for row in rows if dataset.stats["format"] == "jsonl")
    unread = " ".join(dataset.stats["warnings"])
    for file in folder.glob("*.jsonl") if counts else ():
        if find_split(file) and file.is_file() and file.name not in unread:
            lines = [line for line in file.read_bytes().decode("utf-8-sig").split("\n") if line.strip()]
            assert counts[file.name] == max(1, len(lines)), file.name


def read_and_write(folder: Path, data: dict[str, Any]) -> None:
    """What `cotpd data check` and the prepare step do with a data set."""
    try:
        params = Params.model_validate({"data": data}).data
    except ValueError:
        return
    dataset = load_dataset(params, folder, require_train=False)
    if data["path"] == ".":
        check_that_no_row_is_lost(folder, dataset)
    unlabelled = load_unlabelled(params, dataset.posts, folder)
    json.dumps(build_report(dataset), ensure_ascii=False).encode()
    for split, posts in dataset.posts.items():
        write_table(folder / "out" / f"{split}.jsonl", posts)
    write_table(folder / "out/quarantine.jsonl", [*dataset.quarantine, *unlabelled.quarantine])
    write_json(folder / "out/summary.json", dataset.stats | {"unlabelled": unlabelled.stats})
    for row in dataset.quarantine:
        assert row.reason
        assert row.line > 0


@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_data_set_is_read_refused_or_explained(tmp_path: Path, name: str) -> None:
    for seed in range(SEEDS):
        rng = random.Random(f"{name} {seed}")
        folder = tmp_path / f"{seed}"
        folder.mkdir()
        files = build(folder, name, rng)
        for path in rng.sample(files, rng.randint(0, 3)):
            rng.choice(SPOILERS)(path, rng)
        data = choose_params(name, rng)

        try:
            read_and_write(folder, data)
        except CotpdError as error:
            str(error).encode()
        except Exception as error:
            pytest.fail(f"seed {seed} of {name}: {type(error).__name__}: {error}")


@pytest.mark.timeout(900)
def test_a_damaged_parameter_file_is_read_or_explained(tmp_path: Path, root: Path) -> None:
    original = (root / "params.yaml").read_bytes()
    path = tmp_path / "params.yaml"
    for seed in range(SEEDS):
        rng = random.Random(seed)
        content = original
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(content))
            content = content[:at] + rng.choice([*PIECES, *YAML_PIECES]) + content[at + rng.choice([0, 1, 5]) :]
        path.write_bytes(content)

        try:
            load_params(path)
        except CotpdError as error:
            str(error).encode()
        except Exception as error:
            pytest.fail(f"seed {seed}: {type(error).__name__}: {error}")
