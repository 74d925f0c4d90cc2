"""A model on disk: safetensors, JSON and the tokenizer's own files, nothing that runs.

Trade-off: the encoder's configuration is kept beside the weights, so that a saved model does not depend on where
its encoder came from; it is some kilobytes larger for that.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field, ValidationError
from safetensors import SafetensorError, safe_open

from cotpd.config import StudentParams
from cotpd.data.records import Record
from cotpd.errors import CotpdError, ModelError
from cotpd.storage import writing
from cotpd.student.folders import part_of, replace, settle
from cotpd.student.labels import LabelSet
from cotpd.student.model import StudentModel
from cotpd.student.views import SPECIAL_TOKENS, View

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

CARD, WEIGHTS = "student.json", "model.safetensors"
ENCODER, TOKENIZER = "encoder", "tokenizer"  # folders
_TOKENIZER_CONFIG = "tokenizer_config.json"
_ORIGIN = (
    "is_local",
    "local_files_only",
    "name_or_path",
)  # where a tokenizer was read from: no part of what it does
_ONLY_THERE = hashlib.sha256(b"").hexdigest()  # what earlier releases wrote for tokenizer_config.json
_PARTS = "parts"  # in the head of the weights: digests of the files that they belong to
_REMEDY = "Train it again, or fetch the whole folder again."


class Card(Record):
    """student.json: what is needed, beside weights and tokenizer, to build the model again."""

    format: Literal[1] = 1
    labels: LabelSet
    views: tuple[View, ...] = Field(min_length=1)
    student: StudentParams
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """What scores are divided by before they become probabilities."""


class Parts(NamedTuple):
    """What a student consists of."""

    model: StudentModel
    tokenizer: "PreTrainedTokenizerBase"
    card: Card
    reads: int


def build(params: StudentParams, labels: LabelSet) -> tuple[StudentModel, "PreTrainedTokenizerBase", int]:
    """A model with a pretrained encoder and a fresh head, its tokenizer, and how many positions it reads.

    Raises:
        ModelError: The encoder cannot be had or is not a text encoder.
    """
    from transformers import AutoModel, AutoTokenizer

    source = source_of(params.encoder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        encoder = AutoModel.from_pretrained(source, dtype="float32", trust_remote_code=False)
        if encoder.config.is_encoder_decoder:
            raise ValueError("it is an encoder with a decoder")
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"encoder {params.encoder}: {str(error).splitlines()[0]}",
            "Name a catalogued encoder (cotpd models list), a hub name or a folder with config.json and weights.",
        ) from None
    neutral = _neutral(tokenizer, encoder, f"encoder {params.encoder}")
    return StudentModel(encoder, params, labels, neutral), tokenizer, reads(encoder.config)


def reads(config: "PretrainedConfig") -> int:
    """How many positions an encoder reads; RoBERTa and its kin lose those up to the padding's."""
    most = getattr(config, "max_position_embeddings", None) or 1 << 20
    offset = (config.pad_token_id or 0) + 1 if config.model_type in _OFFSET else 0
    return most - offset


_OFFSET = {"roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl", "longformer"}


def source_of(name: str) -> str:
    """The folder or hub name of an encoder's weights: a catalogued one is fetched, if it is not at hand.

    Raises:
        ModelError: It cannot be had.
    """
    if Path(name).is_dir():
        return name
    from cotpd.models import resolve

    return str(resolve(name))


def _neutral(tokenizer: "PreTrainedTokenizerBase", encoder: "PreTrainedModel", where: str) -> int:
    """The token that prompts and markers start from, once it is sure that the two belong together."""
    rows = len(encoder.get_input_embeddings().weight)
    if len(tokenizer) > rows:
        raise ModelError(
            f"{where}: its tokenizer knows {len(tokenizer)} tokens and its weights {rows}: they are of two models",
            "Fetch the whole folder again.",
        )
    return tokenizer.mask_token_id if tokenizer.mask_token_id is not None else tokenizer.cls_token_id


def save(
    folder: Path,
    model: StudentModel,
    tokenizer: "PreTrainedTokenizerBase",
    card: Card,
    extra: dict[str, str] | None = None,
) -> None:
    """Write a model into a folder, through a folder beside it, so that a kill leaves the old one or the new.

    Args:
        folder: Replaced if it exists.
        model: Whose weights are kept.
        tokenizer: The encoder's.
        card: How to build the model again.
        extra: Further text files, content by name.
    """
    partial = part_of(folder)
    with writing(folder, partial):
        _write(partial, model, tokenizer, card)
        for name, content in (extra or {}).items():
            (partial / name).write_text(content, "utf-8")
    replace(partial, folder)


def _write(partial: Path, model: StudentModel, tokenizer: "PreTrainedTokenizerBase", card: Card) -> None:
    from safetensors.torch import save_file

    (partial / CARD).write_text(json.dumps(card.model_dump(mode="json"), indent=2) + "\n", "utf-8")
    model.encoder.config.save_pretrained(partial / ENCODER)
    tokenizer.save_pretrained(partial / TOKENIZER)
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, partial / WEIGHTS, metadata={_PARTS: json.dumps(_digests(partial))})
    shutil.copymode(partial / CARD, partial / WEIGHTS)  # safetensors writes for its owner's eyes alone


def _digests(folder: Path) -> dict[str, str]:
    """What weights mean nothing without, by name: inventory, architecture, encoder and tokenizer.

    The encoder's name and the temperature may change afterwards, and a tokenizer's configuration also says where
    it was read from.
    """
    card = json.loads((folder / CARD).read_text("utf-8"))
    digests = {CARD: _digest_of(card | {"temperature": None, "student": card["student"] | {"encoder": None}})}
    for part in (ENCODER, TOKENIZER):
        for file in sorted(path for path in (folder / part).rglob("*") if path.is_file()):
            name = file.relative_to(folder).as_posix()
            digests[name] = hashlib.sha256(file.read_bytes()).hexdigest()
            if file.name == _TOKENIZER_CONFIG:
                digests[name] = _digest_of(read_object(file) | dict.fromkeys(_ORIGIN))
    return digests


def _digest_of(value: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def load(folder: Path) -> Parts:
    """Read a saved model.

    Raises:
        ModelError: The folder is no model, or a part is missing, damaged or of another model.
    """
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    settle(folder)
    card = _card(folder)
    _verify(folder)
    options = {"local_files_only": True, "trust_remote_code": False}
    with _naming(f"{folder / ENCODER / 'config.json'}"):
        config = AutoConfig.from_pretrained(folder / ENCODER, **options)
        encoder = AutoModel.from_config(config, trust_remote_code=False)
    where = f"{folder / TOKENIZER / _TOKENIZER_CONFIG} or tokenizer.json"
    with _naming(where):
        tokenizer = AutoTokenizer.from_pretrained(folder / TOKENIZER, **options)
        _try_out(tokenizer)
    with _naming(f"{folder / CARD}"):
        model = StudentModel(encoder, card.student, card.labels, _neutral(tokenizer, encoder, where))
    _fill(model, folder / WEIGHTS)
    return Parts(model, tokenizer, card, reads(config))


@contextmanager
def _naming(where: str) -> Iterator[None]:
    """Name the files where transformers fails, in any way, because JSON is not what it expects."""
    try:
        yield
    except CotpdError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if "trust_remote_code" in str(error):
            reason = "it names code of its own (auto_map), which is never run"
        raise ModelError(f"{where}: incomplete or damaged: {reason}", _REMEDY) from None


def _try_out(tokenizer: "PreTrainedTokenizerBase") -> None:
    """Fail where a tokenizer is read, not at the first post: a wrong value may show only in use."""
    ids = {name: getattr(tokenizer, f"{name}_token_id") for name in (*SPECIAL_TOKENS, "mask", "unk")}
    missing = [name for name in SPECIAL_TOKENS if ids[name] is None]
    if missing:
        raise ValueError(f"there is no {' and no '.join(missing)} token")
    tokenizer(["a"], add_special_tokens=False, split_special_tokens=True)


def digest(model: StudentModel) -> str:
    """A digest of a model's weights."""
    from safetensors.torch import save

    return hashlib.sha256(save(model.state_dict())).hexdigest()


def adopt(model: StudentModel, trained: StudentModel) -> None:
    """Begin with the weights of a trained model; a prompt generator that it lacks stays fresh.

    Raises:
        ModelError: It has another encoder or inventory.
    """
    remedy = "Begin with one of the same encoder, data and task."
    if trained.labels != model.labels:
        raise ModelError("the model to begin with knows other types or labels", remedy)
    try:
        missing, unexpected = model.load_state_dict(trained.state_dict(), strict=False)
    except RuntimeError:
        raise ModelError("the model to begin with has an encoder of other sizes", remedy) from None
    if unexpected or any(not name.startswith("generator.") for name in missing):
        raise ModelError("the model to begin with has another architecture", remedy)


def _card(folder: Path) -> Card:
    try:
        return Card.model_validate_json((folder / CARD).read_text("utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"{folder}: no model here ({CARD} is missing)",
            "Name a folder that training wrote, such as models/student.",
        ) from None
    except (ValidationError, UnicodeDecodeError, OSError) as error:
        what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ModelError(f"{folder / CARD}: damaged, or of another version: {what}", _REMEDY) from None


def read_object(file: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ModelError: It is not UTF-8, not JSON or no object; the message names the file.
    """
    try:
        value = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{file}: incomplete or damaged: not JSON: {reason}", _REMEDY) from None
    if not isinstance(value, dict):
        raise ModelError(f"{file}: incomplete or damaged: no JSON object", _REMEDY)
    return value


def _verify(folder: Path) -> None:
    """Compare the parts with those that the weights were written with, where they name any."""
    weights = folder / WEIGHTS
    for file in (file for part in (ENCODER, TOKENIZER) for file in sorted((folder / part).rglob("*.json"))):
        read_object(file)
    try:
        with safe_open(weights, "pt") as opened:
            parts = dict(json.loads((opened.metadata() or {}).get(_PARTS, "{}")))
        found = _digests(folder)
    except FileNotFoundError:
        raise ModelError(f"{weights}: missing", _REMEDY) from None
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise ModelError(f"{weights}: damaged: {error}", _REMEDY) from None
    for name, digest in parts.items():
        if name not in found:
            raise ModelError(f"{folder}: incomplete: {name} is missing", _REMEDY)
        if found[name] != digest and not (name.endswith(_TOKENIZER_CONFIG) and digest == _ONLY_THERE):
            raise ModelError(
                f"{folder / name}: changed since training, or of another model than {WEIGHTS}", _REMEDY
            )


def _fill(model: StudentModel, weights: Path) -> None:
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Any] = load_file(weights)
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelError(f"{weights}: of another model: {str(error).splitlines()[-1].strip()}", _REMEDY) from None
