"""Examples as sub-words: what each view holds, how long posts are cut, and how batches are formed."""

from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from cotpd.data.records import Kind
from cotpd.errors import ConfigError
from cotpd.student.batches import collate, order_for_reading, order_for_training
from cotpd.student.examples import build_examples
from cotpd.student.labels import LabelSet
from cotpd.student.params import StudentParams
from cotpd.student.views import ExampleEncoder, _prefix_spaces
from cotpd.student.windows import cut_windows, insert_markers
from tests.builders import build_post

VOCABULARY = 1000  # markers are 1000 .. 1003


def build_encoder(bert: str, task: str = "ner", **params) -> ExampleEncoder:
    sizes = {"prompt_length": 2, "max_length": 20, "knowledge_length": 16} | params
    labels = LabelSet.build(task, ["PER", "LOC", "ORG"] if task == "ner" else ["lives_in", "None"])
    return ExampleEncoder(
        AutoTokenizer.from_pretrained(bert), StudentParams(encoder=bert, **sizes), labels, VOCABULARY, 94
    )


def list_words(tokens: ExampleEncoder, ids) -> str:
    return " ".join(tokens.tokenizer.convert_ids_to_tokens([int(i) for i in ids]))


@pytest.fixture
def rich():
    post = build_post("[ann](PER) lives in [rome](LOC)", id="p0", relations=[(0, 1, "lives_in")])
    knowledge = {Kind.SENTENCE: "about the firm", Kind.NOUN: "rome is a city"}
    return [post], {"p0": "a picture"}, {"p0": knowledge}


def test_the_knowledge_view_appends_knowledge_in_order_and_cuts_it_not_the_post(bert, rich):
    tokens = build_encoder(bert)

    batch = collate(tokens.encode(build_examples(rich[0], "ner", *rich[1:])), "knowledge", tokens)

    shown = "[CLS] ann lives in rome [SEP] a picture [SEP] rome is a city [SEP] about [SEP]"
    assert list_words(tokens, batch.ids[0]) == shown
    assert batch.targets.tolist() == [[tokens.labels.names.index(t) for t in ("B-PER", "O", "O", "B-LOC")]]
    assert batch.position_of_state.tolist() == [[1, 2, 3, 4]]


@settings(deadline=None)
@given(
    words=st.integers(1, 12),
    counts=st.tuples(*[st.integers(0, 9)] * 4),
    order=st.permutations(["caption", "noun", "sentence", "multimodality"]),
    length=st.integers(16, 40),
)
def test_a_post_is_kept_whole_and_knowledge_is_cut_from_the_last_kind_backwards(
    bert, words, counts, order, length
):
    texts = dict(zip(("caption", "noun", "sentence", "multimodality"), counts, strict=True))
    first_words = dict(zip(texts, ("picture", "city", "firm", "about"), strict=True))
    answers = {
        Kind(name): " ".join([first_words[name]] * count) for name, count in texts.items() if name != "caption"
    }
    caption = " ".join([first_words["caption"]] * texts["caption"])
    post = build_post(" ".join(["ann"] * words), id="p0")
    tokens = build_encoder(bert, knowledge_length=length, knowledge_order=order)

    batch = collate(
        tokens.encode(build_examples([post], "ner", {"p0": caption}, {"p0": answers})), "knowledge", tokens
    )

    shown = list_words(tokens, batch.ids[0]).split()
    assert shown[: words + 2] == ["[CLS]", *["ann"] * words, "[SEP]"]
    assert len(shown) <= length

    knowledge = [word for word in shown[words + 2 :] if word != "[SEP]"]
    whole = list(chain.from_iterable([first_words[name]] * texts[name] for name in order))

    assert knowledge == whole[: len(knowledge)]
    assert len(knowledge) == len(whole) or len(shown) >= length - 1  # a separator may take the last place


def test_every_sub_word_is_owned_by_its_word_in_every_window(bert):
    tokens = build_encoder(bert, max_length=16)
    [example] = build_examples([build_post("ann zzz lives #s in rome . " * 4)], "ner", {}, {})
    [encoded] = tokens.encode([example])
    owners, spaced = tokens.find_word_indices(example), _prefix_spaces(example)

    assert len(owners) > 1
    assert [len(window) for window in owners] == [len(window) for window in encoded.windows]
    for word, (row, position) in enumerate(zip(encoded.window_of_state, encoded.position_of_state, strict=True)):
        assert owners[row][position] == word
    for window, owned in zip(encoded.windows, owners, strict=True):
        for word in set(owned.tolist()):
            assert window[owned == word].tolist() == tokens._subwords[spaced[word]]


def test_markers_and_what_is_cut_between_them_have_no_owner(bert):
    tokens = build_encoder(bert, "re", max_length=18)
    markup = "[ann](PER) " + "with the firm " * 8 + "in [rome](LOC)"
    [example] = build_examples([build_post(markup, relations=[(0, 1, "None")])], "re", {}, {})
    [encoded], [owners] = tokens.encode([example]), tokens.find_word_indices(example)

    assert ((encoded.windows[0] >= VOCABULARY) == (owners < 0)).all()
    assert owners[owners >= 0].tolist()[:1] == [0]
    assert owners[owners >= 0].tolist()[-1] == len(example.tokens) - 1
    assert len(set(owners.tolist())) < len(example.tokens)


def test_text_and_prompt_views_hold_the_post_alone(bert, rich):
    tokens = build_encoder(bert)
    encoded = tokens.encode(build_examples(rich[0], "ner", *rich[1:]))

    for view in ("text", "prompt"):
        assert list_words(tokens, collate(encoded, view, tokens).ids[0]) == "[CLS] ann lives in rome [SEP]"


def test_what_a_post_says_never_becomes_a_special_token_and_no_word_is_lost(bert):
    tokens = build_encoder(bert)
    [encoded] = tokens.encode(
        build_examples([build_post("ann [SEP] \u200d \U0001f44d \ud83d rome")], "ner", {}, {})
    )
    ids = np.concatenate(encoded.windows)

    assert tokens.sep not in ids
    assert len(encoded.position_of_state) == 8  # ann [ SEP ] joiner thumb half-a-pair rome
    assert (ids[encoded.position_of_state][1:7] == tokens.unk).all()


@given(st.lists(st.integers(1, 6), min_size=1, max_size=60), st.integers(12, 30))
def test_windows_lose_no_word_and_fit(lengths, room):
    pieces, at = [], 0
    for length in lengths:
        pieces.append(list(range(at, at + length)))
        at += length

    windows, rows, positions = cut_windows(pieces, room)

    assert all(len(window) <= room for window in windows)
    for piece, row, position in zip(pieces, rows, positions, strict=True):
        assert windows[row][position : position + len(piece)].tolist() == piece
    if at <= room:
        assert len(windows) == 1


def test_a_word_in_a_later_window_is_read_with_context_on_both_sides():
    windows, rows, positions = cut_windows([[i] for i in range(100)], 20)

    inner = [(r, p) for i, (r, p) in enumerate(zip(rows, positions, strict=True)) if 20 <= i < 80]
    assert all(2 <= position <= len(windows[row]) - 3 for row, position in inner)


@given(st.integers(1, 60), st.data(), st.integers(8, 30))
def test_markers_survive_any_cut(words, data, room):
    spans = []
    for _ in range(2):
        start = data.draw(st.integers(0, words - 1))
        spans.append((start, data.draw(st.integers(start + 1, words))))

    (ids,), _, positions = insert_markers([[i] for i in range(words)], *spans, VOCABULARY, room)

    assert len(ids) == min(room, words + 4)
    assert sorted(ids[ids >= VOCABULARY]) == [VOCABULARY + n for n in range(4)]
    assert ids[positions].tolist() == [VOCABULARY, VOCABULARY + 2]

    text = ids[ids < VOCABULARY]

    assert (np.diff(text) > 0).all()


def test_a_long_relation_post_keeps_what_lies_between_near_mentions_and_both_surroundings_of_far_ones():
    (together,), *_ = insert_markers([[i] for i in range(100)], (40, 41), (46, 47), VOCABULARY, 20)

    assert set(range(40, 47)) < set(together.tolist())

    (apart,), *_ = insert_markers([[i] for i in range(100)], (5, 6), (90, 91), VOCABULARY, 20)

    assert {4, 5, 6, 89, 90, 91} < set(apart.tolist())
    assert 50 not in apart


def test_marked_words_stand_between_their_markers(bert, rich):
    tokens = build_encoder(bert, "re")
    [encoded] = tokens.encode(build_examples(rich[0], "re", {}, {}))
    ann, rome = (tokens.tokenizer.convert_tokens_to_ids(word) for word in ("ann", "rome"))

    assert encoded.windows[0].tolist()[:3] == [VOCABULARY, ann, VOCABULARY + 1]
    assert encoded.windows[0].tolist()[-3:] == [VOCABULARY + 2, rome, VOCABULARY + 3]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"max_length": 95}, "student.max_length is 95, but .* reads 94"),
        ({"knowledge_length": 99}, "student.knowledge_length"),
        ({"prompt_length": 15}, "leaves 3 sub-words"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(bert, params, message):
    with pytest.raises(ConfigError, match=message):
        build_encoder(bert, **params)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=300), st.integers(1, 7))
def test_batches_hold_every_example_once(sizes, batch_size):
    for batches in (
        order_for_training(sizes, batch_size, np.random.default_rng(3)),
        list(order_for_reading(sizes, batch_size)),
    ):
        assert sorted(chain.from_iterable(batches)) == list(range(len(sizes)))
        assert max(map(len, batches)) <= batch_size

    again = order_for_training(sizes, batch_size, np.random.default_rng(3))

    assert again == order_for_training(sizes, batch_size, np.random.default_rng(3))


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=200), st.integers(1, 32))
def test_padded_to_its_longest_no_batch_is_larger_than_as_many_usual_posts_unless_one_post_is(lengths, batch_size):
    for batch in order_for_reading([(length, length) for length in lengths], batch_size):
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= 512 * batch_size
