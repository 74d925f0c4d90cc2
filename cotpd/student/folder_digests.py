"""Whether the files of a model's folder are those that its weights were written with.

Trade-off: the digests lie in the header of the weights, so that no file of their own can be lost or left behind; a
folder whose weights hold none is not checked.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from cotpd.errors import ModelError
from cotpd.files import compute_sha256

CARD, WEIGHTS = "student.json", "model.safetensors"
ENCODER, TOKENIZER = "encoder", "tokenizer"  # folders
TOKENIZER_CONFIG = "tokenizer_config.json"
PARTS = "parts"  # in the header of the weights: digests of the files that belong to them
REMEDY = "Train it again, or fetch the whole folder again."
_ORIGIN_KEYS = ("is_local", "local_files_only", "name_or_path")  # say where a tokenizer was read from
_UNCHECKED = hashlib.sha256(b"").hexdigest()  # the digest that earlier releases wrote for tokenizer_config.json


def compute_part_digests(folder: Path) -> dict[str, str]:
    """Return the sha256 of each file that gives the weights their meaning, by its name in the folder.

    Those are the card, the encoder's and the tokenizer's files; the weights themselves are not among them. Keys
    that may change without harm do not count: the encoder's name, the temperature, and where the tokenizer was
    read from.

    Raises:
        FileNotFoundError: There is no card.
        ValueError: The card is not JSON.
        ModelError: The tokenizer's configuration is no JSON object.
    """
    card = json.loads((folder / CARD).read_text("utf-8"))
    digests = {CARD: _digest_object(card | {"temperature": None, "student": card["student"] | {"encoder": None}})}
    for part in (ENCODER, TOKENIZER):
        for file in sorted(path for path in (folder / part).rglob("*") if path.is_file()):
            name = file.relative_to(folder).as_posix()
            digests[name] = compute_sha256(file)
            if file.name == TOKENIZER_CONFIG:
                digests[name] = _digest_object(read_object(file) | dict.fromkeys(_ORIGIN_KEYS))
    return digests


def digest_local_encoder(name: str) -> str:
    """Return a digest of an encoder's files if its name is a folder's, which may be edited under the same name.

    Empty for every other name: a catalogued or downloaded encoder is pinned where it is fetched.
    """
    folder = Path(name)
    if not folder.is_dir():
        return ""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    digests = [f"{compute_sha256(file)}  {file.relative_to(folder).as_posix()}\n" for file in files]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _digest_object(value: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def read_object(file: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ModelError: It is not UTF-8, not JSON or no object; the message names the file.
    """
    try:
        value = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{file}: incomplete or damaged: not JSON: {reason}", REMEDY) from None
    if not isinstance(value, dict):
        raise ModelError(f"{file}: incomplete or damaged: no JSON object", REMEDY)
    return value


def verify_parts(folder: Path) -> None:
    """Compare the folder's files with the digests in the header of the weights; weights without any pass.

    Raises:
        ModelError: A file is missing, damaged, or not the one that the weights were written with.
    """
    weights = folder / WEIGHTS
    for part in (ENCODER, TOKENIZER):
        for file in sorted((folder / part).rglob("*.json")):
            read_object(file)
    try:
        with safe_open(weights, "np") as opened:  # "pt" would import torch
            expected = dict(json.loads((opened.metadata() or {}).get(PARTS, "{}")))
        digests = compute_part_digests(folder)
    except FileNotFoundError:
        raise ModelError(f"{weights}: missing", REMEDY) from None
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise ModelError(f"{weights}: damaged: {error}", REMEDY) from None

    for name, digest in expected.items():
        if name not in digests:
            raise ModelError(f"{folder}: incomplete: {name} is missing", REMEDY)
        is_unchecked = name.endswith(TOKENIZER_CONFIG) and digest == _UNCHECKED
        if digests[name] != digest and not is_unchecked:
            raise ModelError(
                f"{folder / name}: changed since training, or of another model than {WEIGHTS}", REMEDY
            )
