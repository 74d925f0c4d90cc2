"""Ways to damage a small data set of each format, drawn by a seed."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.data.damaged_tools import COMPANIONS, TOOL_FORMATS

DEEP = "[" * 3000

HUGE = int("9" * 4000)


VALUES: list[Any] = [
    *[None, True, False, 0, -1, 0.9, 1.7e18, 1e999, float("nan"), 10**30, HUGE, "", " ", "x", "0", "\ud83d", "\0"],
    *[
        "🎉",
        "x" * 5000,
        "../../etc/passwd",
        "[/]",
        "None",
        [],
        [[]],
        {},
        {"": ""},
        {"a": {"b": []}},
        [0, 1],
        "{split}",
    ],
]


PIECES = [
    *[
        b"",
        b"\n",
        b"\t",
        b" ",
        b"\r",
        b"[",
        b"]",
        b"{",
        b"}",
        b'"',
        b"'",
        b",",
        b":",
        b"null",
        b"-1",
        b"1e9",
        b"NaN",
    ],
    *[
        b"\xff",
        b"\x00",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xc3",
        b"true",
        b"0x" + b"f" * 5000,
        b"9" * 5000,
        b"\\ud83d",
    ],
    *[DEEP.encode(), b"IMGID:", b"O", b"*", b"\\u0000", "\u2028".encode(), "🎉".encode()],
]

YAML_PIECES = (b"!!timestamp x", b"!!int x", b"!!binary x", b"&a ", b"*a", b"<<: *a", b"? ", b"- ", b"---\n", b"%")


PATTERNS = [
    "",
    " ",
    ".",
    "*",
    "**",
    "**.jsonl",
    "captions.jsonl",
    "[",
    "x" * 300,
    "a\0b",
    "{split}",
    "/",
    "~",
    "[!",
]


def build_entity(start: int, end: int) -> dict[str, Any]:
    return {"start": start, "end": end, "type": "PER"}


def build_jsonl_rows(split: str) -> list[Any]:
    marks = {
        "entities": [build_entity(0, 3), build_entity(10, 13)],
        "relations": [{"head": 0, "tail": 1, "label": "None"}],
    }
    return [{"id": f"{split}{n}", "text": f"Ada met {n} Bob 🎉", "image": f"{n}.jpg", **marks} for n in range(3)]


def build_wikidiverse_rows(split: str) -> list[Any]:
    return [
        [f"Ada {n} {split}", f"https://x.org/{n}.jpg", "news", [["Ada", "Person", 0, 3, ""]]] for n in range(3)
    ]


def build_mnre_rows(split: str) -> list[Any]:
    ends = {"h": {"name": "Ada", "pos": [0, 1]}, "t": {"name": "Bob", "pos": [2, 3]}}
    words = ["Ada", "met", "Bob", split]
    return [{"token": words, **ends, "img_id": f"{split}{n}.jpg", "relation": "/a"} for n in range(3)]


def build_twitter_rows(split: str) -> list[Any]:
    return [f"IMGID:{split}{n}\nAda\tB-PER\nFC\tI-PER\nwaves\tO\n" for n in range(3)]


def as_lines(rows: list[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def as_literals(rows: list[Any]) -> str:
    return "".join(show(row) + "\n" for row in rows)


def show(row: Any) -> str:
    return repr(row).replace("nan", "None").replace("inf", "1e999")


FORMATS: dict[str, tuple[str, Callable[[str], list[Any]], Callable[[list[Any]], str | bytes]]] = {
    "jsonl": ("{}.jsonl", build_jsonl_rows, as_lines),
    "twitter": ("{}.txt", build_twitter_rows, lambda rows: "\n".join(map(str, rows))),
    "wikidiverse": ("{}.json", build_wikidiverse_rows, lambda rows: json.dumps(rows, indent=0)),
    "mnre": ("mnre_{}.txt", build_mnre_rows, as_literals),
    **TOOL_FORMATS,
}


def build(folder: Path, name: str, rng: random.Random) -> list[Path]:
    """Write a data set with captions and answers; about half of them have a damaged row."""
    pattern, make, write = FORMATS[name]
    files = {}
    for split in ("train", "val", "test"):
        rows = make(split)
        if rng.random() < 0.5:
            rows[rng.randrange(len(rows))] = replace_inside(rng.choice(rows), rng)
        files[pattern.format(split)] = write(rows)
        files |= {other.format(split): text for other, text in COMPANIONS.get(name, {}).items()}
    files["captions.jsonl"] = as_lines([{"id": "train0", "caption": "a cat"}, {"image": "1.jpg", "caption": "b"}])
    answer, labels = {"id": "train0", "text": "x", "kind": "noun"}, {"None": 0, "/a": 1}
    files["answers.jsonl"] = as_lines([answer, replace_inside(answer, rng)])
    files["relations.json"] = json.dumps(replace_inside(labels, rng) if rng.random() < 0.1 else labels)
    for file, text in files.items():
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return [folder / file for file in files]


def replace_inside(value: Any, rng: random.Random) -> Any:
    """Replace, add, rename or drop something somewhere inside a row."""
    if rng.random() < 0.25 or not isinstance(value, list | dict) or not value:
        return rng.choice(VALUES)
    if isinstance(value, list):
        at = rng.randrange(len(value))
        return [*value[:at], *([] if rng.random() < 0.1 else [replace_inside(value[at], rng)]), *value[at + 1 :]]
    key = rng.choice(list(value))
    changed = {**value, key: replace_inside(value[key], rng)}
    if rng.random() < 0.3:
        name = rng.choice(["label", "Text", "", "\ud83d", "[red]", key + "s", "start"])
        changed = {**{k: v for k, v in value.items() if k != key}, name: value[key]}
    return changed


def spoil_bytes(path: Path, rng: random.Random) -> None:
    content = path.read_bytes()
    at = rng.randrange(len(content) + 1)
    path.write_bytes(content[:at] + rng.choice(PIECES) + content[at + rng.choice([0, 0, 1, 3, 50]) :])


def spoil_lines(path: Path, rng: random.Random) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    at = rng.randrange(len(lines) + 1)
    variants = [
        lines[:at],
        lines[at:],
        lines * 2,
        [rng.choice(PIECES) + b"\n", *lines],
        lines[:at] + lines[at + 1 :],
    ]
    path.write_bytes(b"".join(rng.choice(variants)))


def spoil_encoding(path: Path, rng: random.Random) -> None:
    text = path.read_bytes().decode("utf-8", "replace")
    encoding = rng.choice(["utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252", "utf-8-sig", "gb18030"])
    path.write_bytes(text.encode(encoding, "replace"))


def spoil_name(path: Path, rng: random.Random) -> None:
    stem, suffix = path.stem, path.suffix
    names = [
        stem.upper() + suffix,
        path.name + ".gz",
        stem + ".csv",
        stem,
        f"{stem}-dev{suffix}",
        "[red]" + path.name,
    ]
    path.rename(path.with_name(rng.choice(names)))


def spoil_kind(path: Path, rng: random.Random) -> None:
    path.unlink()
    replacement = rng.choice(["empty", "folder", "link", "gone", "loop"])
    if replacement == "empty":
        path.touch()
    elif replacement == "folder":
        path.mkdir()
    elif replacement != "gone":
        path.symlink_to(path if replacement == "loop" else path.with_name("nowhere"))


SPOILERS = [
    spoil_bytes,
    spoil_bytes,
    spoil_bytes,
    spoil_lines,
    spoil_lines,
    spoil_encoding,
    spoil_name,
    spoil_kind,
]


def choose_params(name: str, rng: random.Random) -> dict[str, Any]:
    """Mostly those that fit, so that most damage reaches a reader."""
    odd = rng.choice([*[""] * 9, "path", "format", "captions", "answers", "types"])
    usual = {
        "path": ".",
        "format": rng.choice(["auto", name]),
        "captions": rng.choice([None, "captions.jsonl"]),
        "answers": rng.choice([None, "answers.jsonl"]),
        "offsets": rng.choice(["characters", "characters", "utf16", "bytes"]),
        "types": None,
        "annotators": rng.choice(["first", "latest", "agreed"]),
        "nested": rng.choice(["refuse", "outermost", "innermost"]),
        "tag_column": rng.choice([None, None, None, -1, 2, 99]),
        "unlabelled": rng.choice([(), (), ({"path": FORMATS[name][0].format("test")},)]),
    }
    odd_values = {
        "path": [FORMATS[name][0].format("train"), "x" * 300, "a\0b", "", "..", "captions.jsonl"],
        "format": list(FORMATS),
        "captions": PATTERNS,
        "answers": PATTERNS,
        "types": [("PER",), ("\ud83d",), (), ("/a", "None")],
    }
    return usual | ({odd: rng.choice(odd_values[odd])} if odd else {})
