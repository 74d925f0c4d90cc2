"""WebAnno TSV 3, as INCEpTION and WebAnno export it: a sentence is a post, a layer of spans has the mentions.

The layer is that of named entities, or else the first of the project's own layers. Words are looked up in the
sentence's text, so that Java's way of counting (UTF-16) does not matter.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

from cotpd.counts import format_count
from cotpd.data.readers.file_format import Format, Rows, Source, build_or_refuse
from cotpd.data.readers.jsonl import read_text
from cotpd.data.readers.raw_posts import RawMention, RawPost, RawRelation, build_post
from cotpd.data.readers.split_files import SplitFiles, find_split_folders
from cotpd.data.readers.text_files import read_head, read_numbered_lines
from cotpd.data.readers.values import RowError
from cotpd.data.records import Post
from cotpd.data.tokenization import Token
from cotpd.errors import DataError

MARK = "#FORMAT=WebAnno TSV 3"
ENTITIES = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
EXAMPLE = f"""\
{MARK}.3
#T_SP={ENTITIES}|identifier|value


#Text=Ada visits London
1-1<TAB>0-3<TAB>Ada<TAB>_<TAB>PER<TAB>
1-2<TAB>4-10<TAB>visits<TAB>_<TAB>_<TAB>
1-3<TAB>11-17<TAB>London<TAB>_<TAB>LOC<TAB>
                      <- the export WebAnno TSV v3.3; relations between the mentions are read, too"""
_VALUE = re.compile(r"(.*?)(?:\[(\d+)\])?", re.DOTALL)
_REFERENCE = re.compile(r"(\d+-\d+(?:\.\d+)?)(?:\[(\d+)_(\d+)\])?")
_ESCAPE = re.compile(r"\\(->|.)", re.DOTALL)
_SIGNS = {"n": "\n", "r": "\r", "t": "\t"}


class Layer(NamedTuple):
    """A layer of the file: the columns of its value and, for relations, of the reference to their source."""

    name: str
    value: int
    reference: int = -1


class Layers(NamedTuple):
    """The layer of mentions, and the layers of relations between them."""

    mentions: Layer
    relations: list[Layer]


@dataclass
class Sentence:
    """A sentence: its line, its text, and its rows of cells by line."""

    line: int
    text: list[str] = field(default_factory=list)
    rows: list[tuple[int, list[str]]] = field(default_factory=list)


def find_splits(folder: Path) -> SplitFiles:
    """Find the folders of the splits, each with a file a document."""
    return find_split_folders(folder, lambda path: any(map(_is_written_here, _list_files(path))), needs_names=True)


def _list_files(folder: Path) -> list[Path]:
    """List the files of a split: in its folder, or in a folder for each document, as a project is exported."""
    return sorted(folder.glob("*.tsv")) or sorted(folder.glob("*/*.tsv"))


def _is_written_here(path: Path) -> bool:
    return path.is_file() and is_format_of(read_head(path, path.name))


def read(source: Source) -> Rows:
    """Read one split, a file or a folder; see :class:`cotpd.data.readers.file_format.Format`."""
    paths = _list_files(source.path) if source.path.is_dir() else [source.path]
    _refuse_several_annotators(paths, source)
    number = 0
    for path in paths:
        name = f"{source.name}/{path.relative_to(source.path)}" if source.path.is_dir() else source.name
        document = Source(path, name, source.split, source.options, source.counts)
        layers = _find_layers(read_head(path, name), name)
        for sentence in _iterate_sentences(document):
            number += 1
            post_id = source.name_row(number)
            build = partial(_build_post, document, sentence, layers, post_id)
            yield build_or_refuse(document, sentence.line, "\n".join(sentence.text), build, post_id)


def _refuse_several_annotators(paths: list[Path], source: Source) -> None:
    """Refuse a folder of folders where one holds the same document several times, by different annotators.

    Raises:
        DataError: One does.
    """
    for left, right in pairwise(paths):
        if left.parent == right.parent != source.path:
            raise DataError(
                f"{source.name}/{left.parent.name}: {left.name} and {right.name} are one document twice",
                "Name the folder `curation` of the export, or leave one file in each folder.",
            )


def _find_layers(head: list[str], name: str) -> Layers:
    """Find the layers and their columns by the head of a file.

    Raises:
        DataError: It has no layer of spans.
    """
    spans, relations, column = [], [], 3
    for line in head:
        kind, _, definition = line.rstrip("\r").partition("=")
        layer, *features = definition.split("|")
        if kind == "#T_SP":
            labels = [number for number, feature in enumerate(features) if feature != "identifier"]
            value = next((number for number in labels if features[number] == "value"), labels[0] if labels else 0)
            spans.append(Layer(layer, column + value))
        elif kind == "#T_RL" and features:
            relations.append((features[-1], Layer(layer, column, column + len(features) - 1)))
        if kind in ("#T_SP", "#T_RL", "#T_CH"):
            column += max(1, len(features))
    own = [layer for layer in spans if layer.name == ENTITIES or layer.name.startswith("webanno.custom.")]
    if not own:
        raise DataError(
            f"{name}: no layer of spans among {format_count(len(spans), 'layer')}",
            "Export the layer of named entities.",
        )
    chosen = next((layer for layer in own if layer.name == ENTITIES), own[0])
    return Layers(chosen, [layer for base, layer in relations if base == f"BT_{chosen.name}"])


def _iterate_sentences(source: Source) -> Iterator[Sentence]:
    sentence: Sentence | None = None
    for number, line in read_numbered_lines(source.path, source.name):
        if line.startswith("#Text="):
            if sentence is not None and sentence.rows:
                yield sentence
                sentence = None
            sentence = sentence or Sentence(number)
            sentence.text.append(_read_escapes(line.removeprefix("#Text=")))
        elif line.strip() and not line.startswith("#"):
            sentence = sentence or Sentence(number)
            sentence.rows.append((number, line.split("\t")))
    if sentence is not None:
        yield sentence


def _build_post(source: Source, sentence: Sentence, layers: Layers, post_id: str) -> Post:
    rows = [_check_row(cells, number, layers) for number, cells in sentence.rows]
    words = [cells[2] for cells in rows if "." not in cells[0]]
    text = "\n".join(sentence.text) or None
    tokenized = read_text({"tokens": list(map(_read_escapes, words)), "text": text})
    spans = {}
    tokens = iter(tokenized.tokens)
    for cells in rows:
        if "." not in cells[0]:
            token = next(tokens)
            first = int(cells[1].partition("-")[0])
            spans[cells[0]] = (token.start, token.end)
        else:  # a part of the word before it
            begin, end = map(int, cells[1].split("-"))
            spans[cells[0]] = (token.start + begin - first, token.start + end - first)
    mentions = _collect_mentions(rows, spans, layers.mentions)
    links = list(chain.from_iterable(_collect_relations(rows, layer, mentions) for layer in layers.relations))
    borders = set(chain.from_iterable((mention.start, mention.end) for mention in mentions.values()))
    pieces = chain.from_iterable(_cut_word(token, borders) for token in tokenized.tokens)
    meta = {"tokens": list(pieces)}
    return build_post(
        source, RawPost(post_id, tokenized.text, list(mentions.values()), links, meta), sentence.line
    )


def _cut_word(token: Token, borders: set[int]) -> list[str]:
    """Cut a word where a mention begins or ends within it, which the tool allows."""
    cuts = sorted(border - token.start for border in borders if token.start < border < token.end)
    return [token.text[start:end] for start, end in pairwise([0, *cuts, len(token.text)])]


def _check_row(cells: list[str], number: int, layers: Layers) -> list[str]:
    columns = [layers.mentions.value, *(layer.reference for layer in layers.relations)]
    if len(cells) <= max(columns) or not re.fullmatch(r"\d+-\d+", cells[1]):
        width = format_count(len(cells), "column")
        raise RowError(
            f"line {number} has {width}, too few for the layers",
            "Export the file again.",
        )
    return cells


def _collect_mentions(
    rows: list[list[str]], spans: dict[str, tuple[int, int]], layer: Layer
) -> dict[tuple[str, str], RawMention]:
    """Return the mentions by their token and number; those that go over several words are put together."""
    mentions: dict[tuple[str, str], RawMention] = {}
    for cells in rows:
        start, end = spans[cells[0]]
        for value, number in _split_cell(cells[layer.value]):
            label = None if value == "*" else _read_escapes(value)
            key = ("", number) if number else (cells[0], "")
            earlier = mentions.get(key)
            begin = start if earlier is None else earlier.start
            mentions[key] = RawMention(key, begin, end, label)
    return mentions


def _collect_relations(
    rows: list[list[str]], layer: Layer, mentions: dict[tuple[str, str], RawMention]
) -> Iterator[RawRelation]:
    """Yield the relations of a layer: a row names its own mention as the tail and refers to the head."""
    for cells in rows:
        labels, references = _split_cell(cells[layer.value]), _split_cells(cells[layer.reference])
        for (label, _), reference in zip(labels, references, strict=False):
            match = _REFERENCE.fullmatch(reference)
            if match is None:
                raise RowError(f"the reference {reference!r} of a relation cannot be read", "Export it again.")
            head = _find_key(match[1], match[2], mentions)
            tail = _find_key(cells[0], match[3], mentions)
            yield RawRelation(head, tail, "*" if label == "*" else _read_escapes(label))


def _find_key(token: str, number: str | None, mentions: dict[tuple[str, str], RawMention]) -> tuple[str, str]:
    key = ("", number) if number and number != "0" else (token, "")
    if key not in mentions:
        raise RowError(f"a relation refers to {token}, where no mention stands", "Export the file again.")
    return key


def _split_cell(cell: str) -> list[tuple[str, str]]:
    """Return the values of a cell, each with its number, which is empty for a mention of one word."""
    matches = [_VALUE.fullmatch(value) for value in _split_cells(cell)]
    return [(match[1], match[2] or "") for match in matches if match]


def _split_cells(cell: str) -> list[str]:
    return [] if cell in ("_", "") else re.split(r"(?<!\\)\|", cell)


def _read_escapes(text: str) -> str:
    return _ESCAPE.sub(lambda match: _SIGNS.get(match[1], match[1]), text)


def is_format_of(head: list[str]) -> bool:
    """Whether a file says that it is WebAnno TSV 3."""
    return bool(head) and head[0].startswith(MARK)


FORMAT = Format(
    name="inception",
    title="INCEpTION, WebAnno: {train,dev,test}.tsv, or a folder of them for each split; WebAnno TSV 3",
    suffixes=(".tsv",),
    is_format_of=is_format_of,
    read=read,
    example=EXAMPLE,
    published=False,
    find_splits=find_splits,
)
