"""Writer of BRAT: a text and its annotation for each post, the post's id as their name."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from cotpd.annotation.annotated_posts import get_gold
from cotpd.annotation.losses import replace_blanks
from cotpd.data.records import Post
from cotpd.errors import DataError
from cotpd.files import write_atomically

_LONGEST = 240  # bytes of a name


def write_brat(posts: Sequence[Post], folder: Path) -> int:
    """Write the documents of a split into a folder, and return their number.

    Raises:
        DataError: An id is too long for the name of a file, or the folder holds documents of other posts.
    """
    names = [name_document(post.id) for post in posts]
    for post, name in zip(posts, names, strict=True):
        if len(name) > _LONGEST:
            raise DataError(f"the id {post.id[:40]!r}... is too long for a file's name", "Write another format.")
    _refuse_other_documents(folder, set(names))
    folder.mkdir(parents=True, exist_ok=True)
    for post, name in zip(posts, names, strict=True):
        _write(folder / f"{name}.txt", post.text + "\n")
        _write(folder / f"{name}.ann", _format_annotation(post))
    return len(posts)


def _refuse_other_documents(folder: Path, names: set[str]) -> None:
    """Refuse a folder with documents of other posts, which a reader would take for posts of this data set."""
    strangers = sorted(path for path in folder.glob("*.ann") if path.stem not in names)
    if strangers:
        raise DataError(
            f"{strangers[0]}: the document of a post that is not written",
            "Remove the folder's documents, or name another folder.",
        )


def name_document(post_id: str) -> str:
    """Return a post's id as a file's name, from which a reader gets it back."""
    name = quote(post_id, safe=" ")
    return "%2E" + name[1:] if name.startswith(".") else name


def _write(path: Path, text: str) -> None:
    with write_atomically(path) as partial, partial.open("w", encoding="utf-8", newline="") as out:
        out.write(text)


def _format_annotation(post: Post) -> str:
    gold = get_gold(post)
    lines = []
    for number, mark in enumerate(gold.marks, 1):
        words = " ".join(post.text[mark.start : mark.end].split())
        lines.append(f"T{number}\t{replace_blanks(mark.type)} {mark.start} {mark.end}\t{words}\n")
    for number, link in enumerate(gold.links, 1):
        lines.append(f"R{number}\t{replace_blanks(link.label)} Arg1:T{link.head + 1} Arg2:T{link.tail + 1}\n")
    return "".join(lines)
