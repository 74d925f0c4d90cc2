"""Tables of Arrow: Parquet files, and the folders that `save_to_disk` of Hugging Face's datasets writes.

The names of tags come with the table, in its schema or in `dataset_info.json`. A few rows are in memory at a time.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from cotpd.data.readers.file_format import Format, Rows, Source, build_or_refuse
from cotpd.data.readers.json_shapes import TAG_KEYS, TOKEN_KEYS
from cotpd.data.readers.raw_posts import RawMention, RawPost, RawRelation, build_post
from cotpd.data.readers.split_files import SplitFiles
from cotpd.data.readers.split_names import find_split, name_split_of_whole
from cotpd.data.readers.tag_names import find_names
from cotpd.data.readers.tagged_posts import build_tagged_row, read_row_id
from cotpd.data.readers.text_files import read_text
from cotpd.data.readers.values import RowError, parse_json, show_value
from cotpd.data.records import SPLITS, Post
from cotpd.data.tag_schemes import TagReader, find_notation
from cotpd.errors import DataError

INFO, STATE = "dataset_info.json", "state.json"
_BATCH = 1024
PARQUET_EXAMPLE = """\
tokens: ["Ada", "visits", "London"]  ner_tags: [1, 0, 3]
                      <- columns of a Parquet file, as the hub has it; the names of tags are in its schema, in
                         labels.txt or in data.tag_names. Or text, and entities with start, end, type"""
FOLDER_EXAMPLE = """\
my-posts/dataset_dict.json, my-posts/train/dataset_info.json, my-posts/train/data-00000-of-00001.arrow
                      <- dataset.save_to_disk("my-posts"), of a DatasetDict or of one Dataset"""


def read_parquet(source: Source) -> Rows:
    """Read a Parquet file; see :class:`cotpd.data.readers.file_format.Format`."""
    import pyarrow.parquet as pq  # noqa: PLC0415  of an extra

    with explain_damage(source), pq.ParquetFile(source.path) as table:
        names = _find_schema_names(table.schema_arrow.metadata)
        batches = (batch.to_pylist() for batch in table.iter_batches(_BATCH))
        yield from _read_batches(source, batches, table.schema_arrow.names, names)


def read_saved(source: Source) -> Rows:
    """Read one split of a saved data set, a folder."""
    import pyarrow as pa  # noqa: PLC0415  of an extra

    info = _read_json(source.path / INFO, source)
    state = _read_json(source.path / STATE, source)
    names = {key: find_names(feature) for key, feature in (info.get("features") or {}).items()}
    files = [entry.get("filename", "") for entry in state.get("_data_files") or ()]
    for name in files:
        with explain_damage(source), pa.memory_map(str(source.path / Path(name).name)) as file:
            table = pa.ipc.open_stream(file)
            yield from _read_batches(source, (batch.to_pylist() for batch in table), table.schema.names, names)


def _read_batches(
    source: Source, batches: Iterator[list[dict[str, Any]]], columns: Sequence[str], names: dict[str, Any]
) -> Rows:
    """Read the rows of a table.

    Raises:
        DataError: It has neither words with tags nor a text with entities.
    """
    key = next((key for key in TAG_KEYS if key in columns), None)
    has_words = any(key in columns for key in TOKEN_KEYS)
    is_marked = "text" in columns and "entities" in columns
    if not is_marked and (key is None or not has_words):
        shown = ", ".join(columns[:12])
        raise DataError(
            f"{source.name}: no columns of tokens and tags among {shown}", "Name them tokens and ner_tags."
        )
    tag_names = source.options.tag_names or names.get(key or "") or source.options.tag_names
    reader = TagReader(find_notation(tag_names or ()))
    number = 0
    for rows in batches:
        for row in rows:
            number += 1
            build = partial(_build_marked, source, row, number)
            if not is_marked:
                build = partial(build_tagged_row, source, row, number, number, reader, tag_names)
            yield build_or_refuse(source, number, row, build, str(row.get("id") or ""))
    source.counts.update(reader.summarize())


def _build_marked(source: Source, row: dict[str, Any], number: int) -> Post:
    """Build the post of a row with a text and its entities."""
    marks, relations = row.get("entities") or [], row.get("relations") or []
    if not all(isinstance(item, dict) for item in [*marks, *relations]):
        raise RowError(f"entities {show_value(marks)} are no objects", "Give each start, end and type.")
    mentions = [
        RawMention(position, mark.get("start"), mark.get("end"), mark.get("type", mark.get("label")))
        for position, mark in enumerate(marks)
    ]
    links = [RawRelation(link.get("head"), link.get("tail"), link.get("label")) for link in relations]
    meta: dict[str, Any] = {key: value for key, value in row.items() if key != "knowledge"}
    knowledge = {kind: text for kind, text in dict(row.get("knowledge") or {}).items() if text}
    meta["knowledge"] = knowledge
    post_id = read_row_id(row, source, number)
    raw = RawPost(post_id, row.get("text"), mentions, links, meta, row.get("label"))
    return build_post(source, raw, number)


def find_splits(folder: Path) -> SplitFiles:
    """Find the splits of a saved data set: folders named after them, or the folder itself."""
    if (folder / STATE).is_file() and (folder / INFO).is_file():
        return {name_split_of_whole(folder): (folder,)}
    folders = [path for path in sorted(folder.iterdir()) if (path / STATE).is_file() and (path / INFO).is_file()]
    by_split: dict[str, Path] = {}
    for path in folders:
        split = find_split(path)
        if split in by_split:
            names = f"{by_split[split].name} and {path.name}"
            raise DataError(f"{folder}: {names} both claim to be the {split} split", "Rename one of them.")
        if split is not None:
            by_split[split] = path
    return {split: (by_split[split],) for split in SPLITS if split in by_split}


def _find_schema_names(metadata: dict[bytes, bytes] | None) -> dict[str, Any]:
    """Return the names of tags that the schema of a table has, by column."""
    try:
        features = parse_json((metadata or {}).get(b"huggingface", b"{}").decode("utf-8"))["info"]["features"]
    except (RowError, UnicodeDecodeError, KeyError, TypeError):
        return {}
    return {key: find_names(feature) for key, feature in features.items()} if isinstance(features, dict) else {}


def _read_json(path: Path, source: Source) -> dict[str, Any]:
    try:
        value = parse_json(read_text(path, f"{source.name}/{path.name}"))
    except RowError as error:
        raise DataError(f"{source.name}/{path.name}: {error.reason}", "Save the data set again.") from None
    if not isinstance(value, dict):
        raise DataError(f"{source.name}/{path.name}: holds no object", "Save the data set again.")
    return value


@contextmanager
def explain_damage(source: Source) -> Iterator[None]:
    """Turn the errors of a damaged table into a DataError."""
    import pyarrow as pa  # noqa: PLC0415  of an extra

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        message = str(error).partition("\n")[0][:200]
        raise DataError(f"{source.name}: damaged, or no table: {message}", "Write the file again.") from None


PARQUET = Format(
    name="parquet",
    title="Parquet: {train,valid,test}.parquet, columns of words and tags, or of texts and entities",
    suffixes=(".parquet",),
    is_format_of=lambda head: bool(head) and head[0].startswith("PAR1"),
    read=read_parquet,
    example=PARQUET_EXAMPLE,
)
SAVED = Format(
    name="huggingface",
    title="Hugging Face: the folder of save_to_disk",
    suffixes=(".arrow",),
    is_format_of=lambda head: not head,  # never of a file alone
    read=read_saved,
    example=FOLDER_EXAMPLE,
    find_splits=find_splits,
)
