"""A student that costs nothing, and files of posts in every format."""

import csv
import gzip
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cotpd.data.records import WordSplitting
from cotpd.scoring.batch_job import BatchJob, BatchResult
from cotpd.scoring.columns import ColumnNames
from cotpd.scoring.row_predictions import BatchOptions
from cotpd.scoring.scoring_model import ScoringModel
from cotpd.student.labels import LabelSet
from cotpd.student.predictor import Mention, Relation

FORMATS = ("jsonl", "csv", "tsv", "parquet", "jsonl.gz", "csv.gz", "jsonl.zst", "tsv.zst")


class CapitalPredictor:
    """Finds each capitalised word, and takes the first two letters of head and tail for a relation.

    Attributes:
        texts: Every text that was predicted.
        interrupt_at: The number of texts after which Ctrl-C is pressed.
    """

    backend, words = "torch", WordSplitting()

    def __init__(self, task: str = "ner", interrupt_at: int | None = None) -> None:
        self.labels = LabelSet.build(task, ("PER",) if task == "ner" else ("None", "member"))
        self.texts: list[str] = []
        self.interrupt_at = interrupt_at

    def predict(self, texts: Iterable[str], batch_size: int = 32, look_ahead: int = 16) -> Iterator[list[Mention]]:
        for text in texts:
            self._count(text)
            words = re.finditer(r"[A-Z]\w*", text)
            yield [Mention(*word.span(), word[0], "PER", 0.5) for word in words]

    def predict_relations(self, pairs: Iterable[Any], batch_size: int = 32) -> Iterator[Relation]:
        for text, _head, _tail in pairs:
            self._count(text)
            yield Relation("member", 0.75)

    def _count(self, text: str) -> None:
        if len(self.texts) == self.interrupt_at:
            raise KeyboardInterrupt
        self.texts.append(text)


def build_model(predictor: CapitalPredictor | None = None, version: str | None = "3") -> ScoringModel:
    """Build a model as the registry would hand it out."""
    return ScoringModel(predictor or CapitalPredictor(), "cotpd-ner", version, f"digest of {version}")


def score(source: Path | str, output: Path, model: ScoringModel | None = None, **options: Any) -> BatchResult:
    """Score a file; options of the columns are recognised by their names."""
    names = {name: options.pop(name) for name in ("text", "head", "tail", "keep", "prefix") if name in options}
    job = BatchJob(str(source), str(output), BatchOptions(ColumnNames(**names), **options))
    return job.run(model or build_model(), show=False)


def build_rows(count: int) -> list[dict[str, Any]]:
    """Build rows with an id, a text and a number."""
    return [{"id": f"p{number}", "text": f"post {number} by Ada", "likes": number} for number in range(count)]


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write rows in the format that a file's name says."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
        return path
    name = path.name.removesuffix(".gz").removesuffix(".zst")
    if name.endswith(".jsonl"):
        text = "".join(json.dumps(row) + "\n" for row in rows)
    else:
        text = _format_table(rows, "\t" if name.endswith(".tsv") else ",")
    _write_compressed(path, text.encode())
    return path


def _format_table(rows: Sequence[Mapping[str, Any]], delimiter: str) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _write_compressed(path: Path, content: bytes) -> None:
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(content))
    elif path.suffix == ".zst":
        with pa.output_stream(path, compression="zstd") as out:
            out.write(content)
    else:
        path.write_bytes(content)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read an output with libraries of its own, values of text files as JSON has them."""
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    if path.suffix == ".zst":
        content = pa.input_stream(path, compression="zstd").read()
    text = content.decode()
    name = path.name.removesuffix(".gz").removesuffix(".zst")
    if name.endswith(".jsonl"):
        return [json.loads(line) for line in text.split("\n") if line]
    return _read_table(text, "\t" if name.endswith(".tsv") else ",")


def _read_table(text: str, delimiter: str) -> list[dict[str, Any]]:
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    for row in rows:
        row["entities"] = json.loads(row["entities"])
        row["error"] = row["error"] or None
    return rows


def read_notes(path: Path) -> dict[str, Any]:
    """Read what an output says of its model."""
    if path.suffix == ".parquet":
        return json.loads(pq.read_schema(path).metadata[b"cotpd"])
    return json.loads(path.with_name(f"{path.name}.meta.json").read_text("utf-8"))


def count_mentions(rows: Iterable[Mapping[str, Any]]) -> list[int]:
    return [len(row["entities"]) for row in rows]
