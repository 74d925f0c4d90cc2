"""The formats in which a data set can be written, and what each of them cannot hold.

Trade-off: a table of functions over whole splits, and losses counted before anything is written: a format either
has a place for a thing or loses it, whatever its reader is.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from cotpd.annotation import arrow_writer, brat_writer, column_writers, json_writers, webanno_writer
from cotpd.annotation.annotated_posts import AnnotatedPost, convert_post
from cotpd.annotation.argilla_records import write_argilla
from cotpd.annotation.doccano_lines import write_doccano
from cotpd.annotation.label_studio_tasks import write_label_studio
from cotpd.annotation.losses import Holds
from cotpd.annotation.prodigy_lines import write_prodigy
from cotpd.data.records import Post

EVERYTHING = Holds()


@dataclass(frozen=True)
class GoldFormat:
    """A format to write.

    Attributes:
        suffix: The ending of a split's file; empty where a split is a folder.
        write: Writes the posts of a split to a path; it takes ``with_words`` where the format may lack words.
        holds: What it has a place for.
        may_lack_words: Whether words are left out where a reader makes the same ones of the texts.
    """

    suffix: str
    write: Callable[..., object]
    holds: Holds = EVERYTHING
    may_lack_words: bool = False


def _write_as_tool(
    write: Callable[[Iterable[AnnotatedPost], Path], int],
    posts: Sequence[Post],
    path: Path,
    *,
    with_words: bool = True,
) -> int:
    return write((convert_post(post, with_words=with_words) for post in posts), path)


GoldFormatName = Literal[
    "jsonl",
    "conll",
    "tags",
    "parquet",
    "huggingface",
    "doccano",
    "label-studio",
    "prodigy",
    "brat",
    "spacy",
    "inception",
    "argilla",
    "csv",
]
GOLD_FORMATS: dict[GoldFormatName, GoldFormat] = {
    "jsonl": GoldFormat(".jsonl", json_writers.write_jsonl, may_lack_words=True),
    "conll": GoldFormat(
        ".txt",
        column_writers.write_conll,
        Holds(
            ids=False,
            texts=False,
            images=False,
            captions=False,
            labels=False,
            relations=False,
            untyped=False,
            blanks=False,
        ),
    ),
    "tags": GoldFormat(".jsonl", json_writers.write_tags, Holds(relations=False, untyped=False)),
    "parquet": GoldFormat(".parquet", arrow_writer.write_parquet),
    "huggingface": GoldFormat("", arrow_writer.write_saved),
    "doccano": GoldFormat(".jsonl", partial(_write_as_tool, write_doccano), may_lack_words=True),
    "label-studio": GoldFormat(".json", partial(_write_as_tool, write_label_studio), may_lack_words=True),
    "prodigy": GoldFormat(".jsonl", partial(_write_as_tool, write_prodigy)),
    "brat": GoldFormat(
        "",
        brat_writer.write_brat,
        Holds(order=False, images=False, captions=False, labels=False, tokens=False, blanks=False),
    ),
    "spacy": GoldFormat(".json", json_writers.write_spacy),
    "inception": GoldFormat(
        ".tsv", webanno_writer.write_inception, Holds(ids=False, images=False, captions=False, labels=False)
    ),
    "argilla": GoldFormat(".json", partial(_write_as_tool, write_argilla), may_lack_words=True),
    "csv": GoldFormat(".csv", column_writers.write_csv, may_lack_words=True),
}
"""Name to format; the names are those of ``data.format``."""
