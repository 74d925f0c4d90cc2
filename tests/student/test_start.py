"""A student that begins with its teacher's weights, and what cannot be begun with."""

import pytest
import torch

from cotpd.config import Params
from cotpd.errors import ModelError
from cotpd.student import Student
from cotpd.student.objectives import FineTuning, JointDistillation
from cotpd.student.training import train

TYPES = ["PER", "LOC", "ORG"]


@pytest.fixture
def begin(ner_examples, small, brief, tmp_path):
    """Train a model at rates next to nothing, so that it stays where it began, and read it."""

    def run(name, objective=None, types=TYPES, params=small, **further):
        still = brief.model_copy(update={"learning_rate": 1e-12, "head_learning_rate": 1e-12, "epochs": 1})
        settings = {"task": "ner", "student": params, "params": still, "out": tmp_path / name, **further}
        train(ner_examples, [], types=types, objective=objective or FineTuning("knowledge"), **settings)
        return Student.from_pretrained(tmp_path / name, "cpu").model.state_dict()

    return run


def close(left, right, names):
    return all(torch.allclose(left[name], right[name], atol=1e-6) for name in names)


@pytest.mark.parametrize("objective", [FineTuning("text"), JointDistillation(Params().distil)])
def test_it_begins_with_the_teachers_weights_and_prompts_of_its_own(begin, objective, tmp_path):
    teacher, fresh = begin("teacher", seed=1), begin("fresh", objective, seed=2)

    taught = begin("taught", objective, seed=2, start=tmp_path / "teacher")

    new_weights = taught.keys() - teacher.keys()
    assert close(taught, teacher, teacher)
    assert all(name.startswith("generator.") for name in new_weights)
    assert close(taught, fresh, new_weights)
    assert not close(fresh, teacher, ["head.out.weight"] if "head.out.weight" in teacher else teacher)


def test_another_teacher_makes_another_run(begin, tmp_path):
    begin("a", seed=1)
    begin("b", seed=2)

    first, second = (begin("student", FineTuning(), seed=3, start=tmp_path / name) for name in "ab")

    assert not close(first, second, first)


def test_a_start_of_other_types_is_refused(begin, tmp_path):
    begin("teacher", seed=1)

    with pytest.raises(ModelError, match="other types or labels"):
        begin("student", types=[*TYPES, "MISC"], seed=1, start=tmp_path / "teacher")


def test_a_start_with_prompts_is_refused_for_a_student_without(begin, tmp_path):
    begin("prompted", JointDistillation(Params().distil), seed=1)

    with pytest.raises(ModelError, match="another architecture"):
        begin("student", FineTuning(), seed=1, start=tmp_path / "prompted")


def test_a_start_that_is_not_there_is_refused(begin, tmp_path):
    with pytest.raises(ModelError, match="no model here"):
        begin("student", seed=1, start=tmp_path / "nowhere")


def test_teachers_with_an_encoder_of_their_own_are_no_beginning():
    with pytest.raises(ValueError, match="needs teachers of the student"):
        Params.model_validate({"distil": {"start": "teacher"}, "teach": {"encoder": "all-mpnet-base-v2"}})


def test_teachers_that_name_the_students_encoder_are_a_beginning():
    params = Params.model_validate({"distil": {"start": "teacher"}, "teach": {"encoder": "all-MiniLM-L6-v2"}})

    assert params.distil.start == "teacher"


def test_other_teachers_follow_those_of_the_students_encoder_and_say_only_what_differs():
    larger = {"encoder": "all-mpnet-base-v2", "learning_rate": 5e-5}
    teach = {"count": 2, "seed": 7, "epochs": 4, "others": [larger, larger | {"learning_rate": None, "epochs": 1}]}
    params = Params.model_validate({"distil": {"start": "teacher"}, "teach": teach})

    teachers = params.teach.list_teachers("all-MiniLM-L6-v2")

    settings = [
        (teacher.encoder, teacher.seed, teacher.run.learning_rate, teacher.run.epochs) for teacher in teachers
    ]

    assert settings == [
        ("all-MiniLM-L6-v2", 7, 1e-4, 4),
        ("all-MiniLM-L6-v2", 8, 1e-4, 4),
        ("all-mpnet-base-v2", 9, 5e-5, 4),
        ("all-mpnet-base-v2", 10, 1e-4, 1),
    ]
    assert params.teach.model_copy(update={"others": ()}).list_teachers("all-MiniLM-L6-v2") == teachers[:2]
