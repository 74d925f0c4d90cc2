"""Marks that do not fit the text: counted in another way, with blanks, nested, in pieces, within words."""

import json

import pytest

from cotpd.data.load import load_dataset
from cotpd.data.params import DataParams
from cotpd.errors import DataError
from tests.builders import write_jsonl
from tests.data.tool_rows import build_doccano, build_task, list_mentions, mark


@pytest.mark.parametrize(
    ("start", "end", "reason", "remedy"),
    [
        (13, 19, "counted in UTF-16, or counted from 1?", "data.offsets: utf16"),
        (15, 21, "counted in bytes?", "data.offsets: bytes"),
        (13, 18, "counted from 1?", "take 1 from each start"),
        (12, 17, "is the end inclusive?", "add 1 to each"),
        (17, 23, "stands 5 characters earlier: was the text changed", "trimming"),
    ],
)
def test_offsets_that_are_counted_in_another_way_are_recognised(load, write, start, end, reason, remedy) -> None:
    text = "👋 Ada waves London"
    write("train.json", json.dumps([build_task([mark(start, end, "LOC", "London")], text=text)]))

    dataset = load(require_train=False)

    assert reason in dataset.quarantine[0].reason
    assert remedy in dataset.quarantine[0].remedy


def test_blanks_that_were_marked_with_a_mention_are_left_out_and_counted(load, write) -> None:
    write("train.jsonl", [build_doccano(1, label=[[0, 4, "PER"], [10, 17, "LOC"]])])

    dataset = load()

    assert list_mentions(dataset) == [[("Ada", "PER"), ("London", "LOC")]]
    assert any("2 mentions were marked with blanks" in warning for warning in dataset.stats["warnings"])


NESTED = [[0, 22, "ORG"], [14, 22, "LOC"]]


@pytest.mark.parametrize(
    ("nested", "mentions"),
    [("outermost", [("University of New York", "ORG")]), ("innermost", [("New York", "LOC")])],
)
def test_nested_mentions_are_refused_or_one_of_them_is_read(load, write, nested: str, mentions: list) -> None:
    write("train.jsonl", [build_doccano(1, text="University of New York", label=NESTED), build_doccano(2)])

    refused, chosen = load(), load(nested=nested)

    assert "entities overlap" in refused.quarantine[0].reason
    assert list_mentions(chosen)[0] == mentions
    assert any("1 mention overlaps" in warning for warning in chosen.stats["warnings"])


@pytest.mark.parametrize(("shifted", "advice"), [(1, "mend those that were refused"), (9, "may be shifted too")])
def test_other_offsets_are_suggested_unless_most_rows_deny_them(tmp_path, shifted, advice):
    rows = [{"id": n, "text": f"😀 Ada waves {n}", "label": [[2, 5, "PER"]]} for n in range(10)]
    for row in rows[:shifted]:
        row["label"] = [[3, 6, "PER"]]
    write_jsonl(tmp_path / "train.jsonl", rows)

    dataset = load_dataset(DataParams(path=str(tmp_path)), require_train=False)

    (warning,) = [line for line in dataset.stats["warnings"] if "UTF-16" in line]
    assert advice in warning


def test_a_mention_in_several_pieces_costs_its_document(load, write) -> None:
    write("train/1.txt", "left and right hand\n")
    write("train/1.ann", "T1\tPART 0 4;15 19\tleft hand\n")
    write("train/2.txt", "Ada waves\n")
    write("train/2.ann", "T1\tPER 0 3\tAda\n")

    dataset = load()

    assert "in several pieces" in dataset.quarantine[0].reason
    assert dataset.quarantine[0].file == "train/1.txt"


@pytest.mark.parametrize(
    ("text", "start", "end", "question", "remedy"),
    [
        (
            "👋👋 Ada",
            6,
            9,
            "counted in UTF-16 and from 1?",
            "Set data.offsets: utf16 (--offsets utf16), and offsets",
        ),
        ("👋👋 Ada", 5, 7, "counted in UTF-16 and is the end inclusive?", "and the end is exclusive"),
        ("ééé Ada", 8, 10, "counted in bytes and from 1?", "take 1 from each start."),
        ("👋 Ada", 3, 6, "counted in UTF-16, or counted from 1?", "Or, if rows of plain ASCII are refused, too:"),
        ("é Ada", 3, 6, "counted in bytes, or counted from 1?", "Set data.offsets: bytes"),
    ],
)
def test_mixtures_of_ways_of_counting_are_named_and_alternatives_both(
    load, write, text, start, end, question, remedy
) -> None:
    write("train.json", json.dumps([build_task([mark(start, end, "PER", "Ada")], text=text)]))

    (problem,) = load(require_train=False).quarantine

    assert problem.reason.endswith(f": {question}")
    assert remedy in problem.remedy


def test_offsets_from_1_are_no_evidence_for_another_unit(load, write) -> None:
    texts = ["👋 Ada waves", "Ada waves", "Ada ran"]
    rows = [
        build_task([mark(*span, "PER", "Ada")], text=t)
        for t, span in zip(texts, [(3, 6), (1, 4), (1, 4)], strict=True)
    ]
    write("train.json", json.dumps(rows))

    warnings = load(require_train=False).stats["warnings"]

    assert "train: 2 rows were refused with the question: counted from 1? Others may be off likewise" in warnings
    assert not any("UTF-16" in warning for warning in warnings)


def test_pieces_of_a_mention_with_blanks_between_them_are_one(load, write) -> None:
    write("train/1.txt", "in New\nYork\n")
    write("train/1.ann", "T1\tLOC 3 6;7 11\tNew York\n")

    assert list_mentions(load()) == [[("New\nYork", "LOC")]]


def test_relations_of_events_are_counted_and_cost_nothing(load, write) -> None:
    write("train/1.txt", "Ada waves\n")
    write("train/1.ann", "T1\tPER 0 3\tAda\nE1\tWave:T1\nR1\tby Arg1:E1 Arg2:T1\n")

    dataset = load()

    assert list_mentions(dataset) == [[("Ada", "PER")]]
    assert "train: 1 relation of events is not read" in dataset.stats["warnings"]


WEBANNO = "#FORMAT=WebAnno TSV 3.3\n#T_SP=webanno.custom.Name|value\n\n\n#Text=👋 Ada's hat\n"
WORDS = "1-1\t0-2\t👋\t_\t\n1-2\t3-8\tAda's\t_\t\n1-2.1\t3-6\tAda\tPER\t\n1-3\t9-12\that\t_\t\n"


def test_a_mention_within_a_word_of_webanno_cuts_the_word(load, write) -> None:
    write("train.tsv", WEBANNO + WORDS)

    (post,) = load().posts["train"]

    assert post.tokens == ("👋", "Ada", "'s", "hat")
    assert post.get_mention(post.entities[0]) == "Ada"


def test_an_exported_project_of_inception_has_a_folder_for_each_document(load, write) -> None:
    write("curation/a.txt/CURATION_USER.tsv", WEBANNO + WORDS)
    write("curation/b.txt/CURATION_USER.tsv", WEBANNO + WORDS)

    assert list_mentions(load(path="curation")) == [[("Ada", "PER")]] * 2


def test_a_document_of_two_annotators_is_not_read_twice(load, write) -> None:
    write("annotation/a.txt/ann.tsv", WEBANNO + WORDS)
    write("annotation/a.txt/bob.tsv", WEBANNO + WORDS)

    with pytest.raises(DataError, match=r"ann\.tsv and bob\.tsv are one document twice"):
        load(path="annotation")
