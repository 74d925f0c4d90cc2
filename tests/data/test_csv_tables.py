"""Tables of CSV as spreadsheets, pandas and annotation tools write them."""

import pytest

from cotpd.errors import DataError
from tests.data.tool_rows import list_mentions


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_excel_s_separators_and_encodings_are_read(load, write, encoding: str, separator: str) -> None:
    rows = ["sentence word tag", "1 Zoë B-PER", " waves O", "2 Rome B-LOC"]
    text = "\r\n".join(row.replace(" ", separator) for row in rows)
    write("train.csv", text.encode(encoding))

    assert list_mentions(load()) == [[("Zoë", "PER")], [("Rome", "LOC")]]


def test_a_wrong_encoding_is_named(load, write) -> None:
    write("train.csv", "id;text;start;end;type\n1;Zoë waves;0;3;PER\n".encode("cp1252"))

    with pytest.raises(DataError, match=r"train\.csv:2: not UTF-8.*latin-1"):
        load()


def test_a_relation_of_csv_that_is_a_list_costs_its_row(load, write) -> None:
    write("train.csv", 'id,text,entities,relations\n1,Ada visits,"[[0,3,""PER""]]","[[0,1,""x""]]"\n')

    (problem,) = load(require_train=False).quarantine

    assert "is no object" in problem.reason


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


@pytest.mark.parametrize(
    "header",
    [
        "Satz;Wort;Etikett",
        "phrase;mot;étiquette",
        "oración;palabra;etiqueta",
        "zdanie;słowo;tag",
        "cümle;kelime;etiket",
        "предложение;слово;метка",
        "句子;词;标签",
        "문장;단어;태그",
    ],
)
def test_the_header_of_a_table_may_be_in_another_language(load, write, header: str) -> None:
    write("train.csv", f"{header}\r\n1;Zoë;B-PER\r\n;lit;O\r\n2;Rome;B-LOC\r\n".encode("utf-8-sig"))

    assert list_mentions(load()) == [[("Zoë", "PER")], [("Rome", "LOC")]]


def test_a_header_without_columns_of_annotation_is_shown_with_the_names_that_are_read(load, write) -> None:
    write("train.csv", "kolonne1;kolonne2\nAda;x\n")

    with pytest.raises(DataError, match=r"no columns of annotation in 'kolonne1;kolonne2' \(Name them text and"):
        load()


MARK = '"[{""start"": 0, ""end"": 3, ""text"": ""Ada"", ""labels"": [""PER""]}]"'


@pytest.mark.parametrize(
    "table",
    [
        f"annotation_id,annotator,id,label,text\n9,1,1,{MARK},Ada waves\n10,1,2,,Bob\n",  # Label Studio
        ",text,start,end,label\n0,Ada waves,0.0,3.0,PER\n1,Bob,,,\n",  # pandas: numbers with gaps
        "id,text,entities\n1,Ada waves,\"[(0, 3, 'PER')]\"\n2,Bob,[]\n",  # pandas: a column of lists
        "id,text,start,end,type,mention\n1,Ada waves,0,3,PER,Ada\n2,Bob,,,,\n",
    ],
)
def test_tables_of_programs_are_read(load, write, table: str) -> None:
    write("train.csv", table)

    assert list_mentions(load()) == [[("Ada", "PER")], []]


@pytest.mark.parametrize(
    ("table", "reason", "remedy"),
    [
        ("1,Ada met Bob,0,3,PER\n2,Rome,0,4,LOC\n1,Ada met Bob,8,11,PER", "apart from these", "Sort the table"),
        ("1,Ada met Bob,1,4,PER,Ada\n2,Rome,0,4,LOC,Rome", "counted from 1?", "take 1 from each"),
    ],
)
def test_rows_of_mentions_that_do_not_fit_are_named(load, write, table: str, reason: str, remedy: str) -> None:
    header = "id,text,start,end,type" + (",mention" if "Ada,0" not in table and ",Ada\n" in table else "")
    write("train.csv", f"{header}\n{table}\n")

    (problem,) = load().quarantine

    assert reason in problem.reason
    assert remedy in problem.remedy


def test_types_without_a_prefix_are_seen_behind_a_sentence_without_mentions(load, write) -> None:
    write("train.csv", "sentence,word,tag\n1,so,O\n2,Ada,PER\n2,Lovelace,PER\n")

    assert list_mentions(load()) == [[], [("Ada Lovelace", "PER")]]


def test_several_labels_of_doccano_s_table_cost_the_row(load, write) -> None:
    write("train.csv", 'id,text,label,Comments\n1,Ada,pos,"[]"\n2,Bob,neg#pos,"[]"\n')

    (problem,) = load().quarantine

    assert "has the labels ['neg', 'pos']" in problem.reason


@pytest.mark.parametrize("separator", [" ", ","])
def test_a_cell_of_tags_is_no_label_of_its_post(load, write, separator: str) -> None:
    tags = separator.join(["B-PER", "O"])
    write("train.csv", f'text,label\nAda waves,"{tags}"\nso it is,calm\n')

    (problem,) = load().quarantine

    assert "is a tag for each word" in problem.reason
