"""Where the prompts look: weights that are a distribution over words, whatever the post and the task."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from cotpd.config import StudentParams
from cotpd.student import Student
from cotpd.student.attention import prompt_attention
from cotpd.student.batches import collate
from cotpd.student.examples import build_examples
from cotpd.student.labels import LabelSet
from cotpd.student.persistence import build
from tests.student.conftest import make_post


def make_student(encoder: str, task: str = "ner", views=("prompt",), **params) -> Student:
    torch.manual_seed(3)
    sizes = {"prompt_length": 3, "generator_heads": 2, "max_length": 24, "knowledge_length": 48} | params
    labels = LabelSet.of(task, ["PER", "LOC", "ORG"] if task == "ner" else ["lives_in", "None"])
    settings = StudentParams(encoder=encoder, **sizes)
    model, tokenizer, reads = build(settings, labels)
    return Student(model, tokenizer, settings, views, reads, "cpu")


def test_the_weight_of_a_word_is_that_of_its_sub_words(bert):
    student = make_student(bert)
    [example] = build_examples([make_post(0, "anns lives in zzz romes", [])], "ner", {}, {})
    [found] = prompt_attention(student, [example])
    [encoded] = student.tokens.encode([example])
    [raw] = student.model.attention(collate([encoded], "prompt", student.tokens)).detach().numpy()
    assert raw.shape[1] > len(example.tokens) + 2  # some word has several sub-words
    starts = [*encoded.places.tolist(), raw.shape[1] - 2]
    for word, (start, end) in enumerate(pairwise(starts)):
        np.testing.assert_allclose(found.queries[:, word], raw[:, 1 + start : 1 + end].sum(1), rtol=1e-5)
    np.testing.assert_allclose(found.borders, raw[:, 0] + raw[:, -1], rtol=1e-5)


@pytest.mark.parametrize("text", ["ann", "ann lives in rome . " * 12])
def test_weights_are_a_distribution_in_one_window_and_in_many(bert, text):
    student = make_student(bert)
    [example] = build_examples([make_post(0, text, [])], "ner", {}, {})
    [found] = prompt_attention(student, [example])
    assert found.queries.shape == (3, len(example.tokens))
    assert (found.queries > 0).all()  # every word is read in some window
    np.testing.assert_allclose(found.queries.sum(1) + found.borders, 1)
    np.testing.assert_allclose(found.words, found.queries.mean(0))


def test_the_markers_of_a_pair_are_no_words(bert, re_examples):
    student = make_student(bert, "re")
    [found] = prompt_attention(student, re_examples[:1])
    [plain] = prompt_attention(student, [re_examples[0].model_copy(update={"label": None})])
    assert found.queries.shape == (3, len(re_examples[0].tokens))
    assert (found.borders > 0).all()
    np.testing.assert_array_equal(found.queries, plain.queries)


def test_the_strongest_words_of_each_query_come_first(bert, ner_examples):
    [found] = prompt_attention(make_student(bert), ner_examples[:1])
    for query, some in zip(found.queries, found.strongest(2), strict=True):
        assert [weight for _, weight in some] == sorted(query, reverse=True)[:2]
        assert [query[word] for word, _ in some] == [weight for _, weight in some]


def test_a_model_without_prompts_has_none(bert, ner_examples):
    for student in (make_student(bert, views=("text",)), make_student(bert, prompt_length=0)):
        assert prompt_attention(student, ner_examples[:2]) == [None, None]
