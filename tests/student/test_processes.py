"""Several processes, several parts: the same step as one process that computes it whole."""

import json
import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from cotpd.errors import ConfigError
from cotpd.student import Student, training
from cotpd.student.objectives import JointDistillation
from cotpd.student.optimization import make_optimizer, prepare_for_training
from cotpd.student.params import DistilParams, TrainParams
from cotpd.student.processes import Processes, _cut_evenly
from tests.student.tiny_runs import build_learner, train_model

ALONE = Path(__file__).with_name("train_alone.py")


def launch(count: int, folder: Path, examples, student, params, **environment) -> subprocess.CompletedProcess:
    """Train in ``count`` processes into folder/m."""
    settings = {
        "examples": [example.model_dump(mode="json") for example in examples],
        "student": student.model_dump(mode="json"),
        "params": params.model_dump(mode="json"),
    }
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(json.dumps(settings), "utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    root = str(ALONE.parents[2])
    return subprocess.run(
        [*command, str(ALONE), str(folder / "run.json"), str(folder / "m")],
        env={**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def read_history(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def close(left: Path, right: Path) -> None:
    """Assert that the weights of two models are the same, but for rounding."""
    weights, right_weights = (load_file(folder / "model.safetensors") for folder in (left, right))
    for name, value in weights.items():
        torch.testing.assert_close(
            value, right_weights[name], rtol=1e-3, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.slow
def test_two_processes_train_what_one_trains_and_only_the_first_speaks(ner_examples, still, brief, tmp_path):
    # 11 posts in batches of 4: shares are unequal, and the last batch has three
    train_model(ner_examples[:11], still, brief, tmp_path / "one")

    process = launch(2, tmp_path / "two", ner_examples[:11], still, brief)

    assert process.returncode == 0, process.stderr
    assert process.stderr.count("epoch 1:") == 1
    close(tmp_path / "one", tmp_path / "two/m")
    histories = (read_history(tmp_path / "one"), read_history(tmp_path / "two/m"))
    for a, b in zip(*histories, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)
        assert a["valid"] == b["valid"]
    assert not list((tmp_path / "two").glob(".*")), "a checkpoint was left behind"


@pytest.mark.slow
def test_two_processes_that_are_killed_go_on_and_end_the_same(ner_examples, small, brief, tmp_path):
    small = small.model_copy(update={"dropout": 0.2})

    assert launch(2, tmp_path / "whole", ner_examples, small, brief).returncode == 0
    assert launch(2, tmp_path / "cut", ner_examples, small, brief, DIE_IN="2").returncode != 0
    assert not (tmp_path / "cut/m").exists()

    process = launch(2, tmp_path / "cut", ner_examples, small, brief)

    assert process.returncode == 0, process.stderr
    assert process.stderr.count("going on after epoch 1") == 1
    for name in ("model.safetensors", "history.jsonl"):
        assert (tmp_path / "cut/m" / name).read_bytes() == (tmp_path / "whole/m" / name).read_bytes()


@pytest.mark.slow
def test_more_processes_than_posts_and_a_loss_that_is_no_number_ends_them_all(
    ner_examples, small, brief, tmp_path
):
    params = brief.model_copy(update={"learning_rate": 1e30, "max_grad_norm": 1e30, "batch_size": 1, "epochs": 5})

    process = launch(2, tmp_path / "two", ner_examples[:3], small, params)

    assert process.returncode != 0
    assert "on the posts p" in process.stderr
    assert not (tmp_path / "two/m").exists()


@given(length=st.integers(0, 40), parts=st.integers(1, 9))
def test_shares_are_whole_and_even(length, parts):
    bounds = _cut_evenly(length, parts)

    assert list(chain.from_iterable(range(start, end) for start, end in bounds)) == list(range(length))
    sizes = [end - start for start, end in bounds]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    ("examples", "parts", "pieces"),
    [([7, 8, 9], 2, [([7, 8], 2 / 3), ([9], 1 / 3)]), ([7], 4, [([7], 1.0)])],
)
def test_one_process_computes_all_examples_in_parts(examples, parts, pieces):
    assert Processes("cpu").split_step(examples, parts) == pieces


def test_a_process_without_examples_computes_one_for_nothing():
    second = Processes("cpu")
    second.count, second.index = 2, 1

    assert second.split_step([7], 1) == [([7], 0.0)]


@pytest.mark.parametrize("parts", [2, 3, 100])
def test_a_step_in_parts_is_the_step_in_one(parts, ner_examples, still, brief, tmp_path):
    train_model(ner_examples, still, brief, tmp_path / "whole")

    train_model(ner_examples, still, brief.model_copy(update={"accumulate": parts}), tmp_path / "parts")

    close(tmp_path / "whole", tmp_path / "parts")


def test_killed_in_the_middle_of_a_step_in_parts_it_ends_the_same(
    ner_examples, small, brief, tmp_path, monkeypatch
):
    small = small.model_copy(update={"dropout": 0.2})
    params = brief.model_copy(update={"accumulate": 2})
    train_model(ner_examples, small, params, tmp_path / "whole")
    real, parts = training.Training._add_gradients, []

    def stop_or_add(self, part, share):
        parts.append(1)
        if len(parts) == 10:  # three steps of two parts an epoch: the second half of a step of the second
            raise KeyboardInterrupt
        return real(self, part, share)

    monkeypatch.setattr(training.Training, "_add_gradients", stop_or_add)
    with pytest.raises(KeyboardInterrupt):
        train_model(ner_examples, small, params, tmp_path / "cut")
    train_model(ner_examples, small, params, tmp_path / "cut")
    whole, cut = (tmp_path / name / "model.safetensors" for name in ("whole", "cut"))
    assert cut.read_bytes() == whole.read_bytes()


def test_checkpointing_computes_anew_and_gives_the_same_gradients(any_encoder, ner_examples, small, monkeypatch):
    real, products = torch.nn.Linear.forward, []
    monkeypatch.setattr(torch.nn.Linear, "forward", lambda self, x: products.append(1) or real(self, x))
    small = small.model_copy(update={"encoder": any_encoder, "dropout": 0.2})
    objective, gradients = JointDistillation(DistilParams()), []

    for checkpointing in (False, True):
        learner = build_learner(small, objective)
        prepare_for_training(learner.model, TrainParams(checkpointing=checkpointing))
        learner.model.train()
        torch.manual_seed(5)
        products.clear()
        loss = objective.compute_losses(learner, learner.example_encoder.encode(ner_examples))["loss"]
        forward = len(products)
        loss.backward()
        again = len(products) - forward
        assert again >= 4 if checkpointing else not again  # linear maps of at least one layer, and of two views
        gradients.append({name: w.grad for name, w in learner.model.named_parameters() if w.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], msg=name)


def test_an_encoder_without_layers_to_compute_anew_is_refused(small, monkeypatch):
    learner = build_learner(small, JointDistillation(DistilParams()))
    monkeypatch.setattr(type(learner.model.encoder), "supports_gradient_checkpointing", False)
    learner.model.encoder.encoder = torch.nn.Identity()

    with pytest.raises(ConfigError, match="BertModel has no layers"):
        prepare_for_training(learner.model, TrainParams(checkpointing=True))


@pytest.fixture
def freezing(brief):
    """A training run that leaves the word embeddings as they came."""
    return brief.model_copy(update={"freeze_embeddings": True})


def test_frozen_embeddings_stay_and_the_layers_learn(ner_examples, small, freezing, tmp_path):
    before = build_learner(small, JointDistillation(DistilParams())).model.encoder
    layer = "encoder.layer.0.output.dense.weight"

    train_model(ner_examples, small, freezing, tmp_path / "m")

    after = Student.from_pretrained(tmp_path / "m", "cpu").model.encoder
    assert torch.equal(before.get_input_embeddings().weight, after.get_input_embeddings().weight)
    assert not torch.equal(before.get_parameter(layer), after.get_parameter(layer))


def test_frozen_embeddings_take_no_room_in_the_optimiser(small, freezing):
    model = build_learner(small, JointDistillation(DistilParams())).model
    prepare_for_training(model, freezing)

    groups = make_optimizer(model, freezing).param_groups

    table = model.encoder.get_input_embeddings().weight
    weights = chain.from_iterable(group["params"] for group in groups)
    assert not any(weight is table for weight in weights)
