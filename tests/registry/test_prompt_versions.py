"""Prompts in MLflow's registry: a version for each change and for nothing else."""

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from cotpd.config import Params
from cotpd.pipeline.registration import read_prompts
from cotpd.registry.prompt_versions import register_prompts

DEFAULT = Path(__file__).parent.parent.parent / "cotpd/prompts/default"


@pytest.fixture(scope="module")
def client(tmp_path_factory) -> MlflowClient:
    return MlflowClient(f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db")


def test_the_prompts_that_a_run_uses_are_those_of_its_kinds_and_sets():
    params = Params.model_validate(
        {"ask": {"kinds": ["noun"], "prompts": "paper"}, "augment": {"kinds": ["style", "image"]}}
    )
    texts = read_prompts(params)
    assert set(texts) == {"cotpd-paper-noun", "cotpd-default-style", "cotpd-default-image"}
    assert texts["cotpd-default-style"] == (DEFAULT / "style.txt").read_text("utf-8")
    assert read_prompts(Params.model_validate({"ask": {"kinds": []}, "augment": {"kinds": []}})) == {}


def test_a_version_is_made_by_a_change_and_by_nothing_else(client, tmp_path):
    prompt_set = tmp_path / "own"
    shutil.copytree(DEFAULT, prompt_set)
    params = Params.model_validate(
        {"ask": {"kinds": ["noun", "sentence"], "prompts": str(prompt_set)}, "augment": {"kinds": []}}
    )
    first = register_prompts(client, read_prompts(params))
    assert first == {"prompt.cotpd-own-noun": "1", "prompt.cotpd-own-sentence": "1"}
    assert register_prompts(client, read_prompts(params)) == first
    with (prompt_set / "noun.txt").open("a", encoding="utf-8") as file:
        file.write("Be brief.\n")
    changed = register_prompts(client, read_prompts(params))
    assert changed == first | {"prompt.cotpd-own-noun": "2"}
    latest = client.load_prompt("prompts:/cotpd-own-noun@latest")
    assert latest.template == (prompt_set / "noun.txt").read_text("utf-8")


def test_a_set_may_have_any_folder(client, tmp_path):
    prompt_set = tmp_path / "größer: v.2"
    shutil.copytree(DEFAULT, prompt_set)
    params = Params.model_validate(
        {"ask": {"kinds": ["noun"], "prompts": str(prompt_set)}, "augment": {"kinds": []}}
    )
    assert register_prompts(client, read_prompts(params)) == {"prompt.cotpd-gr-er-v.2-noun": "1"}
