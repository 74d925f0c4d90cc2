"""Where the prompts look: weights that are a distribution over words, whatever the post and the task."""

from itertools import pairwise

import numpy as np
import pytest

from cotpd.student.attention import compute_prompt_attention
from cotpd.student.batches import collate
from cotpd.student.examples import build_examples
from tests.builders import build_post, build_student


def test_the_weight_of_a_word_is_that_of_its_sub_words(bert):
    student = build_student(bert)
    [example] = build_examples([build_post("anns lives in zzz romes")], "ner", {}, {})
    [encoded] = student.example_encoder.encode([example])
    batch = collate([encoded], "prompt", student.example_encoder)
    raw = student.model.compute_prompt_attention(batch)[0].detach().numpy()
    starts = [*encoded.position_of_state.tolist(), raw.shape[1] - 2]
    assert raw.shape[1] > len(example.tokens) + 2  # some word has several sub-words

    [attention] = compute_prompt_attention(student, [example])

    for word, (start, end) in enumerate(pairwise(starts)):
        np.testing.assert_allclose(attention.queries[:, word], raw[:, 1 + start : 1 + end].sum(1), rtol=1e-5)
    np.testing.assert_allclose(attention.elsewhere, raw[:, 0] + raw[:, -1], rtol=1e-5)


@pytest.mark.parametrize("text", ["ann", "ann lives in rome . " * 12])
def test_weights_are_a_distribution_in_one_window_and_in_many(bert, text):
    student = build_student(bert)
    [example] = build_examples([build_post(text)], "ner", {}, {})

    [attention] = compute_prompt_attention(student, [example])

    assert attention.queries.shape == (3, len(example.tokens))
    assert (attention.queries > 0).all()  # every word is read in some window
    np.testing.assert_allclose(attention.queries.sum(1) + attention.elsewhere, 1)
    np.testing.assert_allclose(attention.words, attention.queries.mean(0))


def test_the_markers_of_a_pair_are_no_words(bert, re_examples):
    student = build_student(bert, "re")
    [attention] = compute_prompt_attention(student, re_examples[:1])

    [plain] = compute_prompt_attention(student, [re_examples[0].model_copy(update={"label": None})])

    assert attention.queries.shape == (3, len(re_examples[0].tokens))
    assert (attention.elsewhere > 0).all()
    np.testing.assert_array_equal(attention.queries, plain.queries)


def test_the_strongest_words_of_each_query_come_first(bert, ner_examples):
    [attention] = compute_prompt_attention(build_student(bert), ner_examples[:1])

    for query, strongest in zip(attention.queries, attention.find_strongest(2), strict=True):
        assert [weight for _, weight in strongest] == sorted(query, reverse=True)[:2]
        assert [query[word] for word, _ in strongest] == [weight for _, weight in strongest]


@pytest.mark.parametrize("settings", [{"views": ("text",)}, {"prompt_length": 0}], ids=str)
def test_a_model_without_prompts_has_no_attention(bert, ner_examples, settings):
    student = build_student(bert, **settings)

    assert compute_prompt_attention(student, ner_examples[:2]) == [None, None]
