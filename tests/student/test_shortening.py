"""A student of fewer layers: which ones stay, in every encoder family, through saving, loading and a teacher's start."""

import json

import pytest
import torch
from torch import nn
from transformers import AutoModel, BertConfig

from cotpd.errors import ConfigError
from cotpd.student import Student
from cotpd.student.labels import LabelSet
from cotpd.student.objectives import FineTuning, JointDistillation
from cotpd.student.params import DistilParams, StudentParams
from cotpd.student.persistence import build_model
from cotpd.student.shortening import choose_layers, shorten_encoder
from cotpd.student.training import train
from tests.student.tiny_encoders import BRACKETS, FAMILIES, SIZES, save_encoder
from tests.student.tiny_runs import TYPES

LAYERS, KEPT = 4, [0, 2, 3]


@pytest.fixture(scope="module", params=FAMILIES)
def tall_encoder(request, tmp_path_factory) -> str:
    kind, special, options = FAMILIES[request.param]
    config = kind(**SIZES | {"num_hidden_layers": LAYERS}, **options)
    return save_encoder(tmp_path_factory.mktemp(request.param), config, special)


@pytest.fixture(scope="module")
def tall_bert(tmp_path_factory) -> str:
    return save_encoder(
        tmp_path_factory.mktemp("bert"), BertConfig(**SIZES | {"num_hidden_layers": LAYERS}), BRACKETS
    )


def read_states(encoder: nn.Module) -> torch.Tensor:
    ids = torch.tensor([[2, 5, 6, 7, 8, 3]])
    with torch.no_grad():
        return encoder.eval()(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state


def remove_layers(encoder: nn.Module, kept: list[int]) -> None:
    """Remove the other layers from the network; ALBERT, which has one layer, passes through it less often."""
    for module in list(encoder.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ModuleList) and len(child) == LAYERS:
                setattr(module, name, nn.ModuleList(child[index] for index in kept))
    encoder.config.num_hidden_layers = len(kept)


def train_student(examples, params, brief, out, objective=None, start=None):
    settings = {"task": "ner", "types": TYPES["ner"], "seed": 3, "student": params, "params": brief, "out": out}
    train(examples, examples, objective=objective or FineTuning(), start=start, **settings)
    return Student.from_pretrained(out, "cpu")


@pytest.mark.parametrize(
    ("total", "count", "kept"),
    [(12, 6, [0, 2, 4, 7, 9, 11]), (6, 3, [0, 2, 5]), (6, 2, [0, 5]), (6, 1, [0]), (4, 4, [0, 1, 2, 3])],
)
def test_layers_that_stay_are_evenly_spaced_with_the_first_and_the_last(total, count, kept):
    assert choose_layers(total, count) == kept


def test_a_shortened_encoder_computes_what_the_whole_one_does_without_the_other_layers(tall_encoder):
    shortened = shorten_encoder(AutoModel.from_pretrained(tall_encoder), len(KEPT), tall_encoder)

    whole = AutoModel.from_pretrained(tall_encoder)
    remove_layers(whole, KEPT)
    torch.testing.assert_close(read_states(shortened), read_states(whole))


def test_a_saved_student_of_fewer_layers_loads_in_any_family(tall_encoder, ner_examples, brief, tmp_path):
    params = StudentParams(encoder=tall_encoder, layers=2, prompt_length=3, generator_heads=2, max_length=40,
                           knowledge_length=48)  # fmt: skip
    objective = JointDistillation(DistilParams())

    student = train_student(
        ner_examples, params, brief.model_copy(update={"epochs": 1}), tmp_path / "s", objective
    )

    config = json.loads((tmp_path / "s/encoder/config.json").read_text("utf-8"))
    assert config["num_hidden_layers"] == 2
    assert student.params.layers == 2
    assert len(list(student.predict(["Ann lives in Rome"]))) == 1


def test_null_keeps_all_layers_and_as_many_as_there_are_change_nothing(tall_bert):
    encoder = AutoModel.from_pretrained(tall_bert)

    assert shorten_encoder(encoder, None, tall_bert) is encoder
    assert shorten_encoder(encoder, LAYERS, tall_bert) is encoder


def test_more_layers_than_the_encoder_has_are_refused_by_name_and_number(tall_bert):
    params = StudentParams(encoder=tall_bert, layers=LAYERS + 1)

    with pytest.raises(ConfigError, match=rf"student\.layers is 5, but {tall_bert} has 4"):
        build_model(params, LabelSet.build("ner", ["PER"]))


def test_a_student_of_fewer_layers_begins_with_the_same_layers_of_its_teacher(
    tall_bert, ner_examples, brief, tmp_path
):
    params = StudentParams(encoder=tall_bert, prompt_length=0, max_length=40, knowledge_length=48)
    still = brief.model_copy(update={"learning_rate": 1e-12, "head_learning_rate": 1e-12, "epochs": 1})
    teacher = train_student(ner_examples, params, brief, tmp_path / "teacher", FineTuning("knowledge"))

    shorter = params.model_copy(update={"layers": 3})
    student = train_student(ner_examples, shorter, still, tmp_path / "student", start=tmp_path / "teacher")

    for number, layer in enumerate(KEPT):
        expected = teacher.model.encoder.encoder.layer[layer].state_dict()
        weights = student.model.encoder.encoder.layer[number].state_dict()
        assert all(torch.allclose(weights[name], expected[name], atol=1e-6) for name in expected)


def test_a_teacher_keeps_all_layers_of_its_own_encoder():
    student = StudentParams(encoder="small", layers=3, prompt_length=4)

    teacher = student.adapt_to_teacher("large")

    assert (teacher.encoder, teacher.layers, teacher.prompt_length) == ("large", None, 4)
