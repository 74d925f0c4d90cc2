"""tokenizer.json without transformers: the same sub-words for whatever a post may hold."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from cotpd.errors import ModelError
from cotpd.student.fast_tokenizer import FastTokenizer
from tests.student.tiny_encoders import ANGLES
from tests.student.tiny_tokenizers import make_byte_level, make_unigram

HOSTILE = st.one_of(
    st.text(),
    st.text(st.characters(categories=["L", "M", "S", "Cc", "Cf", "Co"])),
    st.sampled_from(
        [
            "",
            " ",
            "[SEP]",
            "<s>",
            "</s>[MASK]",
            "##a",
            "\0",
            "a\u0301",
            "\u200d",
            "\ufeffx",
            "ﷺ" * 40,
            "🛰️" * 9,
            "a" * 3000,
        ]
    ),
)
CUT = {"add_special_tokens": False, "split_special_tokens": True, "verbose": False}
KINDS = ("wordpiece", "bytes", "unigram")


@pytest.fixture(scope="module")
def pairs(encoder: Path, tmp_path_factory) -> dict[str, tuple[PreTrainedTokenizerBase, FastTokenizer]]:
    """By kind, a tokenizer of transformers and its file read by `tokenizers` alone."""
    slow = {
        "wordpiece": AutoTokenizer.from_pretrained(encoder),
        "bytes": PreTrainedTokenizerFast(tokenizer_object=make_byte_level(), **ANGLES),
        "unigram": PreTrainedTokenizerFast(tokenizer_object=make_unigram(), **ANGLES),
    }
    folder = tmp_path_factory.mktemp("tokenizers")
    pairs = {}
    for kind, tokenizer in slow.items():
        file = folder / f"{kind}.json"
        file.write_text(tokenizer.backend_tokenizer.to_str(), "utf-8")
        pairs[kind] = tokenizer, FastTokenizer(file, {"cls": tokenizer.cls_token_id})
    return pairs


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150, deadline=None)
@given(texts=st.lists(HOSTILE, min_size=1, max_size=5))
def test_it_cuts_hostile_texts_as_transformers_does(kind, texts, pairs):
    tokenizer, fast = pairs[kind]

    assert fast(texts, **CUT)["input_ids"] == tokenizer(texts, **CUT)["input_ids"]


def test_a_special_token_in_a_post_is_text(pairs):
    tokenizer, fast = pairs["wordpiece"]

    (ids,) = fast(["[SEP]"], **CUT)["input_ids"]

    assert tokenizer.sep_token_id not in ids


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"version": "1.0", "model": {"type": "Odd"}}'])
def test_a_damaged_file_is_named(content, tmp_path):
    file = tmp_path / "tokenizer.json"
    file.write_bytes(content)

    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        FastTokenizer(file, {})


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"absent\.json"):
        FastTokenizer(tmp_path / "absent.json", {})
