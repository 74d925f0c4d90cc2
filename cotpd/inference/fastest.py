"""Which backend of an export is the fastest here: as measured when it was written, or once on this machine.

Trade-off: torch is measured only when an export is written. Importing it to compare takes longer than thousands of
posts, and an export that passed was faster wherever both were measured.
"""

import json
from contextlib import suppress
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from cotpd.escaping import warn
from cotpd.files import write_atomically
from cotpd.inference.export_record import RECORD, Export, ExportedBackend
from cotpd.inference.machine import describe_machine
from cotpd.inference.speed import measure_speeds
from cotpd.student.card import Card
from cotpd.student.examples import build_pair_example
from cotpd.student.predictor import Backend
from cotpd.weights import find_cache_folder

_TEXT = "Ada Lovelace met Charles Babbage in London , and wrote the first program"
_SAMPLE = [build_pair_example(_TEXT, "Ada", "London")] * 16  # the pair is read by students of relations alone


def is_runtime_installed() -> bool:
    """Whether ONNX Runtime and the tokenizers can be imported."""
    return all(find_spec(name) for name in ("onnxruntime", "tokenizers"))


def list_usable(export: Export) -> list[ExportedBackend]:
    """Return the backends of an export that passed, and whose verdict holds for this machine.

    Sums of bytes overflow on processors without VNNI where they do not with it, so the verdict of int8 holds for
    machines of the same instructions.
    """
    is_alike = describe_machine().instructions == export.record.machine.instructions
    passed = [name for name, verdict in export.record.verdicts.items() if verdict.passed]
    return [name for name in passed if is_alike or name == "onnx"]


def choose_fastest(export: Export, card: Card) -> Backend:
    """Return the fastest backend of an export on this machine; torch if none passed."""
    names = list_usable(export)
    if len(names) < 2:
        return names[0] if names else "torch"
    speeds = {name: speed.posts_per_second for name, speed in export.record.speeds.items()}
    if export.record.machine != describe_machine():
        speeds = _measure_once(export, card, names)
    return max(names, key=lambda name: speeds.get(name, 0.0))


def _measure_once(export: Export, card: Card, names: list[ExportedBackend]) -> dict[str, float]:
    """Return posts a second of each backend, as the cache has them for this machine, or measured now."""
    file = _name_cache_file(export)
    with suppress(OSError, ValueError):  # nothing is cached, or not by this release
        cached: dict[str, float] = json.loads(file.read_bytes())
        if set(names) <= cached.keys():
            return cached
    speeds: dict[str, float] = {name: _measure(export, card, name) for name in names}
    try:
        with write_atomically(file, shared=True) as partial:
            partial.write_text(json.dumps(speeds), "utf-8")
    except OSError as error:
        warn(f"warning: {file}: {error.strerror}; the next call measures again which backend is the fastest")
    return speeds


def _name_cache_file(export: Export) -> Path:
    key = (export.folder / RECORD).read_bytes() + describe_machine().model_dump_json().encode()
    return find_cache_folder() / "backends" / f"{sha256(key).hexdigest()[:32]}.json"


def _measure(export: Export, card: Card, name: ExportedBackend) -> float:
    from cotpd.inference.onnx_student import OnnxStudent  # noqa: PLC0415  not needed where a choice is cached

    return measure_speeds({name: OnnxStudent(export, card, name)}, _SAMPLE)[name].posts_per_second
