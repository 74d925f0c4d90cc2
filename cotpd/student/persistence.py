"""A model on disk: safetensors, JSON and the tokenizer's own files, nothing that runs.

Trade-off: the encoder's configuration is kept beside the weights, so that a saved model does not depend on where
its encoder came from; it is some kilobytes larger for that.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field, ValidationError
from safetensors import SafetensorError, safe_open

from cotpd.config import StudentParams
from cotpd.data.records import Record
from cotpd.errors import ModelError
from cotpd.student.folders import part_of, replace, settle
from cotpd.student.labels import LabelSet
from cotpd.student.model import StudentModel
from cotpd.student.views import View

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

CARD, WEIGHTS = "student.json", "model.safetensors"
ENCODER, TOKENIZER = "encoder", "tokenizer"  # folders
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
        tokenizer = AutoTokenizer.from_pretrained(source)
        encoder = AutoModel.from_pretrained(source, dtype="float32")
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
    from safetensors.torch import save_file

    partial = part_of(folder)
    (partial / CARD).write_text(json.dumps(card.model_dump(mode="json"), indent=2) + "\n", "utf-8")
    model.encoder.config.save_pretrained(partial / ENCODER)
    tokenizer.save_pretrained(partial / TOKENIZER)
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, partial / WEIGHTS, metadata={_PARTS: json.dumps(_digests(partial))})
    shutil.copymode(partial / CARD, partial / WEIGHTS)  # safetensors writes for its owner's eyes alone
    for name, content in (extra or {}).items():
        (partial / name).write_text(content, "utf-8")
    replace(partial, folder)


def _digests(folder: Path) -> dict[str, str]:
    """What weights mean nothing without, by name: inventory, architecture, encoder and tokenizer.

    The encoder's name and the temperature may change afterwards; tokenizer_config.json says where it was read
    from, so it only has to be there.
    """
    card = json.loads((folder / CARD).read_text("utf-8"))
    fixed = card | {"temperature": None, "student": card["student"] | {"encoder": None}}
    found = {CARD: hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()}
    for part in (ENCODER, TOKENIZER):
        for file in sorted(path for path in (folder / part).rglob("*") if path.is_file()):
            content = b"" if file.name == "tokenizer_config.json" else file.read_bytes()
            found[file.relative_to(folder).as_posix()] = hashlib.sha256(content).hexdigest()
    return found


def load(folder: Path) -> Parts:
    """Read a saved model.

    Raises:
        ModelError: The folder is no model, or a part is missing, damaged or of another model.
    """
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    settle(folder)
    card = _card(folder)
    _verify(folder)
    try:
        config = AutoConfig.from_pretrained(folder / ENCODER, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(folder / TOKENIZER, local_files_only=True)
    except Exception as error:  # transformers fails in any way where JSON is not what it expects
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{folder}: incomplete or damaged: {reason}", _REMEDY) from None
    encoder = AutoModel.from_config(config)
    model = StudentModel(encoder, card.student, card.labels, _neutral(tokenizer, encoder, str(folder)))
    _fill(model, folder / WEIGHTS)
    return Parts(model, tokenizer, card, reads(config))


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


def _verify(folder: Path) -> None:
    """Compare the parts with those that the weights were written with, where they name any."""
    weights = folder / WEIGHTS
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
        if found[name] != digest:
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
