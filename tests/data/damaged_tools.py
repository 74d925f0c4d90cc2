"""Rows and files of the annotation tools' formats, to be damaged by :mod:`tests.data.damage`."""

import csv
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

TEXT = "Ada met Bob 🎉"
MARKS = ((0, 3, "PER"), (8, 11, "PER"))
WORDS, TAGS = ["Ada", "met", "Bob", "🎉"], ["B-PER", "O", "B-PER", "O"]


def build_doccano_rows(split: str) -> list[Any]:
    spans = [
        {"id": n, "start_offset": mark[0], "end_offset": mark[1], "label": "PER"} for n, mark in enumerate(MARKS)
    ]
    relations = [{"id": 0, "from_id": 0, "to_id": 1, "type": "met"}]
    row = {"text": f"{TEXT} {split}", "Comments": []}
    kinds = [
        {"label": [list(mark) for mark in MARKS]},
        {"entities": spans, "relations": relations},
        {"label": ["pos"]},
    ]
    return [{"id": n, **row, **kind} for n, kind in enumerate(kinds)]


def build_label_studio_rows(split: str) -> list[Any]:
    regions = [
        {"id": str(n), "type": "labels", "value": {"start": start, "end": end, "text": "x", "labels": [label]}}
        for n, (start, end, label) in enumerate(MARKS)
    ]
    for region in regions:
        region["value"]["text"] = TEXT[region["value"]["start"] : region["value"]["end"]]
    relation = {"type": "relation", "from_id": "0", "to_id": "1", "direction": "right", "labels": ["met"]}
    choice = {"from_name": "class", "type": "choices", "value": {"choices": ["pos"]}}
    annotation = {"result": [*regions, relation, choice], "updated_at": "2026-01-01"}
    data = {"text": f"{TEXT} {split}"}
    return [{"id": n, "data": data, "annotations": [annotation] * (n + 1)} for n in range(3)]


def build_prodigy_rows(split: str) -> list[Any]:
    spans = [{"start": start, "end": end, "label": label} for start, end, label in MARKS]
    return [{"text": f"{TEXT} {split}", "spans": spans, "answer": "accept", "_task_hash": n} for n in range(3)]


def build_spacy_rows(split: str) -> list[Any]:
    entities = [{"start": start, "end": end, "label": label} for start, end, label in MARKS]
    return [{"text": f"{TEXT} {split}{n}", "ents": entities, "cats": {"pos": 1.0}} for n in range(3)]


def build_argilla_rows(split: str) -> list[Any]:
    spans = [{"start": start, "end": end, "label": label} for start, end, label in MARKS]
    response = {"value": spans, "user_id": "u", "status": "submitted"}
    fields = {"text": f"{TEXT} {split}"}
    return [{"id": str(n), "fields": fields, "responses": {"mentions": [response]}} for n in range(3)]


def build_tag_rows(split: str) -> list[Any]:
    return [{"id": f"{split}{n}", "tokens": WORDS, "ner_tags": TAGS} for n in range(3)]


def build_csv_rows(split: str) -> list[Any]:
    rows = [[split, f"{TEXT} {split}", start, end, label] for start, end, label in MARKS]
    return [["id", "text", "start", "end", "type"], *rows]


def build_conll_rows(split: str) -> list[Any]:
    lines = [f"{word}\t{tag}" for word, tag in zip(WORDS, TAGS, strict=True)]
    return ["-DOCSTART-\tO", *("\n".join([*lines, f"{split}{n}\tO"]) for n in range(2))]


def build_inception_rows(split: str) -> list[Any]:
    text = f"{TEXT[:11]} {split}"
    head = "#FORMAT=WebAnno TSV 3.3\n#T_SP=webanno.custom.Entity|value"
    ends = [(0, 3, "PER"), (4, 7, "_"), (8, 11, "PER")]
    lines = [f"1-{n}\t{a}-{b}\t{text[a:b]}\t{label}\t" for n, (a, b, label) in enumerate(ends, 1)]
    return [head, "\n".join([f"#Text={text}", *lines])]


def build_brat_rows(split: str) -> list[Any]:
    marks = [f"T{n}\tPER {start} {end}\t{TEXT[start:end]}" for n, (start, end, _) in enumerate(MARKS, 1)]
    return [*marks, "R1\tmet Arg1:T1 Arg2:T2", f"#1\tAnnotatorNotes T1\t{split}"]


def as_list(rows: list[Any]) -> str:
    return json.dumps(rows, indent=0)


def as_csv(rows: list[Any]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(row if isinstance(row, list) else [row] for row in rows)
    return out.getvalue()


def as_blocks(rows: list[Any]) -> str:
    return "\n\n".join(map(str, rows)) + "\n"


def as_parquet(rows: list[Any]) -> bytes:
    """Write a table; of rows that are none, one of the others."""
    out = io.BytesIO()
    try:
        table = pa.Table.from_pylist([row for row in rows if isinstance(row, dict)])
    except (pa.ArrowException, OverflowError, UnicodeError, TypeError):
        table = pa.Table.from_pylist(build_tag_rows("other"))
    pq.write_table(table, out)
    return out.getvalue()


TOOL_FORMATS = {
    "doccano": ("{}.jsonl", build_doccano_rows, lambda rows: "".join(json.dumps(row) + "\n" for row in rows)),
    "label-studio": ("{}.json", build_label_studio_rows, as_list),
    "prodigy": ("{}.jsonl", build_prodigy_rows, lambda rows: "".join(json.dumps(row) + "\n" for row in rows)),
    "spacy": ("{}.json", build_spacy_rows, as_list),
    "argilla": ("{}.json", build_argilla_rows, as_list),
    "tags": ("{}.jsonl", build_tag_rows, lambda rows: "".join(json.dumps(row) + "\n" for row in rows)),
    "csv": ("{}.csv", build_csv_rows, as_csv),
    "conll": ("{}.conll", build_conll_rows, as_blocks),
    "inception": ("{}.tsv", build_inception_rows, as_blocks),
    "brat": ("{}/1.ann", build_brat_rows, lambda rows: "".join(f"{row}\n" for row in rows)),
    "parquet": ("{}.parquet", build_tag_rows, as_parquet),
}
COMPANIONS = {"brat": {"{}/1.txt": TEXT}}
