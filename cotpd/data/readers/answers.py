"""LLM answers that a data set brings along: our JSON Lines, or the annotated files that PGIM released.

PGIM's files repeat a post's tokens and tags, then `<EOS>` and the words of the answer, each tagged X. They are
meant to be in the order of the annotations; here an answer goes to the next post of its split with the very same
tokens, so that one lost or added block costs one answer instead of shifting all that follow.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from pathlib import Path

from cotpd.completions import clean_answer
from cotpd.data.readers.captions import expand
from cotpd.data.readers.file_format import Source, name_of, refuse
from cotpd.data.readers.split_files import split_of
from cotpd.data.readers.text_files import numbered_lines
from cotpd.data.readers.twitter import Block, blocks, token_and_tag
from cotpd.data.readers.values import RowError, parse_json, read_id, show_value, writable
from cotpd.data.records import AUGMENT_KINDS, Kind, Post, Quarantined
from cotpd.errors import DataError

END_OF_POST = "<EOS>"
Answers = dict[str, dict[Kind, str]]
Found = tuple[Answers, list[Quarantined], Counter[str]]


def read_answers(
    folder: Path,
    pattern: str,
    root: Path,
    kind: Kind,
    posts: dict[str, list[Post]],
    splits: Iterable[Path] = (),
) -> Found:
    """Answers by post id and kind; refused lines; counts of answers read, matched, unmatched and empty.

    Args:
        folder: The data set's folder.
        pattern: A .jsonl file, a folder of {split}.txt, or a pattern for either.
        root: What messages name files from.
        kind: What an answer is where its line does not say.
        posts: Every post by split.
        splits: The files of the posts themselves.

    Raises:
        DataError: There is no such file, or it is not UTF-8.
    """
    found: Answers = defaultdict(dict)
    refused: list[Quarantined] = []
    counts: Counter[str] = Counter()
    for path in _files(expand(folder, pattern, "answers", splits)):
        source = Source(path, name_of(path, root), split_of(path) or "", counts=counts)
        if path.suffix.lower() == ".txt":
            refused += _read_blocks(source, kind, posts, found)
        else:
            refused += _read_lines(source, kind, posts, found)
    return dict(found), refused, counts


def _files(paths: list[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        files += [file for file in inside if not path.is_dir() or file.suffix.lower() in (".txt", ".jsonl")]
    if not files:
        raise DataError(f"{paths[0]}: a folder without .txt or .jsonl files", "Mend data.answers.")
    unnamed = next((file for file in files if file.suffix.lower() == ".txt" and split_of(file) is None), None)
    if unnamed is not None:
        raise DataError(f"{unnamed}: its name does not say which split it answers", "Name it e.g. train.txt.")
    return files


def _read_blocks(source: Source, kind: Kind, posts: dict[str, list[Post]], found: Answers) -> list[Quarantined]:
    if source.split not in posts:
        return []
    waiting: dict[tuple[str, ...], deque[str]] = defaultdict(deque)
    for post in posts[source.split]:
        waiting[post.tokens].append(post.id)
    refused = []
    for block in blocks(numbered_lines(source.path, source.name)):
        source.counts["read"] += 1
        try:
            tokens, written = _block(block)
            answer = read_answer(written)
            if not waiting.get(tokens):
                raise RowError(
                    f"the answer's words are those of no post of {source.split} that waits for one",
                    "Is the file that of another release or split?",
                )
        except RowError as bad:
            source.counts["unmatched"] += 1
            refused.append(refuse(source, block[0][0], " ".join(t for _, t in block), bad.reason, bad.remedy))
            continue
        _keep(source.counts, found, waiting[tokens].popleft(), kind, answer)
    return refused


def _block(block: Block) -> tuple[tuple[str, ...], str]:
    words = [token_and_tag(number, line)[0] for number, line in block]
    if END_OF_POST not in words:
        raise RowError(f"no {END_OF_POST} line between post and answer", "Is this a file of answers?")
    end = words.index(END_OF_POST)
    return tuple(words[:end]), " ".join(words[end + 1 :])


def _read_lines(source: Source, kind: Kind, posts: dict[str, list[Post]], found: Answers) -> list[Quarantined]:
    known = {post.id for split in posts.values() for post in split}
    refused = []
    for number, line in numbered_lines(source.path, source.name):
        if not line.strip():
            continue
        source.counts["read"] += 1
        try:
            post_id, its_kind, written = _line(line, kind)
            text = writable(read_answer(written).strip())
            if found.get(post_id, {}).get(its_kind, text) != text:
                raise RowError(f"a second answer of kind {its_kind} for {post_id!r}", "Keep one of the two.")
        except RowError as bad:
            source.counts["unmatched"] += 1
            refused.append(refuse(source, number, line, bad.reason, bad.remedy))
            continue
        if post_id in known:
            _keep(source.counts, found, post_id, its_kind, text)
        else:
            source.counts["unmatched"] += 1  # a file may well cover more posts than this data set holds
    return refused


def _line(line: str, kind: Kind) -> tuple[str, Kind, str]:
    row = parse_json(line)
    if not isinstance(row, dict) or row.get("id") is None or row.get("text") is None:
        raise RowError("an answer without id or text", 'Write {"id": "...", "text": "..."}.')
    post_id, text, name = read_id(row["id"]), row["text"], row.get("kind", kind)
    if not isinstance(text, str):
        raise RowError("an answer's text is not a string", "Quote it.")
    if name not in _kinds():
        raise RowError(f"{show_value(name)} is not a kind of knowledge", f"Kinds: {', '.join(_kinds())}.")
    return post_id, Kind(name), text


def read_answer(written: str) -> str:
    """The answer in what a model wrote; raises RowError where there is only reasoning that does not end."""
    cleaned = clean_answer(written)
    if not cleaned.finished:
        raise RowError("the model's reasoning does not end: there is no answer in it", "Ask for longer answers.")
    return cleaned.text


def _kinds() -> list[str]:
    return [kind.value for kind in Kind if kind not in AUGMENT_KINDS]


def _keep(counts: Counter[str], found: Answers, post_id: str, kind: Kind, text: str) -> None:
    if text.strip():
        counts["matched"] += 1
        found[post_id][kind] = writable(text.strip())
    else:
        counts["empty"] += 1
