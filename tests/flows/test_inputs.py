"""dvc.yaml names the code that a stage runs, so that a change of it re-runs the stage."""

from pathlib import Path, PurePosixPath

import pytest
import yaml

STAGES = yaml.safe_load((Path(__file__).parent.parent.parent / "dvc.yaml").read_text("utf-8"))["stages"]


@pytest.mark.parametrize("key", ["deps", "params"])
def test_what_makes_a_question_concerns_the_stage_that_asks_it_again(key: str) -> None:
    watched = set(STAGES["validate"][key])

    missing = [
        name
        for name in STAGES["ask"][key]
        if not name.startswith("steps/") and watched.isdisjoint([name, *map(str, PurePosixPath(name).parents)])
    ]

    assert missing == []


@pytest.mark.parametrize("stage", ["ask", "validate", "augment"])
def test_every_stage_that_asks_watches_the_prompts(stage: str) -> None:
    assert {"cotpd/llm", "cotpd/prompts"} <= set(STAGES[stage]["deps"])
