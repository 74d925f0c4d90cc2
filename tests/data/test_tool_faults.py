"""Faults of annotated files, each of the kind that tools and people make: named with file, line and remedy."""

import json
from typing import Any

import pytest

from cotpd.data.load import load_dataset
from cotpd.data.params import DataParams
from cotpd.errors import DataError
from tests.builders import write_jsonl

TEXT = "Ada 👋 visits London again"


def build_doccano(number: int, **changes: Any) -> dict[str, Any]:
    text = f"Ada visits London {number}"
    return {"id": number, "text": text, "label": [[0, 3, "PER"], [11, 17, "LOC"]], **changes}


def build_task(*results: list[dict[str, Any]], text: str = TEXT, **changes: Any) -> dict[str, Any]:
    annotations = [
        {"id": number, "result": result, "created_at": f"2026-01-0{9 - number}"}
        for number, result in enumerate(results)
    ]
    return {"id": 1, "data": {"text": text}, "annotations": annotations, **changes}


def mark(start: int, end: int, label: str, text: str | None = None) -> dict[str, Any]:
    value = {"start": start, "end": end, "labels": [label]} | ({"text": text} if text else {})
    return {"id": f"{start}{label}", "type": "labels", "value": value}


def list_mentions(dataset) -> list[list[tuple[str, str | None]]]:
    return [list_marks(post) for post in dataset.posts["train"]]


def list_marks(post) -> list[tuple[str, str | None]]:
    return [(post.get_mention(entity), entity.type) for entity in post.entities]


def test_a_folder_of_two_formats_is_refused_with_the_files_of_each(load, write) -> None:
    write("train.jsonl", [build_doccano(1)])
    write("valid.jsonl", [{"text": "Ada", "spans": [], "answer": "accept"}])

    with pytest.raises(DataError, match=r"doccano in train\.jsonl; prodigy in valid\.jsonl"):
        load()


@pytest.mark.parametrize("position", [0, 24, 49])
def test_one_row_of_fifty_that_is_off_costs_that_row(load, write, position: int) -> None:
    rows: list[Any] = [build_doccano(number) for number in range(50)]
    rows[position] = {"id": 99, "text": "Ada", "label": [[0, 3]]}
    write("train.jsonl", rows)

    dataset = load()

    assert dataset.stats["format"] == "doccano"
    assert [row.line for row in dataset.quarantine] == [position + 1]
    assert len(dataset.posts["train"]) == 49


def test_a_line_of_another_number_of_columns_costs_its_post(load, write) -> None:
    block = "Ada NNP B-NP B-PER\nwaves VBZ O O\n\n"
    write("train.txt", block * 25 + "Bob NNP B-NP\n\n" + block * 24)

    dataset = load()

    assert len(dataset.posts["train"]) == 49
    assert "line 76 has 3 columns where the others have 4" in dataset.quarantine[0].reason


def test_labels_that_differ_in_case_or_blanks_are_named(load, write) -> None:
    labels = ["PER", "Per", "PER ", "LOC"]
    write("train.jsonl", [build_doccano(n, label=[[0, 3, label]]) for n, label in enumerate(labels)])

    warnings = " ".join(load().stats["warnings"])

    assert "differ in letter case or blanks alone" in warnings


def test_a_repeated_id_is_a_mistake_in_one_file_and_a_tool_s_number_in_another(load, write) -> None:
    write("train.jsonl", [build_doccano(1), build_doccano(1, text="Ada visits London twice")])
    write("test.jsonl", [build_doccano(1, text="Ada visits London at last")])

    dataset = load()

    assert [row.id for row in dataset.quarantine] == ["1"]
    assert [post.id for post in dataset.posts["test"]] == ["test:1"]


@pytest.mark.parametrize(
    ("start", "end", "reason", "remedy"),
    [
        (13, 19, "counted in UTF-16?", "data.offsets: utf16"),
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
    assert any("1 mentions overlap" in warning for warning in chosen.stats["warnings"])


@pytest.mark.parametrize(
    ("annotators", "mentions"),
    [
        ("first", [("London", "LOC")]),
        ("latest", [("Ada", "PER"), ("London", "LOC")]),
        ("agreed", [("London", "LOC")]),
    ],
)
def test_of_several_annotators_the_chosen_one_is_read(load, write, annotators: str, mentions: list) -> None:
    later = [mark(0, 3, "PER"), mark(13, 19, "LOC")]
    write("train.json", json.dumps([build_task(later, [mark(13, 19, "LOC")])]))

    dataset = load(annotators=annotators)

    assert list_mentions(dataset) == [mentions]


def test_a_task_without_an_annotation_teaches_nothing(load, write) -> None:
    skipped = {**build_task([]), "annotations": [{"was_cancelled": True, "result": []}]}
    write("train.json", json.dumps([build_task([mark(0, 3, "PER")]), skipped, build_task()]))

    dataset = load()

    assert [row.reason for row in dataset.quarantine] == ["nobody has annotated the task"] * 2


def test_names_of_tags_that_are_too_few_are_named(load, write) -> None:
    write("train.jsonl", [{"tokens": ["Ada", "waves"], "ner_tags": [7, 0]}, {"tokens": ["Bob"], "ner_tags": [1]}])
    write("labels.txt", "O\nB-PER\nI-PER\n")

    dataset = load()

    assert dataset.quarantine[0].reason == "the tag 7 has no name: there are 3 names"


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


def test_a_mention_in_several_pieces_costs_its_document(load, write) -> None:
    write("train/1.txt", "left and right hand\n")
    write("train/1.ann", "T1\tPART 0 4;15 19\tleft hand\n")
    write("train/2.txt", "Ada waves\n")
    write("train/2.ann", "T1\tPER 0 3\tAda\n")

    dataset = load()

    assert "in several pieces" in dataset.quarantine[0].reason
    assert dataset.quarantine[0].file == "train/1.txt"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_excel_s_separators_and_encodings_are_read(load, write, encoding: str, separator: str) -> None:
    rows = ["sentence word tag", "1 Zoë B-PER", " waves O", "2 Rome B-LOC"]
    text = "\r\n".join(row.replace(" ", separator) for row in rows)
    write("train.csv", text.encode(encoding))

    assert list_mentions(load()) == [[("Zoë", "PER")], [("Rome", "LOC")]]


@pytest.mark.parametrize(
    "content", [b'[{"id": 1, "data": {"text": "Ada"}, "annotations": [', b"PAR1\x00\x00", b"x\x9c\x00\x01"]
)
@pytest.mark.parametrize("name", ["train.json", "train.parquet", "train.spacy"])
def test_a_truncated_file_is_refused_with_its_name(load, write, name: str, content: bytes) -> None:
    write(name, content)

    with pytest.raises(DataError, match="train"):
        load()


def test_a_wrong_encoding_is_named(load, write) -> None:
    write("train.csv", "id;text;start;end;type\n1;Zoë waves;0;3;PER\n".encode("cp1252"))

    with pytest.raises(DataError, match=r"train\.csv:2: not UTF-8.*latin-1"):
        load()


def test_a_damaged_head_of_webanno_tsv_costs_its_relations_alone(load, write) -> None:
    head = "#FORMAT=WebAnno TSV 3.3\n#T_SP=webanno.custom.Name|value\n#T_RL=damaged\n\n\n"
    write("train.tsv", head + "#Text=Ada waves\n1-1\t0-3\tAda\tPER\t_\n1-2\t4-9\twaves\t_\t_\n")

    assert list_mentions(load()) == [[("Ada", "PER")]]


LONDON = "Ada visits London"
SPAN = {"start": 0, "end": 3, "label": "PER"}
ODD_ROWS: dict[str, tuple[Any, str]] = {
    "label-studio id": (
        build_task([mark(0, 3, "PER") | {"id": ["a"]}]),
        "the id of a mention is ",
    ),
    "label-studio relation": (
        build_task([mark(0, 3, "PER"), {"type": "relation", "from_id": ["a"], "to_id": "0PER", "labels": ["x"]}]),
        "which is no mention",
    ),
    "doccano id": (
        {"id": 1, "text": LONDON, "entities": [{"id": [0], "start_offset": 0, "end_offset": 3, "label": "PER"}]},
        "the id of a mention is ",
    ),
    "prodigy start": ({"text": LONDON, "spans": [SPAN | {"start": [0]}], "answer": "accept"}, "start"),
    "prodigy label": ({"text": LONDON, "spans": [SPAN | {"label": ["PER"]}], "answer": "accept"}, "not a word"),
    "prodigy options": ({"text": LONDON, "accept": ["a", "b"], "answer": "accept"}, "has the labels 'a', 'b'"),
    "spacy score": ({"text": LONDON, "ents": [], "cats": {"a": "yes"}}, "the score of 'a' is 'yes'"),
    "spacy options": ({"text": LONDON, "ents": [], "cats": {"a": 1, "b": 1}}, "has the labels 'a', 'b'"),
}


@pytest.mark.parametrize("name", ODD_ROWS)
def test_a_value_of_another_kind_than_tools_write_costs_its_row(load, write, name: str) -> None:
    row, reason = ODD_ROWS[name]
    write("train.jsonl", [row, row])

    problems = load(require_train=False).quarantine

    assert [problem.line for problem in problems] == [1, 2]
    assert all(reason in problem.reason for problem in problems)


def test_an_object_for_a_label_by_one_of_two_annotators_costs_its_mention(load, write) -> None:
    odd = mark(0, 3, "PER")
    odd["value"]["labels"] = [{"name": "PER"}]
    write("train.jsonl", [build_task([mark(0, 3, "PER")], [odd])])

    dataset = load(annotators="agreed")

    assert list_mentions(dataset) == [[]]
    assert dataset.stats["splits"]["train"]["noticed"]["not_agreed"] == 2


def test_a_relation_of_csv_that_is_a_list_costs_its_row(load, write) -> None:
    write("train.csv", 'id,text,entities,relations\n1,Ada visits,"[[0,3,""PER""]]","[[0,1,""x""]]"\n')

    (problem,) = load(require_train=False).quarantine

    assert "is no object" in problem.reason


@pytest.mark.parametrize("label", [[], ["positive"], [[0, 3, "PER"]]])
def test_doccano_rows_with_tokens_among_their_metadata_are_doccano_s(load, write, label: list[Any]) -> None:
    write("train.jsonl", [build_doccano(1, label=label, tokens=["Ada", "visits", "London", "1"], Comments=[])])

    dataset = load()

    assert dataset.stats["format"] == "doccano"
    assert not dataset.quarantine


def test_a_token_that_looks_like_a_comment_is_a_token_where_it_has_a_tag(load, write) -> None:
    write("train.txt", "#id:5\tO\nAda\tB-PER\n\n# id 7\nBob\tB-PER\nran\tO\n")

    posts = load().posts["train"]

    assert [(post.id, post.tokens) for post in posts] == [("train-00001", ("#id:5", "Ada")), ("7", ("Bob", "ran"))]


def test_rows_of_words_and_tags_keep_the_label_of_the_post(load, write) -> None:
    write("train.jsonl", [{"tokens": ["Ada", "waves"], "ner_tags": ["B-PER", "O"], "label": "calm"}])

    (post,) = load().posts["train"]

    assert (post.label, list_marks(post)) == ("calm", [("Ada", "PER")])


@pytest.mark.parametrize("label", ["pos", ["pos"]])
def test_doccano_s_label_of_a_post_is_read_in_a_list_and_by_itself(load, write, label: Any) -> None:
    write("train.jsonl", [{"id": 1, "text": "Ada visits London", "label": label}])

    dataset = load(format="doccano")

    assert [(post.label, post.entities) for post in dataset.posts["train"]] == [("pos", ())]


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -1, 10**400, "1"])
def test_a_score_of_spacy_s_that_is_no_probability_costs_its_row(load, write, score: Any) -> None:
    write("train.json", json.dumps([{"text": "Ada", "ents": [], "cats": {"pos": score}}]))

    dataset = load(require_train=False)

    assert [row.remedy for row in dataset.quarantine] == ["Write numbers from 0 to 1."]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("name", ["label", "Sentiment", "class"])
def test_a_table_of_texts_and_their_labels_is_read(load, write, name: str, separator: str) -> None:
    rows = [("id", "text", name), ("1", "Ada visits London", "pos"), ("2", "Bob waves", "")]
    write("train.csv", "".join(f"{separator.join(row)}\n" for row in rows))

    posts = load().posts["train"]

    assert [(post.id, post.text, post.label) for post in posts] == [
        ("1", "Ada visits London", "pos"),
        ("2", "Bob waves", None),
    ]


def test_what_annotators_do_not_agree_on_is_counted_whatever_it_is(load, write) -> None:
    def choose(label: str) -> dict[str, Any]:
        return {"type": "choices", "from_name": "class", "value": {"choices": [label]}}

    marks = [mark(0, 3, "PER"), mark(13, 19, "LOC")]
    relation = {"type": "relation", "from_id": "0PER", "to_id": "13LOC", "labels": ["visits"]}
    write("train.json", json.dumps([build_task([*marks, relation, choose("pos")], [*marks, choose("neg")])]))

    dataset = load(annotators="agreed")

    assert [(len(post.entities), post.relations, post.label) for post in dataset.posts["train"]] == [(2, (), None)]
    assert "1 posts lose their label, since their annotators chose different ones" in dataset.stats["warnings"][0]
    assert "1 relations were not marked by all annotators" in " ".join(dataset.stats["warnings"])


@pytest.mark.parametrize(
    ("controls", "label", "reason"),
    [
        (("tone",), "pos", ""),
        (("topic", "sentiment"), "pos", ""),
        (("topic", "tone"), None, "choices in the controls 'topic', 'tone'"),
    ],
)
def test_of_several_choices_the_control_with_a_usual_name_labels_the_post(
    load, write, controls: tuple[str, ...], label: str | None, reason: str
) -> None:
    values = ["pos"] if len(controls) == 1 else ["sport", "pos"]
    choices = [
        {"type": "choices", "from_name": name, "value": {"choices": [value]}}
        for name, value in zip(controls, values, strict=True)
    ]
    of_a_region = {"type": "choices", "from_name": "size", "value": {"start": 0, "end": 3, "choices": ["big"]}}
    write("train.json", json.dumps([build_task([mark(0, 3, "PER"), of_a_region, *choices])]))

    dataset = load(require_train=False)

    assert [post.label for post in dataset.posts["train"]] == ([label] if label else [])
    assert [row.reason for row in dataset.quarantine if reason not in row.reason] == []
    assert len(dataset.quarantine) == bool(reason)


def test_a_folder_whose_only_file_is_named_after_no_split_says_which_path_to_name(tmp_path):
    write_jsonl(tmp_path / "export/admin.jsonl", [{"id": 1, "text": "Ada", "label": [[0, 3, "PER"]]}])

    with pytest.raises(DataError, match=r"no file is named after a split; there is admin\.jsonl\n") as caught:
        load_dataset(DataParams(path="export"), tmp_path)

    assert caught.value.remedy.startswith("Name export/admin.jsonl itself")


def test_pieces_of_one_long_table_are_not_to_be_left_out_but_joined(tmp_path):
    for number in range(2):
        path = tmp_path / f"train-0000{number}-of-00002.jsonl"
        write_jsonl(path, [{"id": str(number), "tokens": ["Ada"], "ner_tags": ["B-PER"]}])

    with pytest.raises(DataError, match="are pieces of one train split") as caught:
        load_dataset(DataParams(path=str(tmp_path)))

    assert "save_to_disk" in caught.value.remedy


@pytest.mark.parametrize(("shifted", "advice"), [(1, "mend those that were refused"), (9, "may be shifted too")])
def test_other_offsets_are_suggested_unless_most_rows_deny_them(tmp_path, shifted, advice):
    rows = [{"id": n, "text": f"😀 Ada waves {n}", "label": [[2, 5, "PER"]]} for n in range(10)]
    for row in rows[:shifted]:
        row["label"] = [[3, 6, "PER"]]
    write_jsonl(tmp_path / "train.jsonl", rows)

    dataset = load_dataset(DataParams(path=str(tmp_path)), require_train=False)

    (warning,) = [line for line in dataset.stats["warnings"] if "UTF-16" in line]
    assert advice in warning
