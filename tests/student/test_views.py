import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from cotpd.config import StudentParams
from cotpd.data.records import Kind
from cotpd.errors import ConfigError
from cotpd.student.batches import collate, reading_order, training_order
from cotpd.student.examples import build_examples
from cotpd.student.labels import LabelSet
from cotpd.student.views import Tokenization, _marked, _spaced, _windows
from tests.student.conftest import make_post

VOCABULARY = 1000  # markers are 1000 .. 1003


def tokens_of(bert: str, task: str = "ner", **params) -> Tokenization:
    sizes = {"prompt_length": 2, "max_length": 20, "knowledge_length": 16} | params
    labels = LabelSet.of(task, ["PER", "LOC", "ORG"] if task == "ner" else ["lives_in", "None"])
    return Tokenization(
        AutoTokenizer.from_pretrained(bert), StudentParams(encoder=bert, **sizes), labels, VOCABULARY, 94
    )


def words_of(tokens: Tokenization, ids) -> str:
    return " ".join(tokens.tokenizer.convert_ids_to_tokens([int(i) for i in ids]))


@pytest.fixture
def rich():
    post = make_post(0, "ann lives in rome", [("ann", "PER"), ("rome", "LOC")], "lives_in")
    knowledge = {Kind.SENTENCE: "about the firm", Kind.NOUN: "rome is a city"}
    return [post], {"p0": "a picture"}, {"p0": knowledge}


def test_the_knowledge_view_appends_knowledge_in_order_and_cuts_it_not_the_post(bert, rich):
    tokens = tokens_of(bert)
    batch = collate(tokens.encode(build_examples(rich[0], "ner", *rich[1:])), "knowledge", tokens)
    shown = "[CLS] ann lives in rome [SEP] a picture [SEP] rome is a city [SEP] about [SEP]"
    assert words_of(tokens, batch.ids[0]) == shown
    assert batch.targets.tolist() == [[tokens.labels.names.index(t) for t in ("B-PER", "O", "O", "B-LOC")]]
    assert batch.places.tolist() == [[1, 2, 3, 4]]


@settings(deadline=None)
@given(
    words=st.integers(1, 12),
    said=st.tuples(*[st.integers(0, 9)] * 4),
    order=st.permutations(["caption", "noun", "sentence", "multimodality"]),
    length=st.integers(16, 40),
)
def test_a_post_is_kept_whole_and_knowledge_is_cut_from_the_last_kind_backwards(bert, words, said, order, length):
    texts = dict(zip(("caption", "noun", "sentence", "multimodality"), said, strict=True))
    own = dict(zip(texts, ("picture", "city", "firm", "about"), strict=True))
    answers = {Kind(name): " ".join([own[name]] * count) for name, count in texts.items() if name != "caption"}
    caption = " ".join([own["caption"]] * texts["caption"])
    post = make_post(0, " ".join(["ann"] * words), [])
    tokens = tokens_of(bert, knowledge_length=length, knowledge_order=order)
    batch = collate(
        tokens.encode(build_examples([post], "ner", {"p0": caption}, {"p0": answers})), "knowledge", tokens
    )
    shown = words_of(tokens, batch.ids[0]).split()
    assert shown[: words + 2] == ["[CLS]", *["ann"] * words, "[SEP]"]
    assert len(shown) <= length
    rest = [word for word in shown[words + 2 :] if word != "[SEP]"]
    whole = [own[name] for name in order for _ in range(texts[name])]
    assert rest == whole[: len(rest)]
    assert len(rest) == len(whole) or len(shown) >= length - 1  # a separator may take the last place


def test_every_sub_word_is_owned_by_its_word_in_every_window(bert):
    tokens = tokens_of(bert, max_length=16)
    [example] = build_examples([make_post(0, "ann zzz lives #s in rome . " * 4, [])], "ner", {}, {})
    [encoded] = tokens.encode([example])
    owners, spaced = tokens.owners(example), _spaced(example)
    assert len(owners) > 1
    assert [len(window) for window in owners] == [len(window) for window in encoded.windows]
    for word, (row, place) in enumerate(zip(encoded.rows, encoded.places, strict=True)):
        assert owners[row][place] == word
    for window, owned in zip(encoded.windows, owners, strict=True):
        pieces = {word: [int(i) for i in window[owned == word]] for word in set(owned.tolist())}
        assert all(ids == tokens._words[spaced[word]] for word, ids in pieces.items())


def test_markers_and_what_is_cut_between_them_have_no_owner(bert):
    tokens = tokens_of(bert, "re", max_length=18)
    text = "ann " + "with the firm " * 8 + "in rome"
    [example] = build_examples([make_post(0, text, [("ann", "PER"), ("rome", "LOC")], "None")], "re", {}, {})
    [encoded], [owners] = tokens.encode([example]), tokens.owners(example)
    assert ((encoded.windows[0] >= VOCABULARY) == (owners < 0)).all()
    assert owners[owners >= 0].tolist()[:1] == [0]
    assert owners[owners >= 0].tolist()[-1] == len(example.tokens) - 1
    assert len(set(owners.tolist())) < len(example.tokens)


def test_text_and_prompt_views_hold_the_post_alone(bert, rich):
    tokens = tokens_of(bert)
    encoded = tokens.encode(build_examples(rich[0], "ner", *rich[1:]))
    for view in ("text", "prompt"):
        assert words_of(tokens, collate(encoded, view, tokens).ids[0]) == "[CLS] ann lives in rome [SEP]"


def test_what_a_post_says_never_becomes_a_special_token_and_no_word_is_lost(bert):
    tokens = tokens_of(bert)
    [one] = tokens.encode(
        build_examples([make_post(0, "ann [SEP] \u200d \U0001f44d \ud83d rome", [])], "ner", {}, {})
    )
    ids = np.concatenate(one.windows)
    assert tokens.sep not in ids
    assert len(one.places) == 8  # ann [ SEP ] joiner thumb half-a-pair rome
    assert (ids[one.places][1:7] == tokens.unk).all()


@given(st.lists(st.integers(1, 6), min_size=1, max_size=60), st.integers(12, 30))
def test_windows_lose_no_word_and_fit(lengths, room):
    pieces, at = [], 0
    for length in lengths:
        pieces.append(list(range(at, at + length)))
        at += length
    windows, rows, places = _windows(pieces, room)
    assert all(len(window) <= room for window in windows)
    for piece, row, place in zip(pieces, rows, places, strict=True):
        assert windows[row][place : place + len(piece)].tolist() == piece
    if at <= room:
        assert len(windows) == 1


def test_a_word_in_a_later_window_is_read_with_context_on_both_sides():
    windows, rows, places = _windows([[i] for i in range(100)], 20)
    inner = [(r, p) for i, (r, p) in enumerate(zip(rows, places, strict=True)) if 20 <= i < 80]
    assert all(2 <= place <= len(windows[row]) - 3 for row, place in inner)


@given(st.integers(1, 60), st.data(), st.integers(8, 30))
def test_markers_survive_any_cut(words, data, room):
    spans = []
    for _ in range(2):
        start = data.draw(st.integers(0, words - 1))
        spans.append((start, data.draw(st.integers(start + 1, words))))
    ids, places = _marked([[i] for i in range(words)], *spans, VOCABULARY, room)
    assert len(ids) == min(room, words + 4)
    assert sorted(ids[ids >= VOCABULARY]) == [VOCABULARY + n for n in range(4)]
    assert ids[places].tolist() == [VOCABULARY, VOCABULARY + 2]
    text = ids[ids < VOCABULARY]
    assert (np.diff(text) > 0).all()


def test_a_long_relation_post_keeps_what_lies_between_near_mentions_and_both_surroundings_of_far_ones():
    near, _ = _marked([[i] for i in range(100)], (40, 41), (46, 47), VOCABULARY, 20)
    assert set(range(40, 47)) < set(near.tolist())
    far, _ = _marked([[i] for i in range(100)], (5, 6), (90, 91), VOCABULARY, 20)
    assert {4, 5, 6, 89, 90, 91} < set(far.tolist())
    assert 50 not in far


def test_marked_words_stand_between_their_markers(bert, rich):
    tokens = tokens_of(bert, "re")
    [one] = tokens.encode(build_examples(rich[0], "re", {}, {}))
    ann, rome = (tokens.tokenizer.convert_tokens_to_ids(word) for word in ("ann", "rome"))
    assert one.windows[0].tolist()[:3] == [VOCABULARY, ann, VOCABULARY + 1]
    assert one.windows[0].tolist()[-3:] == [VOCABULARY + 2, rome, VOCABULARY + 3]


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
        tokens_of(bert, **params)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=300), st.integers(1, 7))
def test_batches_hold_every_example_once(sizes, batch_size):
    for batches in (
        training_order(sizes, batch_size, np.random.default_rng(3)),
        list(reading_order(sizes, batch_size)),
    ):
        assert sorted(i for batch in batches for i in batch) == list(range(len(sizes)))
        assert max(map(len, batches)) <= batch_size
    again = training_order(sizes, batch_size, np.random.default_rng(3))
    assert again == training_order(sizes, batch_size, np.random.default_rng(3))


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=200), st.integers(1, 32))
def test_padded_to_its_longest_no_batch_is_larger_than_as_many_usual_posts_unless_one_post_is(lengths, batch_size):
    for batch in reading_order([(one, one) for one in lengths], batch_size):
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= 512 * batch_size
