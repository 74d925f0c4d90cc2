"""A student's folder from elsewhere: no code in it is run, and what earlier releases wrote is still read."""

import json
import shutil
from contextlib import suppress

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from cotpd.errors import ModelError
from cotpd.student import Student
from cotpd.student.labels import LabelSet
from cotpd.student.params import StudentParams
from cotpd.student.persistence import Card, build_model, save_model

LABELS = LabelSet.build("ner", ["PER", "LOC"])
CONFIG = "tokenizer/tokenizer_config.json"


@pytest.fixture
def folder(bert, tmp_path):
    params = StudentParams(encoder=bert, prompt_length=3, generator_heads=2, max_length=40, knowledge_length=48)
    model, tokenizer, _ = build_model(params, LABELS)
    save_model(tmp_path / "student", model, tokenizer, Card(labels=LABELS, views=("prompt",), student=params))
    return tmp_path / "student"


def edit(file, values):
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def forget_digests(folder, *, earlier=False):
    """As if the weights named no parts, or as earlier releases did, which did not look into tokenizer_config.json."""
    weights = folder / "model.safetensors"
    with safe_open(weights, "pt") as opened:
        parts = json.loads(opened.metadata()["parts"])
    parts[CONFIG] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    save_file(load_file(weights), weights, metadata={"parts": json.dumps(parts)} if earlier else None)


def write_code(folder):
    (folder / "custom.py").write_text(
        "from pathlib import Path\n"
        "Path(__file__ + '.ran').touch()\n"
        "from transformers import BertConfig as Custom, BertModel as CustomModel, PreTrainedTokenizerFast as Fast\n"
    )


@pytest.mark.parametrize(
    ("file", "values"),
    [
        (CONFIG, {"auto_map": {"AutoTokenizer": [None, "custom.Fast"]}, "tokenizer_class": "Fast"}),
        ("encoder/config.json", {"auto_map": {"AutoConfig": "custom.Custom"}, "model_type": "custom"}),
        ("encoder/config.json", {"auto_map": {"AutoModel": "custom.CustomModel"}}),
    ],
)
def test_code_that_a_students_folder_names_is_never_run_nor_asked_about(folder, monkeypatch, file, values):
    write_code(folder / file.split("/")[0])
    edit(folder / file, values)
    forget_digests(folder)
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("somebody was asked"))

    with suppress(ModelError):
        Student.from_pretrained(folder, "cpu")

    assert not list(folder.rglob("*.ran"))


@pytest.mark.parametrize(
    ("file", "values"),
    [
        (
            "tokenizer_config.json",
            {"auto_map": {"AutoTokenizer": [None, "custom.Fast"]}, "tokenizer_class": "Fast"},
        ),
        ("config.json", {"auto_map": {"AutoConfig": "custom.Custom"}, "model_type": "custom"}),
    ],
)
def test_code_that_an_encoder_names_is_never_run_nor_asked_about(bert, tmp_path, monkeypatch, file, values):
    shutil.copytree(bert, tmp_path / "encoder")
    write_code(tmp_path / "encoder")
    edit(tmp_path / "encoder" / file, values)
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("somebody was asked"))

    with suppress(ModelError):
        build_model(StudentParams(encoder=str(tmp_path / "encoder"), generator_heads=2), LABELS)

    assert not list(tmp_path.rglob("*.ran"))


def test_a_folder_of_an_earlier_release_is_read(folder):
    forget_digests(folder, earlier=True)

    assert Student.from_pretrained(folder, "cpu").labels == LABELS


def test_a_tokenizer_that_was_read_from_another_place_is_the_same_tokenizer(folder):
    edit(folder / CONFIG, {"name_or_path": "/elsewhere", "is_local": False})

    assert Student.from_pretrained(folder, "cpu").labels == LABELS


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (CONFIG, "{}"),
        (CONFIG, "[]"),
        (CONFIG, "[" * 100_000),
        (CONFIG, '{"a": ' + "1" * 5000 + "}"),
        (CONFIG, {"model_max_length": [512]}),
        (CONFIG, {"model_max_length": "512"}),
        (CONFIG, {"pad_token": None}),
        (CONFIG, {"unk_token": ""}),
        (CONFIG, {"cls_token": "not in the vocabulary"}),
        (CONFIG, {"added_tokens_decoder": 3}),
        ("tokenizer/added_tokens.json", "["),
        ("tokenizer/tokenizer.json", {"model": {"type": "Nonsense"}}),
        ("encoder/config.json", "{}"),
        ("encoder/config.json", {"hidden_size": "x"}),
        ("encoder/config.json", {"num_attention_heads": 0}),
        ("encoder/config.json", {"model_type": "t5"}),
        ("student.json", {"labels": {"task": "ner", "names": [1]}}),
        ("student.json", {"temperature": "hot"}),
    ],
)
def test_a_damaged_file_is_named_where_the_weights_say_nothing_of_it(folder, file, content):
    forget_digests(folder)
    if isinstance(content, str):
        (folder / file).write_text(content)
    else:
        edit(folder / file, content)

    with pytest.raises(ModelError) as caught:
        Student.from_pretrained(folder, "cpu")

    assert file.split("/")[-1] in str(caught.value)
    assert caught.value.remedy
