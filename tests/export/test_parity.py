"""The verdict on a graph: what it refuses, and in which words."""

import math

import pytest

from cotpd.export.parity import Reference, is_close, judge
from cotpd.student.examples import build_examples
from cotpd.student.tasks import PredictedLabel, PredictedMention, find_task
from tests.builders import build_post

EXAMPLES = build_examples([build_post("[Ada](PER) saw [Rome](LOC)", id=str(n)) for n in range(100)], "ner", {}, {})
RIGHT = [PredictedMention(0, 1, "PER", 0.9), PredictedMention(2, 3, "LOC", 0.8)]
REFERENCE = Reference(EXAMPLES, [RIGHT] * 100, has_gold=True, task=find_task("ner"))


def test_the_same_predictions_pass_as_exact() -> None:
    verdict = judge("onnx", [RIGHT] * 100, REFERENCE)

    assert (verdict.passed, verdict.reason, verdict.same, verdict.score_gap) == (True, "", 1.0, 0.0)


def test_one_other_span_refuses_the_exact_graph() -> None:
    verdict = judge("onnx", [RIGHT[:1], *[RIGHT] * 99], REFERENCE)

    assert not verdict.passed
    assert verdict.reason == "1 post has other predictions than with torch, of 100"


@pytest.mark.parametrize("score", [0.9 + 0.0011, 0.9 - 0.002, math.nan])
def test_a_score_that_differs_by_more_than_a_thousandth_refuses_the_exact_graph(score: float) -> None:
    moved = [RIGHT[0]._replace(score=score), RIGHT[1]]

    verdict = judge("onnx", [moved, *[RIGHT] * 99], REFERENCE)

    assert not verdict.passed
    assert "a score differs by" in verdict.reason


def test_a_score_that_differs_by_less_passes() -> None:
    moved = [RIGHT[0]._replace(score=0.9009), RIGHT[1]]

    assert judge("onnx", [moved] * 100, REFERENCE).passed


def test_int8_may_lose_three_tenths_of_a_point_and_no_more() -> None:
    one_missed, two_missed = [RIGHT[:1], *[RIGHT] * 99], [RIGHT[:1], RIGHT[:1], *[RIGHT] * 98]

    verdicts = [judge("onnx-int8", predictions, REFERENCE) for predictions in (one_missed, two_missed)]

    assert [verdict.passed for verdict in verdicts] == [True, False]
    assert verdicts[1].reason == "F1 falls by 0.50 points to 99.50, more than 0.3"


def test_int8_may_be_better_than_torch() -> None:
    reference = REFERENCE._replace(predictions=[RIGHT[:1]] * 100)

    assert judge("onnx-int8", [RIGHT] * 100, reference).passed


def test_without_labels_torch_is_what_int8_is_compared_with() -> None:
    reference = REFERENCE._replace(has_gold=False)

    verdict = judge("onnx-int8", [[], *[RIGHT] * 99], reference)

    assert verdict.torch_f1 == 100
    assert "against torch's own predictions" in verdict.reason


def test_errors_that_cancel_each_other_are_not_close_to_torch() -> None:
    missed = [[], [], *[RIGHT] * 98]
    reference = REFERENCE._replace(predictions=[*[RIGHT] * 98, [], []])

    assert judge("onnx-int8", missed, reference).passed
    assert not is_close(missed, reference)
    assert is_close(reference.predictions, reference)


def test_relations_are_judged_by_their_labels() -> None:
    post = build_post("[Ada](PER) saw [Rome](LOC)", relations=[(0, 1, "visits")])
    examples = build_examples([post], "re", {}, {})
    reference = Reference(examples, [[PredictedLabel("visits", 0.9)]], has_gold=True, task=find_task("re"))

    verdict = judge("onnx", [[PredictedLabel("None", 0.9)]], reference)

    assert (verdict.passed, verdict.torch_f1, verdict.f1) == (False, 100, 0)
