"""Builders that every test package shares: posts from markup, rows of files, tiny encoders and students.

A post is written as it reads: ``build_post("[Ada](PER) lives in [Rome](LOC)")`` has two entities. Nothing heavy is
imported before a builder that needs it is called.
"""

import json
import re
import string
from collections.abc import Iterable, Mapping
from itertools import chain, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cotpd.data.records import KNOWLEDGE_KINDS, Caption, Entity, Knowledge, Post, Relation
from cotpd.data.tables import write_json, write_table
from cotpd.data.tokenization import tokenize
from cotpd.pipeline.workspace import Workspace

if TYPE_CHECKING:
    from cotpd.student import Student

_MENTION = re.compile(r"\[([^\]]+)\]\((\w*)\)")


def build_post(
    markup: str, *, id: str = "1", relations: Iterable[tuple[int, int, str]] = (), **fields: Any
) -> Post:
    """Build a post from markup; ``[Ada]()`` is a mention without a type.

    Args:
        markup: The text, each mention in brackets with its type behind it; it has to begin and end with a token.
        id: The post's id.
        relations: Head, tail and label of each; head and tail count the mentions from 0.
        fields: Any further field of Post, for example ``image`` or ``knowledge``.
    """
    text, spans = read_markup(markup)
    tokens = tokenize(text)
    starts = {token.start: index for index, token in enumerate(tokens)}
    ends = {token.end: index + 1 for index, token in enumerate(tokens)}
    return Post(
        id=id,
        text=text,
        tokens=tuple(token.text for token in tokens),
        offsets=tuple((token.start, token.end) for token in tokens),
        entities=tuple(Entity(start=starts[start], end=ends[end], type=label) for start, end, label in spans),
        relations=tuple(Relation(head=head, tail=tail, label=label) for head, tail, label in relations),
        **fields,
    )


def read_markup(markup: str) -> tuple[str, list[tuple[int, int, str | None]]]:
    """Return the text without markup, and start, end (in characters) and type of each mention."""
    text, position, spans = "", 0, []
    for match in _MENTION.finditer(markup):
        text += markup[position : match.start()]
        spans.append((len(text), len(text) + len(match[1]), match[2] or None))
        text += match[1]
        position = match.end()
    return text + markup[position:], spans


def build_posts(count: int) -> list[Post]:
    """Build posts that a tiny encoder learns by heart: who lives where, and who works for whom.

    All have the same length, because batches are formed by length: labels must not decide who shares a batch.
    """
    return [_build_numbered_post(number) for number in range(count)]


def _build_numbered_post(number: int) -> Post:
    person = ("ann", "bob")[number % 2]
    city = ("rome", "paris")[number // 2 % 2]
    firm = ("acme", "initech")[number // 2 % 2]
    if number % 3:
        markup, label = f"[{person}](PER) lives in [{city}](LOC) .", "lives_in"
    else:
        markup, label = f"[{person}](PER) works at [{firm}](ORG) .", "None"
    return build_post(markup, id=f"p{number}", relations=[(0, 1, label)], file="posts.jsonl", line=number + 1)


def build_row(post_id: Any = "1", **changes: Any) -> dict[str, Any]:
    """Build a good row of the project's own format (jsonl), with changes; a value of ... takes the key out."""
    row = {
        "id": post_id,
        "text": f"Ada visits London again ({post_id})",
        "entities": [{"start": 0, "end": 3, "type": "PER"}, {"start": 11, "end": 17, "type": "LOC"}],
        "relations": [{"head": 0, "tail": 1, "label": "None"}],
    } | changes
    return {key: value for key, value in row.items() if value is not ...}


def format_jsonl(rows: Iterable[Any]) -> str:
    """Format rows as JSON Lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write rows as JSON Lines, the folder included, and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(format_jsonl(rows), "utf-8")
    return path


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a JSON Lines file, unchecked."""
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def write_prepared_tables(root: Path, splits: Mapping[str, list[Post]]) -> None:
    """Write the tables that training reads below a project's folder: posts, and a caption and answers for each.

    Args:
        root: The project's folder.
        splits: Posts by split, or by "unlabelled".
    """
    workspace, posts = Workspace(root), list(chain.from_iterable(splits.values()))
    for split, rows in splits.items():
        write_table(workspace.locate_posts(split), rows)
    write_json(
        workspace.prepared / "summary.json", {"types": ["LOC", "ORG", "PER"], "labels": ["None", "lives_in"]}
    )
    captions = [Caption(id=post.id, image="a", caption=f"a tower {post.id}", backend="tags") for post in posts]
    write_table(workspace.validated / "captions.jsonl", captions)
    pairs = product(posts, KNOWLEDGE_KINDS)
    answers = [Knowledge(id=post.id, kind=kind, text=f"about {post.text}") for post, kind in pairs]
    write_table(workspace.validated / "knowledge.jsonl", answers)
    write_table(workspace.augmented / "augmented.jsonl", [])
    write_json(workspace.augmented / "counts.json", {})
    for folder in (workspace.prepared, workspace.validated, workspace.augmented):
        write_table(folder / "quarantine.jsonl", [])


def write_encoder(folder: Path, signs: str = string.ascii_lowercase) -> Path:
    """Write a BERT of a few kilobytes, whose vocabulary is some signs, and return the folder."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    letters = [*signs, *(f"##{sign}" for sign in signs)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]
    BertTokenizerFast(vocab={piece: index for index, piece in enumerate(vocabulary)}).save_pretrained(folder)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = BertConfig(vocab_size=len(vocabulary), max_position_embeddings=256, **sizes)
    torch.manual_seed(0)  # without it, an untrained student's predictions depend on which tests ran before
    BertModel(config).save_pretrained(folder)
    return folder


def build_student(
    encoder: Path | str,
    task: str = "ner",
    views: tuple[str, ...] = ("prompt",),
    types: tuple[str, ...] = (),
    **sizes: Any,
) -> "Student":
    """Build an untrained student on the CPU; it is the same in every run.

    Args:
        encoder: Folder of the encoder.
        task: ner (types LOC, ORG, PER) or re (labels None, lives_in).
        views: The views that the student reads.
        types: Other types or labels than these.
        sizes: Changes of its parameters (StudentParams).
    """
    import torch

    from cotpd.config import StudentParams
    from cotpd.student import Student
    from cotpd.student.labels import LabelSet
    from cotpd.student.persistence import build_model

    torch.manual_seed(3)
    defaults = {"prompt_length": 3, "generator_heads": 2, "max_length": 24, "knowledge_length": 48}
    params = StudentParams(encoder=str(encoder), **(defaults | sizes))
    labels = LabelSet.build(task, types or (("PER", "LOC", "ORG") if task == "ner" else ("lives_in", "None")))
    model, tokenizer, reads = build_model(params, labels)
    return Student(model, tokenizer, params, views, reads, "cpu")
