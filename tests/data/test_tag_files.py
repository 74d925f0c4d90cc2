"""Tags in files: their schemes and notations, their columns, and the names of those that are numbers."""

import pytest

from cotpd.errors import DataError
from tests.data.tool_rows import list_marks, list_mentions


def test_names_of_tags_that_are_too_few_are_named(load, write) -> None:
    write("train.jsonl", [{"tokens": ["Ada", "waves"], "ner_tags": [7, 0]}, {"tokens": ["Bob"], "ner_tags": [1]}])
    write("labels.txt", "O\nB-PER\nI-PER\n")

    dataset = load()

    assert dataset.quarantine[0].reason == "the tag 7 has no name among 3 names"


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ("I-PER I-PER B-PER O I-LOC", "IOB1"),
        ("B-PER I-PER B-PER O B-LOC", "IOB2"),
        ("B-PER E-PER S-PER O S-LOC", "IOBES"),
        ("B-PER L-PER U-PER O U-LOC", "BILOU"),
        ("B-PER E-PER S-PER O S-LOC\nxx M-PER", "BMES"),
    ],
)
def test_the_scheme_of_the_tags_is_recognised_and_said(load, write, tags: str, scheme: str) -> None:
    words = "Ada Lovelace Ann in Rome"
    first = tags.partition("\n")[0]
    lines = [f"{word}\t{tag}" for word, tag in zip(words.split(), first.split(), strict=True)]
    further = "\n\nLi\tB-PER\nBai\tM-PER\nFu\tE-PER" if scheme == "BMES" else ""
    write("train.txt", "\n".join(lines) + further + "\n")

    dataset = load()

    assert list_mentions(dataset)[0] == [("Ada Lovelace", "PER"), ("Ann", "PER"), ("Rome", "LOC")]
    assert f"train: tags are in the scheme {scheme}" in dataset.stats["warnings"]


def test_types_without_a_prefix_are_tags_too(load, write) -> None:
    write("train.txt", "Ada\tPER\nLovelace\tPER\nin\tO\nRome\tLOC\n\nso\tO\nis\tO\nit\tO\n")

    assert list_mentions(load())[0] == [("Ada Lovelace", "PER"), ("Rome", "LOC")]


@pytest.mark.parametrize(
    ("column", "mentions"), [(None, [("Rome", "GPE")]), (3, [("Ada", "PER")]), (-2, [("Ada", "PER")])]
)
def test_the_column_of_the_tags_is_a_parameter(load, write, column, mentions) -> None:
    write("train.conll", "Ada NNP B-PER O\nin IN O O\nRome NNP O B-GPE\n")

    dataset = load(tag_column=column)

    assert list_mentions(dataset) == [mentions]
    assert any("too hold tags" in warning for warning in dataset.stats["warnings"])


def test_columns_behind_pictures_are_read(load, write) -> None:
    write("train.txt", "IMGID:17\nAda NNP B-PER\nwaves VBZ O\n")

    (post,) = load().posts["train"]

    assert (post.id, post.image, len(post.entities)) == ("17", "17", 1)


def test_comments_and_a_column_of_numbers_are_no_words(load, write) -> None:
    block = "#\tnews.example [2026-01-01]\n1\tAda\tB-PER\tO\n2\twaves\tO\tO\n\n"
    write("train.tsv", block * 3)

    dataset = load(tag_column=3)

    assert dataset.posts["train"][0].tokens == ("Ada", "waves")
    assert list_mentions(dataset) == [[("Ada", "PER")]] * 3


def test_a_line_of_another_number_of_columns_costs_its_post(load, write) -> None:
    block = "Ada NNP B-NP B-PER\nwaves VBZ O O\n\n"
    write("train.txt", block * 25 + "Bob NNP B-NP\n\n" + block * 24)

    dataset = load()

    assert len(dataset.posts["train"]) == 49
    assert "line 76 has 3 columns where the others have 4" in dataset.quarantine[0].reason


def test_a_token_that_looks_like_a_comment_is_a_token_where_it_has_a_tag(load, write) -> None:
    write("train.txt", "#id:5\tO\nAda\tB-PER\n\n# id 7\nBob\tB-PER\nran\tO\n")

    posts = load().posts["train"]

    assert [(post.id, post.tokens) for post in posts] == [("train-00001", ("#id:5", "Ada")), ("7", ("Bob", "ran"))]


def test_rows_of_words_and_tags_keep_the_label_of_the_post(load, write) -> None:
    write("train.jsonl", [{"tokens": ["Ada", "waves"], "ner_tags": ["B-PER", "O"], "label": "calm"}])

    (post,) = load().posts["train"]

    assert (post.label, list_marks(post)) == ("calm", [("Ada", "PER")])


@pytest.mark.parametrize(
    "tags", ["B_PER I_PER O B_LOC", "PER-B PER-I O LOC-B", "PER_B PER_I O LOC_B", "b-PER i-PER o b-LOC"]
)
@pytest.mark.parametrize("name", ["train.txt", "train.jsonl", "train.csv"])
def test_tags_in_other_notations_are_no_types(load, write, tags: str, name: str) -> None:
    words = ["Ada", "Lovelace", "in", "Rome"]
    rows = list(zip(words, tags.split(), strict=True))
    contents = {
        "train.txt": "".join(f"{word}\t{tag}\n" for word, tag in rows),
        "train.jsonl": [{"tokens": words, "ner_tags": tags.split()}],
        "train.csv": "word,tag\n" + "".join(f"{word},{tag}\n" for word, tag in rows),
    }
    write(name, contents[name])

    assert list_mentions(load()) == [[("Ada Lovelace", "PER"), ("Rome", "LOC")]]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ("O\n\nB-PER\nI-PER", "line 2 is empty"),
        ("0 O\n2 B-PER", "the number 1 has no name"),
        ("O\nB-PER\nB-PER", "the name 'B-PER' is given twice"),
        ('{"0": "O", "2": "B-PER"}', "the number 1 has no name"),
        ("{}", "holds no names"),
    ],
)
def test_names_of_tags_that_are_in_doubt_stop_the_run(load, write, names: str, reason: str) -> None:
    write("train.jsonl", [{"tokens": ["Ada", "waves"], "ner_tags": [1, 0]}])
    write("labels.txt", names)

    with pytest.raises(DataError, match=rf"labels\.txt: {reason}"):
        load()


@pytest.mark.parametrize("names", ["1 B-PER\n0 O\n", "B-PER: 1\nO: 0\n", "O\nB-PER\n", '{"B-PER": 1, "O": 0}'])
@pytest.mark.parametrize("numbers", [[1, 0], ["1", "0"]])
def test_numbers_beside_the_names_of_tags_are_obeyed(load, write, names: str, numbers: list) -> None:
    write("train.jsonl", [{"tokens": ["Ada", "waves"], "ner_tags": numbers}])
    write("labels.txt", names)

    assert list_mentions(load()) == [[("Ada", "PER")]]


def test_a_zero_in_place_of_the_letter_o_costs_its_post(load, write) -> None:
    write("train.txt", "Ada\tB-PER\nwaves\t0\n\nBob\tB-PER\nran\tO\n")

    (problem,) = load().quarantine

    assert "'0' is not a BIO tag" in problem.reason


@pytest.mark.parametrize("blank", ["  O", " \tO", "\u00a0\tO", "\u3000 O"])
def test_a_blank_is_no_word_where_a_text_was_cut_into_signs(load, write, blank: str) -> None:
    separator = "\t" if "\t" in blank else " "
    write("train.txt", f"北{separator}B-LOC\n京{separator}I-LOC\n{blank}\n" + f"好{separator}O\n" * 5)

    dataset = load()

    assert list_mentions(dataset) == [[("北 京", "LOC")]]
    assert any("1 line was left out: the word is a blank" in warning for warning in dataset.stats["warnings"])


def test_the_files_of_wnut_are_read_under_their_own_names(load, write) -> None:
    for name in ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated"):
        write(name, "@ada\tO\nRome\tB-location\n\t\nso\tO\n")

    assert {split: len(posts) for split, posts in load().posts.items()} == {"train": 2, "valid": 2, "test": 2}


def test_a_file_that_is_called_labels_and_is_not_needed_may_hold_anything(load, write) -> None:
    write("train.jsonl", [{"tokens": ["Ada", "waves"], "ner_tags": ["B-PER", "O"]}])
    write("labels.txt", "notes of ours\n\nnotes of ours\n")

    assert list_mentions(load()) == [[("Ada", "PER")]]
