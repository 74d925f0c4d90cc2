"""A ledger as JSON Lines that people can read, diff and review: the recording that a repository ships.

Most requests differ in their last message alone, so what they share is written once, as a `part`, and an answer
names its part by hash. With the shipped prompts that makes 0.45 kB an answer, and each request can still be put
together to the byte: import hashes it again and refuses what does not give the key it claims. Lines are sorted
and, unless the raw bodies are asked for, hold no time, latency or id, so that asking the same again gives the
same file.
"""

import hashlib
import json
import logging
import math
import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from cotpd.errors import DataError
from cotpd.llm.chat_request import ChatRequest, Message, digest, encode_canonical, read_completion
from cotpd.llm.ledger.ledger import Entry, Ledger
from cotpd.llm.params import LlmParams

log = logging.getLogger(__name__)

_BATCH = 500
_DATABASE = b"SQLite format 3\0"  # how such a file begins
_PLAIN = {"role", "content"}  # an answer whose message holds no more than these is written as its text


@dataclass
class ImportReport:
    """What an import did; ``bad`` holds ``file:line: why`` of the lines left out."""

    new: int = 0
    known: int = 0
    bad: list[str] = field(default_factory=list)


def export_recording(
    ledger: Ledger, path: Path | str, *, raw: bool = False, keys: Collection[str] | None = None
) -> int:
    """Write every answer, whole file or none; it is on the disk then, so that what is exported may be removed.

    Args:
        ledger: Where the answers are.
        path: The JSON Lines file.
        raw: Keep the bodies as they came, with id, times and latency; else what has no meaning is left out.
        keys: Only these; None writes all.

    Returns:
        The number of answers written.

    Raises:
        DataError: The file cannot be written, or is a folder or a database: a slip must not replace the ledger.
    """
    path = Path(path)
    _check_target(path)
    place = path.resolve()  # a link, /dev/stdout among them, is not what is to be replaced
    partial = place.with_name(place.name + ".part")
    parts = {}
    for entry in _chosen(ledger, keys):
        name, part, _ = _split(ChatRequest.parse(entry.request))
        parts[name] = part
    count = 0
    try:
        with partial.open("w", encoding="utf-8", newline="\n") as out:
            out.writelines(_line({"part": name, **parts[name]}) for name in sorted(parts))
            for entry in _chosen(ledger, keys):
                row = _answer_row(entry, raw)
                if row["part"] in parts:  # what came in meanwhile may have another
                    out.write(_line(row))
                    count += 1
            out.flush()
            os.fsync(out.fileno())
        partial.replace(place)
        _sync_folder(place.parent)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}", "Name a file that you may write.") from None
    finally:
        with suppress(OSError):
            partial.unlink()
    return count


def _check_target(path: Path) -> None:
    if path.exists() and not path.is_file():  # a pipe, say: who reads it would wait, and it cannot be replaced
        raise DataError(f"{path}: is a {'folder' if path.is_dir() else 'device or pipe'}", "Name a file.")
    with suppress(OSError), path.open("rb") as file:
        if file.read(len(_DATABASE)) == _DATABASE:
            raise DataError(f"{path}: is a database, perhaps the ledger itself", "Name a file for the answers.")


def _sync_folder(folder: Path) -> None:
    """Have a new name in a folder on the disk, where the system does that."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _chosen(ledger: Ledger, keys: Collection[str] | None) -> Iterator[Entry]:
    return (entry for entry in ledger.entries() if keys is None or entry.key in keys)


def import_recording(ledger: Ledger, path: Path | str) -> ImportReport:
    """Add the answers of a recording to a ledger; one that is there already stays as it is.

    Raises:
        DataError: The file cannot be read at all.
    """
    report = ImportReport()
    batch: list[Entry] = []
    for entry in _read(Path(path), report):
        batch.append(entry)
        if len(batch) == _BATCH:
            _store(ledger, batch, report)
            batch = []
    _store(ledger, batch, report)
    return report


def import_once(ledger: Ledger, path: Path | str) -> ImportReport | None:
    """Import a recording unless one of the same content has been imported; None if nothing was to be done."""
    sha256 = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    if ledger.was_imported(sha256):
        return None
    report = import_recording(ledger, path)
    ledger.mark_imported(sha256, str(path))
    return report


def import_recorded(ledger: Ledger, params: LlmParams) -> None:
    """Import the recording that the parameters name, once; what cannot be imported is warned of."""
    if params.recorded is None or ledger.read_only:
        return
    if not Path(params.recorded).is_file():
        log.warning("llm.recorded: %s is not there; nothing imported", params.recorded)
        return
    report = import_once(ledger, params.recorded)
    for line in report.bad[:5] if report else []:
        log.warning("left out of the recorded answers: %s", line)


def _split(call: ChatRequest) -> tuple[str, dict[str, Any], Message]:
    """A call as the name of its part, the part, and its last message."""
    *first, last = call.body["messages"]
    part = {"base_url": call.base_url, "body": {**call.body, "messages": first}}
    return digest(encode_canonical(part))[:12], part, last


def _answer_row(entry: Entry, raw: bool) -> dict[str, Any]:
    name, _, last = _split(ChatRequest.parse(entry.request))
    plain = last.keys() == _PLAIN and last["role"] == "user" and isinstance(last["content"], str)
    row: dict[str, Any] = {"key": entry.key, "part": name, "ask": last["content"] if plain else last}
    if raw:
        return row | {"response": entry.response, "latency": entry.latency, "created": entry.created}
    try:
        return row | _without_noise(entry.response)
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):  # odd, and paid for all the same
        return _answer_row(entry, raw=True)


def _without_noise(response: str) -> dict[str, Any]:
    """Text, finish reason, model and token counts where that is all there is to an answer; else its body."""
    body = json.loads(response)
    said = read_completion(response)
    choices = body["choices"]
    plain = len(choices) == 1 and all(
        name in _PLAIN or not value for name, value in (choices[0].get("message") or {"": 1}).items()
    )
    if not plain or not isinstance(choices[0]["message"].get("content"), str) or choices[0].get("logprobs"):
        noise = {"id", "created", "timings", "system_fingerprint"}
        return {"body": json.loads(encode_canonical({name: body[name] for name in body if name not in noise}))}
    tokens = [said.prompt_tokens, said.completion_tokens]
    return {"answer": said.text, "finish_reason": said.finish_reason, "model": said.model, "tokens": tokens}


def _line(row: dict[str, Any]) -> str:
    line = json.dumps(row, ensure_ascii=False)
    return (line if line.isascii() or _is_text(line) else json.dumps(row)) + "\n"


def _is_text(line: str) -> bool:
    """Whether it can be written: half of a surrogate pair cannot."""
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read(path: Path, report: ImportReport) -> Iterator[Entry]:
    parts: dict[str, dict[str, Any]] = {}
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise ValueError("no JSON object")
                    if "key" in row:
                        yield _entry(row, parts)
                    else:
                        parts[row.pop("part")] = row
                except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
                    report.bad.append(f"{path}:{number}: {_why(error)}")
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such recording", "`cotpd ledger export` writes one.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}", "A recording is a UTF-8 file of JSON Lines.") from None


def _entry(row: dict[str, Any], parts: dict[str, dict[str, Any]]) -> Entry:
    """The ledger row of a line; raises ValueError or KeyError where it is damaged."""
    if row["part"] not in parts:
        raise ValueError(f"its part {row['part']} does not stand above it")
    part = parts[row["part"]]
    last = row["ask"] if isinstance(row["ask"], dict) else {"role": "user", "content": row["ask"]}
    call = ChatRequest(part["base_url"], {**part["body"], "messages": [*part["body"]["messages"], last]})
    if call.key != row["key"]:
        raise ValueError("the request does not hash to its key: it was edited")
    latency = None if row.get("latency") is None else float(row["latency"])
    if latency is not None and not math.isfinite(latency):
        raise ValueError(f"its latency is {latency}")
    if row.get("created"):
        datetime.fromisoformat(row["created"])  # what is no time would outlive every `prune --before`
    entry = Entry.from_response(
        call, row["response"] if "response" in row else encode_canonical(_body(row)), latency
    )
    return replace(entry, created=row["created"]) if row.get("created") else entry


def _body(row: dict[str, Any]) -> dict[str, Any]:
    """A chat completion from a line without noise."""
    if "body" in row:
        return row["body"]
    message = {"role": "assistant", "content": row["answer"]}
    choice = {"index": 0, "finish_reason": row["finish_reason"], "message": message}
    prompt, completion = row["tokens"]
    usage = {"prompt_tokens": prompt, "completion_tokens": completion}
    return {"object": "chat.completion", "model": row["model"], "choices": [choice], "usage": usage}


def _store(ledger: Ledger, batch: list[Entry], report: ImportReport) -> None:
    ledger.get_many(entry.key for entry in batch)  # sees which rows are damaged: those give way
    new = ledger.put_many(batch)
    report.new += new
    report.known += len(batch) - new


def _why(error: Exception) -> str:
    return f"no key {error}" if isinstance(error, KeyError) else str(error)
