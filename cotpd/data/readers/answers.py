"""LLM answers that come with a data set: JSON Lines, or the annotated files that PGIM released.

PGIM's files repeat a post's tokens and tags, then `<EOS>` and the words of the answer, each tagged X. They should
be in the order of the annotations. Here an answer goes to the next post of its split with the very same tokens, so
that one lost or added block costs one answer instead of shifting all that follow.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cotpd.completions import clean_answer
from cotpd.data.readers.captions import find_companions
from cotpd.data.readers.file_format import Source, refuse_row, show_path
from cotpd.data.readers.split_names import find_split
from cotpd.data.readers.text_files import read_numbered_lines
from cotpd.data.readers.twitter import Block, split_blocks, split_columns
from cotpd.data.readers.values import RowError, make_writable, parse_json, read_id, show_value
from cotpd.data.records import KNOWLEDGE_KINDS, Kind, Post, Quarantined, iterate_posts
from cotpd.errors import DataError

END_OF_POST = "<EOS>"
KINDS = tuple(kind.value for kind in KNOWLEDGE_KINDS)
Answers = dict[str, dict[Kind, str]]


@dataclass
class AnswerTable:
    """The answers of some files by post id and kind, the refused lines, and counts.

    ``counts`` says how many answers were read, matched a post, matched none, and were empty.
    """

    answers: Answers = field(default_factory=lambda: defaultdict(dict))
    refused: list[Quarantined] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, post_id: str, kind: Kind, text: str) -> None:
        """Add the answer for a post of the data set; an empty one is only counted."""
        if text.strip():
            self.counts["matched"] += 1
            self.answers[post_id][kind] = make_writable(text.strip())
        else:
            self.counts["empty"] += 1

    def refuse(self, source: Source, line: int, row: str, error: RowError) -> None:
        """Set an answer aside that cannot be read or fits no post."""
        self.counts["unmatched"] += 1
        self.refused.append(refuse_row(source, line, row, error))


def read_answers(
    folder: Path,
    pattern: str,
    root: Path,
    kind: Kind,
    posts: dict[str, list[Post]],
    split_files: Iterable[Path] = (),
) -> AnswerTable:
    """Read the answers for the posts of a data set.

    Args:
        folder: The data set's folder.
        pattern: A .jsonl file, a folder of {split}.txt, or a pattern for either.
        root: Messages name files by their path from here.
        kind: The kind of an answer whose line names none.
        posts: Every post by split.
        split_files: The files of the posts themselves.

    Raises:
        DataError: There is no such file, or it is not UTF-8.
    """
    table = AnswerTable()
    for path in _list_files(find_companions(folder, pattern, "answers", split_files)):
        source = Source(path, show_path(path, root), find_split(path) or "")
        if path.suffix.lower() == ".txt":
            _read_blocks(source, kind, posts, table)
        else:
            _read_lines(source, kind, posts, table)
    return table


def _list_files(paths: list[Path]) -> list[Path]:
    """Replace each folder by the .txt and .jsonl files in it."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += [file for file in sorted(path.iterdir()) if file.suffix.lower() in (".txt", ".jsonl")]
        else:
            files.append(path)
    if not files:
        raise DataError(f"{paths[0]}: a folder without .txt or .jsonl files", "Mend data.answers.")
    for file in files:
        if file.suffix.lower() == ".txt" and find_split(file) is None:
            raise DataError(f"{file}: its name does not say which split it answers", "Name it e.g. train.txt.")
    return files


def _read_blocks(source: Source, kind: Kind, posts: dict[str, list[Post]], table: AnswerTable) -> None:
    """Read a file of PGIM; a file of a split that the data set lacks is left alone."""
    if source.split not in posts:
        return
    unanswered: dict[tuple[str, ...], deque[str]] = defaultdict(deque)
    for post in posts[source.split]:
        unanswered[post.tokens].append(post.id)
    for block in split_blocks(read_numbered_lines(source.path, source.name)):
        table.counts["read"] += 1
        try:
            tokens, completion = _split_answer(block)
            text = _read_completion(completion)
            if not unanswered.get(tokens):
                reason = f"the answer's words are those of no post of {source.split} that waits for one"
                raise RowError(reason, "Is the file that of another release or split?")
        except RowError as error:
            table.refuse(source, block[0][0], " ".join(line for _, line in block), error)
        else:
            table.add(unanswered[tokens].popleft(), kind, text)


def _split_answer(block: Block) -> tuple[tuple[str, ...], str]:
    """Split a block into the post's tokens and the words of the answer."""
    words = [split_columns(number, line)[0] for number, line in block]
    if END_OF_POST not in words:
        raise RowError(f"no {END_OF_POST} line between post and answer", "Is this a file of answers?")
    end = words.index(END_OF_POST)
    return tuple(words[:end]), " ".join(words[end + 1 :])


def _read_lines(source: Source, kind: Kind, posts: dict[str, list[Post]], table: AnswerTable) -> None:
    """Read a file of JSON Lines; it may hold answers for more posts than the data set has."""
    post_ids = {post.id for post in iterate_posts(posts)}
    for number, line in read_numbered_lines(source.path, source.name):
        if not line.strip():
            continue
        table.counts["read"] += 1
        try:
            post_id, answer_kind, completion = _parse_line(line, kind)
            text = make_writable(_read_completion(completion).strip())
            if table.answers.get(post_id, {}).get(answer_kind, text) != text:
                raise RowError(f"a second answer of kind {answer_kind} for {post_id!r}", "Keep one of the two.")
        except RowError as error:
            table.refuse(source, number, line, error)
            continue
        if post_id in post_ids:
            table.add(post_id, answer_kind, text)
        else:
            table.counts["unmatched"] += 1


def _parse_line(line: str, kind: Kind) -> tuple[str, Kind, str]:
    """Return post id, kind (``kind`` if the line names none) and text of an answer."""
    row = parse_json(line)
    if not isinstance(row, dict) or row.get("id") is None or row.get("text") is None:
        raise RowError("an answer without id or text", 'Write {"id": "...", "text": "..."}.')
    post_id, text, name = read_id(row["id"]), row["text"], row.get("kind", kind)
    if not isinstance(text, str):
        raise RowError("an answer's text is not a string", "Quote it.")
    if name not in KINDS:
        raise RowError(f"{show_value(name)} is not a kind of knowledge", f"Kinds: {', '.join(KINDS)}.")
    return post_id, Kind(name), text


def _read_completion(completion: str) -> str:
    """Return the answer in a completion; raise RowError if it holds nothing but unfinished reasoning."""
    cleaned = clean_answer(completion)
    if not cleaned.finished:
        raise RowError("the model's reasoning does not end: there is no answer in it", "Ask for longer answers.")
    return cleaned.text
