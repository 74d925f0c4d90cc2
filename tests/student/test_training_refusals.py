"""What training refuses before or while it runs, and how its rate rises and falls."""

import shutil

import pytest

from cotpd.errors import ConfigError, DataError, ModelError
from cotpd.student import training
from cotpd.student.optimization import compute_rate_factor
from tests.student.tiny_runs import train_model


@pytest.mark.parametrize("device", ["cuda:7", "mps:3", "tpu", "cpu:x", "meta", ""])
def test_a_device_that_is_not_there_is_named_before_anything_is_loaded(
    device, ner_examples, small, brief, tmp_path
):
    with pytest.raises(ConfigError, match="device"):
        train_model(ner_examples, small, brief.model_copy(update={"device": device}), tmp_path / "m")

    assert not (tmp_path / "m").exists()


def test_a_loss_that_is_no_number_stops_and_names_the_posts(ner_examples, small, brief, tmp_path):
    params = brief.model_copy(update={"learning_rate": 1e30, "max_grad_norm": 1e30, "epochs": 5})

    with pytest.raises(ModelError, match=r"(loss|gradient) is (nan|inf) on the posts .*p\d+"):
        train_model(ner_examples, small, params, tmp_path / "m", valid=[])

    assert not (tmp_path / "m").exists()


def test_a_gradient_that_is_no_number_names_its_own_posts_and_spoils_no_weights(
    ner_examples, small, brief, tmp_path, monkeypatch
):
    real = training.Training._add_gradients

    def spoil_gradient(self, part, share):
        losses = real(self, part, share)
        if self.steps_done == 5:  # the last step of all: no loss comes after it
            self.model.head.linear.bias.grad[0] = float("nan")
            last.extend(example.id for example in part)
        return losses

    last: list[str] = []
    monkeypatch.setattr(training.Training, "_add_gradients", spoil_gradient)

    with pytest.raises(ModelError, match="gradient is nan") as error:
        train_model(ner_examples, small, brief, tmp_path / "m", valid=[])

    assert f"on the posts {', '.join(last)}" in str(error.value)
    assert not (tmp_path / "m").exists()


@pytest.fixture
def check_refused(ner_examples, small, brief, tmp_path):
    """Assert that training is refused with an error of a kind and a message; examples and parameters may be changed."""

    def check_refused(kind, message, examples=ner_examples, student=small, params=brief, valid=()):
        with pytest.raises(kind, match=message):
            train_model(examples, student, params, tmp_path / "m", valid=list(valid))

    return check_refused


def test_training_without_examples_is_refused(check_refused):
    check_refused(DataError, "no training example", examples=[])


def test_an_encoder_that_is_not_there_is_refused(check_refused, small, tmp_path):
    absent = small.model_copy(update={"encoder": str(tmp_path / "nowhere")})

    check_refused(ModelError, "nowhere", student=absent)


def test_an_encoder_whose_weights_are_cut_off_is_refused(check_refused, small, tmp_path):
    folder = shutil.copytree(small.encoder, tmp_path / "cut")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])

    check_refused(ModelError, "encoder .*cut", student=small.model_copy(update={"encoder": str(folder)}))


def test_a_label_of_valid_that_cannot_be_learnt_is_refused(check_refused, ner_examples):
    [entity, *_] = ner_examples[0].entities
    odd = ner_examples[0].model_copy(update={"entities": (entity.model_copy(update={"type": "X"}),)})

    check_refused(DataError, "posts.jsonl:1: post p0: label 'X'", valid=[odd])


def test_the_rate_rises_then_falls_to_zero():
    factors = [compute_rate_factor(step, 20, 0.2) for step in range(21)]

    assert factors[:5] == sorted(factors[:5])
    assert max(factors) == factors[4] == 1
    assert factors[4:] == sorted(factors[4:], reverse=True)
    assert factors[20] == 0


def test_without_a_warm_up_the_first_step_has_the_peak_rate():
    assert compute_rate_factor(0, 10, 0) == 1


def test_a_warm_up_of_all_steps_never_reaches_the_peak():
    assert compute_rate_factor(9, 10, 1.0) < 1
