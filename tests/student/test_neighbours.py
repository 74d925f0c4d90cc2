"""The nearest training mentions: against a plain search, and the index that is kept."""

import numpy as np
import pytest
import torch

from cotpd.errors import DataError
from cotpd.student import Student, neighbours
from cotpd.student.batches import collate
from cotpd.student.examples import build_examples
from cotpd.student.neighbours import Neighbours, compute_mention_states
from tests.builders import build_post, build_student


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COTPD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "neighbours"


@pytest.fixture
def folder(bert, tmp_path):
    build_student(bert).save(tmp_path / "m")
    return tmp_path / "m"


@pytest.fixture
def student(folder):
    return Student.from_pretrained(folder, "cpu")


def list_spans(example):
    return [(entity.start, entity.end) for entity in example.entities]


def compute_plain_state(student, example, start, end):
    """The state of one mention, read alone."""
    batch = collate(student.example_encoder.encode([example]), student.views[0], student.example_encoder)
    with torch.inference_mode():
        state = student.model.compute_states(batch, student.views[0])[0, start:end].mean(0).numpy()
    return state / np.linalg.norm(state)


@pytest.mark.parametrize("span", [(0, 1), (3, 4)])
def test_the_nearest_are_those_of_a_search_one_by_one(span, student, folder, ner_examples):
    index = Neighbours.build(student, folder, ner_examples, progress=False)
    [query] = build_examples([build_post("bob works in paris .")], "ner", {}, {})
    state = compute_plain_state(student, query, *span)
    similarity, best = {}, []
    for example in ner_examples:
        mentions = [(entity.start, entity.end, entity.type) for entity in example.entities]
        values = [compute_plain_state(student, example, start, end) @ state for start, end, _ in mentions]
        similarity |= {(example.id, *mention): value for mention, value in zip(mentions, values, strict=True)}
        best.append(max(values))

    [[nearest]] = index.find_nearest([query], [[span]], 5)

    kept_in_half_precision = pytest.approx(sorted(best, reverse=True)[:5], abs=2e-3)
    assert [neighbour.similarity for neighbour in nearest] == kept_in_half_precision
    for neighbour in nearest:
        plain = similarity[neighbour.example.id, *neighbour.span, neighbour.label]
        assert plain == pytest.approx(neighbour.similarity, abs=2e-3)


def test_a_training_post_is_its_own_nearest_and_no_post_comes_twice(student, folder, ner_examples):
    index = Neighbours.build(student, folder, ner_examples[:3], progress=False)

    [[nearest]] = index.find_nearest(ner_examples[:1], [[(0, 1)]], 10)

    assert nearest[0].similarity == pytest.approx(1, abs=1e-3)
    assert sorted(neighbour.example.id for neighbour in nearest) == ["p0", "p1", "p2"]


def test_pairs_are_compared_by_both_their_markers(bert, tmp_path, re_examples):
    build_student(bert, "re").save(tmp_path / "re")
    student = Student.from_pretrained(tmp_path / "re", "cpu")
    index = Neighbours.build(student, tmp_path / "re", re_examples, progress=False)

    [[nearest]] = index.find_nearest([re_examples[4].model_copy(update={"label": None})], [[None]], 2)

    assert index.states.shape == (len(re_examples), 2 * 32)
    assert nearest[0].similarity == pytest.approx(1, abs=1e-3)
    assert nearest[0].example.text == re_examples[4].text
    assert (nearest[0].span, nearest[0].label) == (None, re_examples[4].label)


def test_states_do_not_depend_on_company(student, ner_examples):
    spans = [list_spans(example) for example in ner_examples]
    together = compute_mention_states(student, ner_examples, spans)

    alone = np.concatenate(
        [compute_mention_states(student, [e], [s]) for e, s in zip(ner_examples, spans, strict=True)]
    )

    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-5)


@pytest.fixture
def calls(monkeypatch):
    """A list that grows whenever states are computed."""
    calls = []
    compute = neighbours.compute_mention_states
    monkeypatch.setattr(neighbours, "compute_mention_states", lambda *a, **k: calls.append(1) or compute(*a, **k))
    return calls


def test_the_index_is_made_once_for_the_same_weights_and_data(student, folder, ner_examples, cache, calls):
    first = Neighbours.build(student, folder, ner_examples, progress=False)

    second = Neighbours.build(student, folder, ner_examples, progress=False)

    np.testing.assert_array_equal(first.states, second.states)
    assert len(calls) == 1
    assert [path.suffix for path in cache.iterdir()] == [".safetensors"]  # and nothing half written


def test_the_index_is_made_again_for_other_data_and_for_another_model(student, folder, ner_examples, cache, calls):
    Neighbours.build(student, folder, ner_examples, progress=False)

    Neighbours.build(student, folder, ner_examples[:-1], progress=False)
    (folder / "student.json").write_text((folder / "student.json").read_text() + "\n")
    Neighbours.build(student, folder, ner_examples, progress=False)

    assert len(calls) == len(list(cache.iterdir())) == 3


def test_a_damaged_index_is_made_again(student, folder, ner_examples, cache):
    before = Neighbours.build(student, folder, ner_examples, progress=False)
    [file] = cache.iterdir()
    file.write_bytes(file.read_bytes()[:50])

    after = Neighbours.build(student, folder, ner_examples, progress=False)

    np.testing.assert_array_equal(before.states, after.states)


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(
    student, folder, ner_examples, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COTPD_CACHE", str(tmp_path / "file"))

    assert len(Neighbours.build(student, folder, ner_examples, progress=False).states) == 24


def test_training_posts_without_mentions_are_refused(student, folder):
    bare = build_examples([build_post("ann lives in rome")], "ner", {}, {})

    with pytest.raises(DataError, match="no training post has a mention"):
        Neighbours.build(student, folder, bare, progress=False)
