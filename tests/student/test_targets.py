"""Frozen teachers' soft targets: averaged, independent of gold labels, unchanged by saving and loading."""

import pytest
import torch

from cotpd.errors import ModelError
from cotpd.student.examples import remove_labels
from cotpd.student.labels import LabelSet
from cotpd.student.objectives import FrozenDistillation
from cotpd.student.params import DistilParams
from cotpd.student.persistence import build_model
from cotpd.student.student import Student
from cotpd.student.targets import TENSORS, Targets, compute_soft_targets

TYPES = {"ner": ["PER", "LOC", "ORG"], "re": ["lives_in", "None"]}


def build_learner(params, task, seed, views=("knowledge",), types=None) -> Student:
    torch.manual_seed(seed)
    model, tokenizer, reads = build_model(params, LabelSet.build(task, types or TYPES[task]))
    return Student(model, tokenizer, params, views, reads, "cpu")


@pytest.fixture(params=["ner", "re"])
def task(request) -> str:
    return request.param


@pytest.fixture
def examples(task, ner_examples, re_examples):
    return ner_examples if task == "ner" else re_examples


@pytest.fixture
def teachers(small, task, tmp_path):
    """Two, of different seeds, in folders."""
    for seed in (0, 1):
        build_learner(small, task, seed).save(tmp_path / str(seed))
    return [tmp_path / "0", tmp_path / "1"]


def is_same(left: Targets, right: Targets) -> bool:
    return left.digest == right.digest and list(left.rows) == list(right.rows)


def test_soft_targets_are_distributions_averaged_over_the_teachers(teachers, examples):
    first, second, average = (
        compute_soft_targets(chosen, examples, 1.0) for chosen in (teachers[:1], teachers[1:], teachers)
    )

    assert list(average.rows) == [example.id for example in examples]
    for name, row in average.rows.items():
        torch.testing.assert_close(row.unary.sum(-1), torch.ones(len(row.unary)))
        for value, a, b in zip(row, first.rows[name], second.rows[name], strict=True):
            torch.testing.assert_close(value, (a + b) / 2)


def test_gold_labels_are_not_looked_at(teachers, examples):
    hidden = [remove_labels(example) for example in examples]

    assert is_same(compute_soft_targets(teachers, examples, 2.0), compute_soft_targets(teachers, hidden, 2.0))


def test_mixed_precision_moves_soft_targets_a_little_and_leaves_them_distributions(teachers, examples):
    single, mixed = (
        compute_soft_targets(teachers, examples, 1.0, device="cpu", bf16=bf16) for bf16 in ("off", "on")
    )

    assert not is_same(single, mixed)
    for name, row in mixed.rows.items():
        torch.testing.assert_close(row.unary.sum(-1), torch.ones(len(row.unary)))
        torch.testing.assert_close(row.unary, single.rows[name].unary, atol=0.02, rtol=0)


def test_saved_targets_come_back(teachers, examples, tmp_path):
    targets = compute_soft_targets(teachers, examples, 1.0)

    targets.save(tmp_path / "targets")
    assert is_same(Targets.load(tmp_path / "targets"), targets)


def test_no_targets_are_saved_and_read_too(tmp_path):
    Targets(LabelSet.build("ner", ["PER"]), {}).save(tmp_path)

    assert Targets.load(tmp_path).rows == {}


@pytest.mark.parametrize("damage", ["absent", "cut", "renamed"])
def test_damaged_targets_are_named_with_what_to_do(damage, teachers, examples, tmp_path):
    folder = tmp_path / "targets"
    compute_soft_targets(teachers, examples, 1.0).save(folder)
    file = folder / TENSORS
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-40])
    elif damage == "absent":
        file.unlink()
    else:
        names = folder / "targets.json"
        names.write_text(names.read_text().replace('"examples"', '"rows"'))

    with pytest.raises(ModelError, match=r"targets: no targets of teachers.*") as raised:
        Targets.load(folder)

    assert "Run the teach step again" in str(raised.value)


def test_teachers_of_other_labels_are_refused(small, ner_examples, tmp_path):
    build_learner(small, "ner", 0).save(tmp_path / "0")
    build_learner(small, "ner", 0, types=["PER"]).save(tmp_path / "1")

    with pytest.raises(ModelError, match="know different labels"):
        compute_soft_targets([tmp_path / "0", tmp_path / "1"], ner_examples, 1.0)


def test_a_student_with_the_teachers_distribution_has_nothing_to_learn_from_the_teacher(
    small, task, examples, tmp_path
):
    params = small.model_copy(update={"prompt_length": 0})
    student = build_learner(params, task, 3, ("text",))
    student.save(tmp_path / "same")
    alone = [remove_labels(example) for example in examples]
    targets = compute_soft_targets([tmp_path / "same"], alone, 1.5)
    objective = FrozenDistillation(
        "text", targets, frozenset(e.id for e in examples), DistilParams(temperature=1.5)
    )

    parts = objective.compute_losses(student, student.example_encoder.encode(alone))

    assert parts["kl"].item() == pytest.approx(0, abs=1e-5)
    assert parts["loss_gold"].item() == 0


@pytest.fixture
def half_labelled(small, task, examples, teachers):
    """A student, an objective by which only four examples have labels, and all examples encoded."""
    student = build_learner(small, task, 3, ("prompt",))
    targets = compute_soft_targets(teachers, examples, 1.0)
    hidden = frozenset(example.id for example in examples[4:])
    objective = FrozenDistillation("prompt", targets, hidden, DistilParams(alpha=0.7, gold=0.4))
    encoded = student.example_encoder.encode([*examples[:4], *map(remove_labels, examples[4:])])
    return student, objective, encoded


def test_the_frozen_loss_is_the_weighted_sum_of_its_parts(half_labelled):
    student, objective, encoded = half_labelled

    parts = objective.compute_losses(student, encoded)

    torch.testing.assert_close(parts["loss"], 0.7 * parts["kl"] + 0.4 * parts["loss_gold"])


def test_every_part_of_the_frozen_loss_is_a_mean_over_the_examples(half_labelled):
    student, objective, encoded = half_labelled
    labelled, unlabelled = (objective.compute_losses(student, part) for part in (encoded[:4], encoded[4:]))

    parts = objective.compute_losses(student, encoded)

    for name, value in parts.items():
        mean = (4 * labelled[name] + (len(encoded) - 4) * unlabelled[name]) / len(encoded)
        torch.testing.assert_close(value, mean)


def test_gold_counts_for_labelled_examples_only(half_labelled):
    student, objective, encoded = half_labelled

    parts = objective.compute_losses(student, encoded[4:])

    assert parts["loss_gold"] == 0


def test_an_example_that_no_teacher_has_seen_is_named(small, task, examples, teachers):
    student = build_learner(small, task, 3, ("prompt",))
    objective = FrozenDistillation(
        "prompt", compute_soft_targets(teachers, examples[1:], 1.0), frozenset(), DistilParams()
    )

    with pytest.raises(ModelError, match=f"the teachers have not seen {examples[0].id}"):
        objective.compute_losses(student, student.example_encoder.encode(examples))
