"""registry/gate.yaml is read like params.yaml, and says what the code says."""

import hashlib

import pytest

from cotpd.errors import ConfigError
from cotpd.promotion.rules import BUILT_IN, GateRules, read_rules


def test_the_reviewed_file_holds_the_defaults_of_the_code(root):
    rules = read_rules(root=root)

    assert rules.rules == GateRules()
    assert rules.source.endswith("registry/gate.yaml")


def test_the_reviewed_file_names_every_rule(root):
    text = (root / "registry/gate.yaml").read_text()

    for name, field in GateRules.model_fields.items():
        assert f"{name}:" in text
        for key in getattr(type(field.default), "model_fields", ()):
            assert f"  {key}:" in text


def test_without_a_file_the_built_in_rules_hold(tmp_path):
    rules = read_rules(root=tmp_path)

    assert (rules.rules, rules.source) == (GateRules(), BUILT_IN)
    assert len(rules.sha256) == 64


def test_a_file_that_is_named_must_be_there(tmp_path):
    with pytest.raises(ConfigError, match=r"gate\.yaml: there is no such file"):
        read_rules(tmp_path / "gate.yaml")


def test_the_digest_is_that_of_the_file(write):
    path = write("gate.yaml", "score: {margin: 0.03}\n")

    rules = read_rules(path)

    assert rules.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert rules.rules.score.margin == 0.03


def test_a_rule_that_is_null_is_off(write):
    rules = read_rules(write("gate.yaml", "cost: null\nleak:\n")).rules

    assert (rules.cost, rules.leak) == (None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scor: {margin: 0.1}\n", "gate.yaml:1: scor: there is no such parameter; did you mean score?"),
        ("types:\n  bond: 0.1\n", "gate.yaml:2: types.bond: there is no such parameter; did you mean bound?"),
        ("score: {margin: yes}\n", "gate.yaml:1: score.margin: Input should be a valid number"),
        ("score: {margin: '0.1'}\n", "score.margin: Input should be a valid number"),
        ("score: {margin: 2}\n", "score.margin: Input should be less than or equal to 1"),
        ("score: {margin: -0.1}\n", "score.margin: Input should be greater than or equal to 0"),
        ("score: {margin: .nan}\n", "score.margin: Input should be a finite number"),
        ("score: {require: best}\n", "score.require: Input should be 'not_worse' or 'better'"),
        ("score: null\n", "score: Input should be"),
        ("confidence: 0.4\n", "confidence: Input should be greater than 0.5"),
        ("resamples: 10\n", "resamples: Input should be greater than or equal to 1000"),
        ("types: {min_support: 0}\n", "types.min_support: Input should be greater than or equal to 1"),
        ("- score\n", "holds list, not sections"),
        ("score: {margin: 0.1, margin: 0.2}\n", "the key 'margin' is given twice"),
        ("score: [\n", "not YAML"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_line(write, text, message):
    with pytest.raises(ConfigError) as caught:
        read_rules(write("gate.yaml", text))

    assert message in str(caught.value)
    assert "docs/promote.md" in str(caught.value) or "YAML" in message or "twice" in message
