"""Files whose posts are lists of words, in each format of batch scoring."""

import json
from pathlib import Path

import pytest

from cotpd.student.predictor import Mention
from tests.scoring.doubles import CapitalPredictor, build_model, read_rows, score


class WordPredictor(CapitalPredictor):
    """Finds each capitalised word among the words that it is given."""

    def predict(self, texts, batch_size=32, look_ahead=16):
        for text in texts:
            words = text.words
            yield [Mention(n, n + 1, word, "PER", 0.5) for n, word in enumerate(words) if word[0].isupper()]


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_a_column_of_words_is_read_where_there_is_no_text(tmp_path: Path, ending: str):
    rows = [{"id": "1", "tokens": ["see", "Ada"]}, {"id": "2", "tokens": ["Bob"]}]
    source = tmp_path / f"posts.{ending}"
    if ending == "jsonl":
        source.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    elif ending == "csv":
        source.write_text('id,tokens\n1,"[""see"", ""Ada""]"\n2,"[""Bob""]"\n', "utf-8")
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), source)

    score(source, tmp_path / "spans.jsonl", build_model(WordPredictor()))

    [[ada], [bob]] = (row["entities"] for row in read_rows(tmp_path / "spans.jsonl"))
    assert (ada["start"], ada["end"], ada["text"]) == (1, 2, "Ada")
    assert (bob["start"], bob["end"], bob["text"]) == (0, 1, "Bob")


def test_a_row_whose_words_are_none_has_a_reason(tmp_path: Path):
    (tmp_path / "posts.jsonl").write_text('{"tokens": ["Ada"]}\n{"tokens": [3]}\n', "utf-8")

    score(tmp_path / "posts.jsonl", tmp_path / "spans.jsonl", build_model(WordPredictor()))

    assert read_rows(tmp_path / "spans.jsonl")[1]["error"] == "the tokens are no list of words"
