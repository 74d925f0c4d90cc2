"""A saved model: what comes back, what it says of raw text, and what is refused."""

import json
import shutil
from itertools import chain

import pytest
from safetensors.torch import load_file, save_file

from cotpd.errors import ConfigError, DataError, ModelError
from cotpd.student import Student
from cotpd.student.examples import build_examples
from cotpd.student.objectives import JointDistillation
from cotpd.student.params import DistilParams, StudentParams, TrainParams
from cotpd.student.predictor import Mention, Mentions
from cotpd.student.training import train
from tests.builders import build_posts

TEXT = "bob works at acme"


@pytest.fixture(scope="module")
def folders(bert, tmp_path_factory):
    small = StudentParams(
        encoder=bert, prompt_length=3, generator_heads=2, max_length=40, knowledge_length=48, dropout=0.0
    )
    params = TrainParams(epochs=12, batch_size=4, learning_rate=5e-3, head_learning_rate=2e-2, device="cpu")
    out = tmp_path_factory.mktemp("models")
    for task, types in (("ner", ["PER", "LOC", "ORG"]), ("re", ["lives_in", "None"])):
        examples = build_examples(build_posts(12), task, {}, {})
        settings = {"task": task, "types": types, "student": small, "params": params, "out": out / task}
        train(examples, examples, objective=JointDistillation(DistilParams()), seed=1, **settings)
    return out


@pytest.fixture
def student(folders):
    return Student.from_pretrained(folders / "ner", "cpu")


def test_mentions_carry_the_characters_they_stand_at(student):
    text = "  ann lives\n in   Rome ."

    [mentions] = student.predict([text])

    assert [(m.text, m.type) for m in mentions] == [("ann", "PER"), ("Rome", "LOC")]
    assert all(text[m.start : m.end] == m.text and 0.5 < m.score <= 1 for m in mentions)


def test_texts_come_back_in_order_streamed_with_empty_ones_among_them(student):
    drawn = []

    def iterate_texts():
        for text in ["bob works at acme", "", " \n ", "ann lives in paris .", "\ud83d \u200d"] * 3:
            drawn.append(text)
            yield text

    answers = student.predict(iterate_texts(), batch_size=2, look_ahead=2)
    first, count = next(answers), len(drawn)
    second, third, fourth, *remaining = answers

    assert [mention.text for mention in first] == ["bob", "acme"]
    assert count == 4, "no more is read than is allowed ahead"
    assert second == third == []
    assert [mention.text for mention in fourth] == ["ann", "paris"]
    assert len(remaining) == 11


def test_predictions_come_in_the_shape_of_the_texts(student):
    single, several, stream = student.predict(TEXT), student.predict([TEXT, ""]), student.predict(iter([TEXT, ""]))

    assert single == several[0]
    assert several[1] == []
    assert isinstance(several, list)
    assert next(stream) == single
    assert next(stream).text == ""
    assert single.text == TEXT
    assert student.predict({"text": TEXT}) == single
    assert [mention.text for mention in student.predict({"tokens": TEXT.split()})] == [m.text for m in single]


def test_a_notebook_shows_mentions_in_their_text_and_hostile_text_as_text():
    text = "<script>alert(1)</script> & Ada"
    mentions = Mentions(text, [Mention(28, 31, "Ada", "<b>PER", 0.987)], [(28, 31)])

    shown = mentions._repr_html_()

    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; <mark" in shown
    assert "Ada <small>&lt;b&gt;PER 0.99</small></mark></div>" in shown
    assert "<b>" not in shown
    assert "<script" not in shown


def test_batching_changes_nothing(student, ner_examples):
    whole, single = (student.predict_examples(ner_examples, batch_size=n) for n in (32, 1))

    assert [prediction.target for prediction in chain.from_iterable(whole)] == [
        prediction.target for prediction in chain.from_iterable(single)
    ]
    assert list(map(len, whole)) == list(map(len, single))


def test_gold_labels_are_not_looked_at(student, ner_examples):
    hidden = [example.model_copy(update={"entities": ()}) for example in ner_examples]

    assert student.predict_examples(hidden) == student.predict_examples(ner_examples)


def test_relations_take_mentions_by_name_or_by_offset(folders):
    student = Student.from_pretrained(folders / "re", "cpu")
    text = "ann lives in rome ."

    by_name, by_offset, none = student.predict_relations(
        [(text, "ann", "rome"), (text, (0, 3), (13, 17)), ("bob works at acme .", "bob", "acme")]
    )

    assert by_name == by_offset
    assert (by_name.label, none.label) == ("lives_in", "None")
    assert 0.5 < by_name.score <= 1


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (("ann lives", "bob", "ann"), "'bob' does not stand in"),
        (("ann lives", "", "ann"), "does not stand in"),
        (("ann lives", (90, 95), "ann"), "no word at 90:95"),
        (("  ", "a", "b"), "the text is empty"),
    ],
)
def test_a_pair_that_is_not_there_is_refused(folders, pair, message):
    with pytest.raises(DataError, match=message):
        list(Student.from_pretrained(folders / "re", "cpu").predict_relations([pair]))


def test_relations_are_not_asked_of_a_model_of_mentions(student):
    with pytest.raises(ModelError, match=r"use predict\(\)"):
        student.predict_relations([])


def test_a_view_that_the_model_was_not_trained_in_is_refused(student, ner_examples):
    with pytest.raises(ModelError, match="reads the views prompt, knowledge, not text"):
        student.predict_examples(ner_examples, "text")


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda student: student.predict(b"ann lives in rome"), "is no text"),
        (lambda student: student.predict(7), "7 is no text"),
        (lambda student: student.predict(["ann"], batch_size=0), "batch_size is 0"),
        (lambda student: student.predict(["ann"], look_ahead=0), "look_ahead is 0"),
        (lambda student: list(student.predict(["ann", None])), "None is no text"),
    ],
)
def test_what_is_no_list_of_texts_is_refused_at_once(student, ask, message):
    with pytest.raises((DataError, ConfigError), match=message):
        ask(student)


def test_all_files_of_a_model_can_be_read_by_whoever_can_read_one(folders):
    modes = {path.stat().st_mode for path in (folders / "ner").rglob("*") if path.is_file()}

    assert len(modes) == 1


def test_saving_a_loaded_model_gives_the_same_bytes(student, folders, tmp_path):
    student.save(tmp_path / "again")

    for name in ("model.safetensors", "student.json", "encoder/config.json", "tokenizer/tokenizer.json"):
        assert (tmp_path / "again" / name).read_bytes() == (folders / "ner" / name).read_bytes()


def test_a_saved_model_is_loaded_without_its_encoder(student, tmp_path):
    student.save(tmp_path / "m")
    card = json.loads((tmp_path / "m/student.json").read_text())
    card["student"]["encoder"] = "gone/away"
    (tmp_path / "m/student.json").write_text(json.dumps(card))

    loaded = Student.from_pretrained(tmp_path / "m", "cpu")

    assert loaded.labels == student.labels


def _cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def _edit(path, values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def _as_folder(path):
    path.unlink()
    path.mkdir()


def _say_of_parts(folder, digests):
    weights = folder / "model.safetensors"
    save_file(load_file(weights), weights, metadata={"parts": digests})


def _write_other_labels(folder):
    labels = json.loads((folder / "student.json").read_text())["labels"]
    _edit(folder / "student.json", {"labels": labels | {"names": labels["names"][:-2]}})


def _mix_labels(folder):
    labels = json.loads((folder / "student.json").read_text())["labels"]
    _edit(folder / "student.json", {"labels": labels | {"names": ["O", *labels["names"][:0:-1]]}})


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda f: (f / "student.json").unlink(), "no model here"),
        (lambda f: (f / "student.json").write_text("{"), "student.json: damaged"),
        (lambda f: (f / "model.safetensors").unlink(), "model.safetensors: missing"),
        (lambda f: _cut(f / "model.safetensors"), "model.safetensors: damaged"),
        (_write_other_labels, "of another model"),
        (lambda f: shutil.rmtree(f / "encoder"), "incomplete"),
        (lambda f: shutil.rmtree(f / "tokenizer"), "incomplete"),
        (lambda f: (f / "tokenizer/tokenizer.json").write_text("{"), "tokenizer.json: incomplete or damaged"),
        (lambda f: (f / "tokenizer/tokenizer.json").unlink(), "tokenizer.json is missing"),
        (lambda f: (f / "tokenizer/tokenizer_config.json").unlink(), "tokenizer_config.json is missing"),
        (lambda f: (f / "tokenizer/tokenizer_config.json").write_text("null"), "incomplete or damaged"),
        (lambda f: (f / "tokenizer/tokenizer_config.json").write_bytes(b"\xff"), "incomplete or damaged"),
        (
            lambda f: _edit(f / "tokenizer/tokenizer_config.json", {"mask_token": "<mask>"}),
            "tokenizer_config.json: changed",
        ),
        (
            lambda f: _edit(f / "tokenizer/tokenizer_config.json", {"model_max_length": [1]}),
            "tokenizer_config.json: changed",
        ),
        (lambda f: (f / "tokenizer/tokenizer_config.json").write_text("{}"), "tokenizer_config.json: changed"),
        (lambda f: (f / "encoder/config.json").write_text("[1]"), "config.json: incomplete or damaged"),
        (lambda f: _say_of_parts(f, "{"), "model.safetensors: damaged"),
        (lambda f: _say_of_parts(f, "[1]"), "model.safetensors: damaged"),
        (lambda f: _edit(f / "encoder/config.json", {"model_type": "roberta"}), "config.json: changed"),
        (lambda f: _edit(f / "encoder/config.json", {"hidden_size": "x"}), "config.json: changed"),
        (lambda f: _edit(f / "student.json", {"format": 99}), "student.json: damaged, or of another version"),
        (lambda f: _edit(f / "student.json", {"temperature": 0}), "student.json: damaged"),
        (lambda f: _edit(f / "student.json", {"views": []}), "student.json: damaged"),
        (_mix_labels, "student.json: changed"),
        (lambda f: _as_folder(f / "student.json"), "student.json: damaged"),
        (lambda f: _as_folder(f / "model.safetensors"), "model.safetensors: damaged"),
    ],
)
def test_a_damaged_model_says_what_is_wrong_and_what_to_do(folders, tmp_path, harm, message):
    shutil.copytree(folders / "ner", tmp_path / "m")
    harm(tmp_path / "m")

    with pytest.raises(ModelError, match=message) as error:
        Student.from_pretrained(tmp_path / "m", "cpu")

    assert error.value.remedy
