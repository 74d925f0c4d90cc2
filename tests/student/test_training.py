"""Training from end to end on tiny encoders: it learns, repeats itself, resumes and refuses."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from cotpd import devices
from cotpd.student import Student, training, training_loop
from cotpd.student.checkpoint import compute_fingerprint
from cotpd.student.examples import build_examples
from cotpd.student.scoring import compute_micro_f1, score
from tests.builders import build_post
from tests.student.tiny_runs import TYPES, train_model


@pytest.mark.parametrize(("task", "distil"), [("ner", True), ("ner", False), ("re", True), ("re", False)])
def test_it_learns_and_what_was_saved_labels_the_same(
    task, distil, ner_examples, re_examples, small, brief, tmp_path
):
    examples = ner_examples if task == "ner" else re_examples
    params = brief.model_copy(update={"epochs": 12})
    history = train_model(examples, small, params, tmp_path / "m", task=task, distil=distil)

    student = Student.from_pretrained(tmp_path / "m", "cpu")

    assert student.views == (("prompt", "knowledge") if distil else ("text",))
    for view in student.views:
        assert score(student, examples, view)["f1"] == max(row["valid"][view]["f1"] for row in history) == 100
    assert history[-1]["loss"] < history[0]["loss"]
    assert [json.loads(line) for line in (tmp_path / "m/history.jsonl").read_text().splitlines()] == history
    assert not list(tmp_path.glob(".*")), "a checkpoint or a part was left behind"


def test_the_same_seed_gives_the_same_bytes(ner_examples, small, brief, tmp_path):
    small = small.model_copy(update={"dropout": 0.2})

    for name in "ab":
        train_model(ner_examples, small, brief, tmp_path / name, seed=1)

    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)


def test_another_seed_gives_other_weights(ner_examples, small, brief, tmp_path):
    for seed in (1, 2):
        train_model(ner_examples, small, brief, tmp_path / str(seed), seed=seed)

    first, second = (tmp_path / name / "model.safetensors" for name in "12")
    assert first.read_bytes() != second.read_bytes()


@pytest.fixture
def finished(ner_examples, small, brief, tmp_path):
    """The folder of a finished run, and its history."""
    return tmp_path / "m", train_model(ner_examples, small, brief, tmp_path / "m")


def test_a_finished_run_is_not_repeated(finished, ner_examples, small, brief, capsys):
    folder, history = finished
    before = (folder / "model.safetensors").stat().st_mtime_ns

    again = train_model(ner_examples, small, brief, folder)

    assert again == history
    assert (folder / "model.safetensors").stat().st_mtime_ns == before
    assert "trained before" in capsys.readouterr().err


def test_a_run_is_repeated_after_an_edit_of_an_encoder_that_is_a_folder(
    ner_examples, small, brief, encoder, tmp_path
):
    shutil.copytree(encoder, tmp_path / "encoder")
    small = small.model_copy(update={"encoder": str(tmp_path / "encoder")})
    train_model(ner_examples, small, brief, tmp_path / "m")
    first = (tmp_path / "m/model.safetensors").read_bytes()
    weights = tmp_path / "encoder/model.safetensors"
    save_file({name: 1.1 * tensor for name, tensor in load_file(weights).items()}, weights, {"format": "pt"})

    train_model(ner_examples, small, brief, tmp_path / "m")

    assert (tmp_path / "m/model.safetensors").read_bytes() != first


def test_a_run_whose_model_is_damaged_is_repeated(finished, ner_examples, small, brief):
    weights = finished[0] / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100])

    train_model(ner_examples, small, brief, finished[0])

    assert weights.read_bytes() == whole


def test_a_run_of_another_seed_replaces_the_model(finished, ner_examples, small, brief):
    weights = finished[0] / "model.safetensors"
    before = weights.read_bytes()

    train_model(ner_examples, small, brief, finished[0], seed=4)

    assert weights.read_bytes() != before


def test_other_code_that_says_in_which_precision_is_trained_makes_another_run(tmp_path, monkeypatch):
    before = compute_fingerprint([], "")
    (tmp_path / "devices.py").write_text("# auto means something else")
    monkeypatch.setattr(devices, "__file__", str(tmp_path / "devices.py"))

    after = compute_fingerprint([], "")

    assert after != before


@pytest.mark.parametrize("bf16", ["off", "on"])
def test_killed_in_an_epoch_it_goes_on_after_the_last_and_ends_the_same(
    bf16, ner_examples, small, brief, tmp_path, monkeypatch
):
    small = small.model_copy(update={"dropout": 0.2})
    params = brief.model_copy(update={"epochs": 3, "bf16": bf16})
    whole = train_model(ner_examples, small, params, tmp_path / "whole")
    real, steps = training.Training.run_step, []

    def stop_or_run(self, examples):
        steps.append(1)
        if len(steps) == 5:  # three steps an epoch: in the second
            raise KeyboardInterrupt
        return real(self, examples)

    monkeypatch.setattr(training.Training, "run_step", stop_or_run)
    with pytest.raises(KeyboardInterrupt):
        train_model(ner_examples, small, params, tmp_path / "cut")

    history = train_model(ner_examples, small, params, tmp_path / "cut")

    assert history == whole
    assert len(steps) == 5 + 6
    for name in ("model.safetensors", "history.jsonl"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_checkpoint_of_another_run_is_not_taken_up(ner_examples, small, brief, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(Student, "save", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train_model(ner_examples, small, brief, tmp_path / "m")
    assert (tmp_path / ".m.resume/state.safetensors").is_file()

    history = train_model(ner_examples, small, brief, tmp_path / "m", seed=4)

    assert history == train_model(ner_examples, small, brief, tmp_path / "n", seed=4)


def test_a_damaged_checkpoint_is_not_taken_up(ner_examples, small, brief, tmp_path):
    checkpoint = tmp_path / ".m.resume"
    checkpoint.mkdir()
    (checkpoint / "state.json").write_text('{"run": ')

    history = train_model(ner_examples, small, brief, tmp_path / "m")

    assert history == train_model(ner_examples, small, brief, tmp_path / "n")


def test_the_best_epoch_is_kept_and_patience_stops(ner_examples, small, brief, tmp_path, monkeypatch):
    reached = iter([10.0, 50.0, 50.0, 40.0, 30.0])
    biases = []

    def score_by_script(student, examples, view):
        if view != "prompt":
            return {"f1": 0.0}
        biases.append(student.model.head.linear.bias.detach().clone())
        return {"f1": next(reached)}

    monkeypatch.setattr(training_loop, "score", score_by_script)
    params = brief.model_copy(update={"epochs": 9, "patience": 3})

    history = train_model(ner_examples, small, params, tmp_path / "m")

    assert [row["valid"]["prompt"]["f1"] for row in history] == [10, 50, 50, 40, 30]
    best = Student.from_pretrained(tmp_path / "m", "cpu").model.head.linear.bias
    assert torch.equal(best, biases[2]), "of equal epochs the later"


def test_odd_posts_one_batch_and_no_valid_split_are_fine(bert, small, brief, tmp_path):
    texts = ("ann", "\u200d", "x" * 400 + " [rome](LOC) " + "rome " * 59)
    posts = [build_post(text, id=f"p{number}") for number, text in enumerate(texts)]

    for batch_size in (1, 16):
        params = brief.model_copy(update={"batch_size": batch_size})
        history = train_model(build_examples(posts, "ner", {}, {}), small, params, tmp_path / "m", valid=[])
        assert [set(row) for row in history] == [{"epoch", "loss", "loss_knowledge", "loss_prompt", "kl"}] * 2


def test_splits_without_a_single_mention_train_and_score_nothing(ner_examples, small, brief, tmp_path):
    empty = [example.model_copy(update={"entities": ()}) for example in ner_examples]

    for train_on, valid in ((empty, empty), (ner_examples, empty)):
        history = train_model(train_on, small, brief, tmp_path / "m", valid=valid)
        assert history[-1]["valid"]["prompt"]["f1"] == 0
    assert Student.from_pretrained(tmp_path / "m", "cpu").temperature > 0


def test_a_valid_split_without_a_mention_does_not_end_training_early(ner_examples, small, brief, tmp_path, capsys):
    empty = [example.model_copy(update={"entities": ()}) for example in ner_examples]
    params = brief.model_copy(update={"epochs": 4, "patience": 1})

    assert len(train_model(ner_examples, small, params, tmp_path / "m", valid=empty)) == 4
    assert "nothing to find" in capsys.readouterr().err


def test_micro_f1_counts_exact_matches():
    a, b = (0, 1, "PER"), (2, 3, "LOC")

    assert compute_micro_f1([{a, b}, set()], [{a}, {b}]) == {"precision": 50, "recall": 50, "f1": 50}


def test_micro_f1_of_nothing_is_zero():
    assert compute_micro_f1([set()], [set()])["f1"] == 0


def test_bf16_trains_and_keeps_the_crf_in_single_precision(ner_examples, small, brief, tmp_path):
    history = train_model(ner_examples, small, brief.model_copy(update={"bf16": "on"}), tmp_path / "m", valid=[])

    assert history[-1]["loss"] < history[0]["loss"]


@pytest.mark.parametrize("bf16", ["off", "on"])
def test_valid_is_scored_as_the_saved_model_will_be_in_single_precision(
    bf16, ner_examples, small, brief, tmp_path, monkeypatch
):
    mixed = {True: set(), False: set()}
    real = training.Student.__init__

    def watch_init(self, *args, **kwargs):
        real(self, *args, **kwargs)
        self.model.encoder.register_forward_pre_hook(
            lambda *_: mixed[self.model.training].add(torch.is_autocast_enabled("cpu"))
        )

    monkeypatch.setattr(training.Student, "__init__", watch_init)

    train_model(ner_examples, small, brief.model_copy(update={"bf16": bf16}), tmp_path / "m")

    assert mixed == {True: {bf16 == "on"}, False: {False}}


def test_every_family_trains_is_saved_and_read_again(any_encoder, re_examples, small, brief, tmp_path):
    small = small.model_copy(update={"encoder": any_encoder})
    train_model(re_examples, small, brief, tmp_path / "m", task="re")

    predictions = Student.from_pretrained(tmp_path / "m", "cpu").predict_examples(re_examples)

    assert all(relation.label in TYPES["re"] for (relation,) in predictions)
