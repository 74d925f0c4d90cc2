"""Parameters: what is refused, and how well the refusal explains itself."""

from pathlib import Path

import pytest
import yaml

from cotpd.config import Params, load_params
from cotpd.errors import ConfigError

ROOT = Path(__file__).parent.parent


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(text, "utf-8")
    return path


def test_the_shipped_file_names_every_parameter_and_holds_the_defaults_it_documents() -> None:
    shipped = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    known = Params().model_dump(by_alias=True)
    assert set(shipped) == set(known)
    for section, values in known.items():
        if isinstance(values, dict):
            assert set(shipped[section]) == set(values), section


def test_every_parameter_is_explained() -> None:
    for section in Params.model_fields.values():
        for name, field in getattr(section.annotation, "model_fields", {}).items():
            assert field.description, name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "task: ner\ntrain:\n  epohcs: 3\n",
            r"params.yaml:3: train.epohcs: there is no such parameter; did you mean epochs\?",
        ),
        ("trian: {}\n", r"params.yaml:1: trian: .*did you mean train\?"),
        ("task: nerd\n", r"params.yaml:1: task: .*'ner' or 're'.*found 'nerd'"),
        ("seed: 1\ntrain:\n  epochs: 0\n", r"params.yaml:3: train.epochs: .*greater than or equal to 1"),
        ("ask:\n  kinds: [nouns]\n", r"params.yaml:2: ask.kinds.0"),
        (
            "ask:\n  kinds: [noun, image]\n",
            r"params.yaml:2: ask.kinds.1: .*image is no kind .*takes noun, sentence, multimodality",
        ),
        (
            "augment:\n  kinds: [noun]\n",
            r"params.yaml:2: augment.kinds.0: .*noun is no kind .*takes style, entity, image",
        ),
        ("data:\n  answers_kind: image\n", r"params.yaml:2: data.answers_kind: .*takes noun, sentence"),
        (
            "data:\n  unlabelled:\n    - path: x\n      answers_kind: style\n",
            r"data.unlabelled.0.answers_kind: .*takes noun, sentence",
        ),
        (
            "llm:\n  others:\n  - model: a\n    base_ulr: x\n",
            r"params.yaml:4: llm.others.0.base_ulr: there is no such parameter; did you mean base_url\?",
        ),
        ("data:\n  unlabelled: [{pth: x}]\n", r"params.yaml:2: data.unlabelled.0.pth: .*did you mean path\?"),
        ("llm:\n  model: 2026-13-45\n", "not YAML: month must be"),
        ("task: [\n", "not YAML"),
        ("- 1\n", "holds list"),
    ],
)
def test_a_mistake_is_named_with_line_and_key(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        load_params(write(tmp_path, text))


@pytest.mark.parametrize("where", ["llm: {api_key_env: %s}", "llm: {others: [{model: a, api_key_env: %s}]}"])
def test_a_key_in_the_place_of_its_variables_name_is_refused_and_not_shown(tmp_path: Path, where: str) -> None:
    with pytest.raises(ConfigError, match=r"params.yaml:1: llm.*api_key_env: .*environment variable") as caught:
        load_params(write(tmp_path, where % "sk-0123-secret"))
    assert "secret" not in str(caught.value)
    load_params(write(tmp_path, where % '""'))


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_params(write(tmp_path, "task: x\nseed: y\n"))
    assert "task" in str(caught.value)
    assert "seed" in str(caught.value)


def test_a_missing_file_and_one_that_is_not_utf8_are_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_params(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_bytes(b"task: \xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_params(tmp_path / "params.yaml")


def test_the_registered_name_follows_the_task(tmp_path: Path) -> None:
    assert load_params(write(tmp_path, "task: re\n")).registered_name == "cotpd-re"
    assert load_params(write(tmp_path, "register: {name: mine}\n")).registered_name == "mine"


@pytest.mark.parametrize("word", ["on", "off", "auto", '"on"'])
def test_a_bare_on_or_off_means_itself(tmp_path: Path, word: str) -> None:
    """YAML 1.1 reads them as truth values, and nobody who copies them from the comment would quote them."""
    assert load_params(write(tmp_path, f"train: {{bf16: {word}}}\n")).train.bf16 == word.strip('"')
