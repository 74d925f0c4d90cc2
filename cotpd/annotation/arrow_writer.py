"""Writers of Arrow: Parquet files, and the folder of Hugging Face's `save_to_disk`.

Tags are numbers with their names in the schema, as `datasets` has them. Entities and relations have columns of
their own, since tags hold neither overlaps nor relations; a reader takes these.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cotpd.annotation.annotated_posts import get_gold
from cotpd.annotation.json_writers import encode_tags
from cotpd.data.bio import OUTSIDE
from cotpd.data.readers.arrow_tables import INFO, STATE
from cotpd.data.records import KNOWLEDGE_KINDS, Post
from cotpd.data.tables import write_json
from cotpd.files import write_atomically

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 1000  # of a batch
DATA_FILE = "data-00000-of-00001.arrow"


def write_parquet(posts: Sequence[Post], path: Path) -> int:
    """Write a Parquet file, and return the number of posts."""
    import pyarrow.parquet as pq  # noqa: PLC0415  of an extra

    schema, names = build_schema(posts)
    with write_atomically(path) as partial, pq.ParquetWriter(partial, schema) as writer:
        for batch in _iterate_batches(posts, schema, names):
            writer.write_batch(batch)
    return len(posts)


def write_saved(posts: Sequence[Post], folder: Path) -> int:
    """Write one split as a folder that `datasets.load_from_disk` reads, and return the number of posts."""
    import pyarrow as pa  # noqa: PLC0415  of an extra

    schema, names = build_schema(posts)
    folder.mkdir(parents=True, exist_ok=True)
    with write_atomically(folder / DATA_FILE) as partial, pa.ipc.new_stream(str(partial), schema) as stream:
        for batch in _iterate_batches(posts, schema, names):
            stream.write_batch(batch)
    digest = hashlib.sha256((folder / DATA_FILE).read_bytes()).hexdigest()
    write_json(folder / INFO, {"features": describe_features(names), "citation": "", "description": ""})
    write_json(
        folder / STATE,
        {
            "_data_files": [{"filename": DATA_FILE}],
            "_fingerprint": digest[:16],
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": None,
        },
    )
    return len(posts)


def list_tag_names(posts: Sequence[Post]) -> list[str]:
    """Return the names of tags by number: O, then B- and I- of each type."""
    entities = chain.from_iterable(post.entities for post in posts)
    types = sorted({entity.type for entity in entities if entity.type})
    return [OUTSIDE, *chain.from_iterable((f"B-{label}", f"I-{label}") for label in types)]


def build_schema(posts: Sequence[Post]) -> tuple["pa.Schema", list[str]]:
    """Build the schema of a table, and the names of its tags."""
    import pyarrow as pa  # noqa: PLC0415  of an extra

    text, number = pa.string(), pa.int64()
    names = list_tag_names(posts)
    fields = [
        ("id", text),
        ("text", text),
        ("tokens", pa.list_(text)),
        ("ner_tags", pa.list_(number)),
        ("image", text),
        ("caption", text),
        ("label", text),
        ("knowledge", pa.struct([(kind.value, text) for kind in KNOWLEDGE_KINDS])),
        ("entities", pa.list_(pa.struct([("start", number), ("end", number), ("type", text)]))),
        ("relations", pa.list_(pa.struct([("head", number), ("tail", number), ("label", text)]))),
    ]
    metadata = {"huggingface": json.dumps({"info": {"features": describe_features(names)}})}
    return pa.schema(fields, metadata=metadata), names


def describe_features(names: Sequence[str]) -> dict[str, Any]:
    """Describe the columns as `datasets` does."""
    text, number = ({"dtype": dtype, "_type": "Value"} for dtype in ("string", "int64"))
    tags = {"feature": {"names": list(names), "_type": "ClassLabel"}, "_type": "List"}
    return {
        **dict.fromkeys(("id", "text"), text),
        "tokens": {"feature": text, "_type": "List"},
        "ner_tags": tags,
        **dict.fromkeys(("image", "caption", "label"), text),
        "knowledge": {kind.value: text for kind in KNOWLEDGE_KINDS},
        "entities": {"feature": {"start": number, "end": number, "type": text}, "_type": "List"},
        "relations": {"feature": {"head": number, "tail": number, "label": text}, "_type": "List"},
    }


def _iterate_batches(posts: Sequence[Post], schema: "pa.Schema", names: list[str]) -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa  # noqa: PLC0415  of an extra

    numbers = {name: number for number, name in enumerate(names)}
    for first in range(0, len(posts), _ROWS):
        rows = [_build_row(post, numbers) for post in posts[first : first + _ROWS]]
        yield pa.RecordBatch.from_pylist(rows, schema)


def _build_row(post: Post, numbers: dict[str, int]) -> dict[str, Any]:
    marks = get_gold(post).marks
    return {
        "id": post.id,
        "text": post.text,
        "tokens": list(post.tokens),
        "ner_tags": [numbers[tag] for tag in encode_tags(post)],
        "image": post.image,
        "caption": post.caption,
        "label": post.label,
        "knowledge": {kind.value: text for kind, text in post.knowledge.items()} or None,
        "entities": [{"start": mark.start, "end": mark.end, "type": mark.type} for mark in marks],
        "relations": [relation.model_dump() for relation in post.relations],
    }
