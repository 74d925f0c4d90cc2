"""Parameters: what is refused, and how well the refusal explains itself."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from cotpd.config import Params, load_params
from cotpd.errors import ConfigError
from cotpd.pipeline.params_file import write_params

ROOT = Path(__file__).parent.parent


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(text, "utf-8")
    return path


# params.yaml names the sample; a default would read it, or import its answers, for a project that has none of them
NAMED_BY_THE_SAMPLE = {
    "data.path": "sample",
    "llm.recorded": "sample/ledger.jsonl",
    "llm_row.enabled": "recorded",
}


def iterate_values(params: BaseModel, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the dotted name and the value of every parameter."""
    for name, field in type(params).model_fields.items():
        value, key = getattr(params, name), f"{prefix}{field.alias or name}"
        yield from iterate_values(value, f"{key}.") if isinstance(value, BaseModel) else [(key, value)]


def test_the_shipped_values_are_the_defaults_but_for_those_of_the_sample() -> None:
    shipped = dict(iterate_values(load_params(ROOT / "params.yaml")))

    defaults = dict(iterate_values(Params()))

    assert shipped == defaults | NAMED_BY_THE_SAMPLE
    assert not any("sample" in str(value) for value in defaults.values())


def test_the_shipped_file_names_every_parameter() -> None:
    shipped = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))

    names = set()
    for section, values in shipped.items():
        if isinstance(values, dict):
            names |= {f"{section}.{name}" for name in values}

    assert names == {key for key, _ in iterate_values(Params()) if "." in key}


def test_the_shipped_file_is_what_make_params_writes(tmp_path: Path) -> None:
    shipped = (ROOT / "params.yaml").read_text("utf-8")
    path = write(tmp_path, shipped)

    write_params(path)

    assert path.read_text("utf-8") == shipped, "Run: make params"


def test_make_params_keeps_values_and_writes_the_comments_anew(tmp_path: Path) -> None:
    text = "task: re # mine\ntrain: {learning_rate: 2.0e-5}\ndata:\n  types: [PER, LOC] # mine\n  path: posts\n"
    path = write(tmp_path, text + "llm:\n  headers_env: {X-Org: ORG}  # mine\n")
    before = load_params(path)

    write_params(path)

    written = path.read_text("utf-8")
    assert load_params(path) == before
    assert "learning_rate: 2.0e-5 # Peak rate of the encoder." in written
    assert "mine" not in written


def test_make_params_refuses_a_file_that_it_does_not_understand_and_leaves_it(tmp_path: Path) -> None:
    path = write(tmp_path, "train: {epohcs: 3}\n")

    with pytest.raises(ConfigError, match="did you mean epochs"):
        write_params(path)

    assert path.read_text("utf-8") == "train: {epohcs: 3}\n"


def test_a_section_without_some_values_has_its_own_defaults(tmp_path: Path) -> None:
    params = load_params(
        write(tmp_path, "baseline: {batch_size: 4}\nteach: {batch_size: 4}\ntrain: {batch_size: 4}\n")
    )

    assert (params.baseline.epochs, params.teach.epochs, params.train.epochs) == (8, 3, 6)


def test_every_parameter_is_explained() -> None:
    for name, section in Params.model_fields.items():
        assert section.description, name
        for parameter, field in getattr(section.annotation, "model_fields", {}).items():
            assert field.description, parameter


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "task: ner\ntrain:\n  epohcs: 3\n",
            r"params.yaml:3: train.epohcs: there is no such parameter; did you mean epochs\?",
        ),
        ("trian: {}\n", r"params.yaml:1: trian: .*did you mean train\?"),
        ("task: nerd\n", r"params.yaml:1: task: .*no task 'nerd'; there are ner, re, sentiment.*found 'nerd'"),
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
        ("llm:\n  model: 2026-13-45\n", r"params.yaml:2: not YAML: '2026-13-45' is no timestamp: month must be"),
        ("llm:\n  model: !!timestamp x\n", r"params.yaml:2: not YAML: 'x' is no timestamp"),
        ("llm: {model: !!bool x}\n", r"params.yaml:1: not YAML: 'x' is no bool"),
        ("llm: {model: !!int x}\n", r"params.yaml:1: not YAML: 'x' is no int"),
        ("llm: {model: !!python/name:os.system x}\n", "not YAML"),
        ("seed: " + "9" * 5000, r"params.yaml:1: not YAML: '9+' is no int"),
        ("task: ner\nseed: 0x" + "f" * 5000, r"params.yaml:2: not YAML: a number too large for any parameter"),
        (
            "task: ner\nseed: 1\ntask: re\n",
            r"params.yaml:3: not YAML: the key 'task' is given twice, first in line 1",
        ),
        (
            "train:\n  epochs: 3\n  epochs: 4\n",
            r"params.yaml:3: not YAML: the key 'epochs' is given twice, first in line 2",
        ),
        ("? [a]\n: b\n", "a key that is no word"),
        ("data: &a [*a]\n", "a value that holds itself"),
        ("data: &a {path: *a}\n", "a value that holds itself"),
        ("[" * 5000, "nested too deeply"),
        ("1: x\n", r"params.yaml:1: 1: .*string"),
        ("null: x\n", "params.yaml"),
        ("task: ner\n---\ntask: re\n", "not YAML"),
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


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        (
            "{enabled: recorded, prompts: paper}",
            "params.yaml:1: llm_row: the prompt set paper has no extract-ner.txt",
        ),
        ("{enabled: true, prompts: gone}", "params.yaml:1: llm_row: gone: there is no such prompt set"),
    ],
)
def test_a_prompt_set_that_cannot_ask_for_labels_is_refused_before_anything_runs(
    tmp_path: Path, section: str, problem: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(problem)):
        load_params(write(tmp_path, f"llm_row: {section}\n"))


def test_a_prompt_set_for_labels_is_only_needed_where_they_are_scored_and_looked_for_beside_the_parameters(
    tmp_path: Path,
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/extract-ner.txt").touch()

    for section in (
        "{enabled: false, prompts: paper}",
        "{enabled: true, shots: 0, zero_shot: false, prompts: paper}",
    ):
        load_params(write(tmp_path, f"llm_row: {section}\n"))
    assert load_params(write(tmp_path, "llm_row: {enabled: recorded, prompts: mine}\n")).llm_row.prompts == "mine"


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


def build_bomb(levels: int, first: str, level: str) -> str:
    """Each level holds the one before it ten times."""
    lines = [f"a0: &a0 {first}"]
    for number in range(1, levels):
        aliases = ", ".join([f"*a{number - 1}"] * 10)
        lines.append(f"a{number}: &a{number} {level % aliases}")
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [build_bomb(9, "[x]", "[%s]"), build_bomb(60, "[x]", "[%s]"), build_bomb(9, "{x: 1}", "{<<: [%s]}")],
    ids=["nine levels", "sixty levels", "merged"],
)
@pytest.mark.timeout(20)
def test_aliases_that_multiply_are_refused_at_once(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="more than 100,000 values, counting aliases"):
        load_params(write(tmp_path, text))


def test_an_ordinary_alias_is_read(tmp_path: Path) -> None:
    params = load_params(write(tmp_path, "baseline: &b {epochs: 3}\ntrain: {<<: *b, batch_size: 4}\n"))

    assert (params.train.epochs, params.train.batch_size) == (3, 4)


def test_a_folder_in_the_files_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").mkdir()

    with pytest.raises(ConfigError, match="cannot be read"):
        load_params(tmp_path / "params.yaml")
