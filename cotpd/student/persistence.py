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
from typing import TYPE_CHECKING, Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file, save, save_file

from cotpd.errors import CotpdError, ModelError
from cotpd.storage import report_full_disk
from cotpd.student.card import Card, read_card
from cotpd.student.fast_tokenizer import FastTokenizer
from cotpd.student.folder_digests import (
    CARD,
    ENCODER,
    PARTS,
    REMEDY,
    TOKENIZER,
    TOKENIZER_CONFIG,
    WEIGHTS,
    compute_part_digests,
    read_object,
    verify_parts,
)
from cotpd.student.folders import make_partial_folder, recover_interrupted_swap, replace_folder
from cotpd.student.labels import LabelSet
from cotpd.student.model import StudentModel
from cotpd.student.params import StudentParams
from cotpd.student.plain_encoder import PlainEncoder, read_config, rename_weights
from cotpd.student.shortening import shorten_encoder
from cotpd.student.views import SPECIAL_TOKENS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Parts(NamedTuple):
    """The parts of a saved student; ``reads`` is the most positions that its encoder reads."""

    model: StudentModel
    tokenizer: "PreTrainedTokenizerBase | FastTokenizer"
    card: Card
    reads: int


def build_model(params: StudentParams, labels: LabelSet) -> tuple[StudentModel, "PreTrainedTokenizerBase", int]:
    """Return a model with a pretrained encoder and a fresh head, its tokenizer, and the most positions it reads.

    Raises:
        ModelError: The encoder cannot be loaded or is not a text encoder.
        ConfigError: It has fewer layers than ``params.layers``, or cannot be shortened.
    """
    from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415  takes seconds to import

    source = resolve_encoder(params.encoder)
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
    encoder = shorten_encoder(encoder, params.layers, params.encoder)
    neutral = _find_neutral_token(tokenizer, encoder, f"encoder {params.encoder}")
    return StudentModel(encoder, params, labels, neutral), tokenizer, count_positions(encoder.config)


# families that number positions from the padding token's id on, and so have fewer of them
_OFFSET_FAMILIES = {"roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl", "longformer"}


def count_positions(config: Any) -> int:
    """Return the most positions that an encoder reads; 2**20 if its configuration states no limit."""
    limit: int = getattr(config, "max_position_embeddings", None) or 1 << 20
    offset: int = (config.pad_token_id or 0) + 1 if config.model_type in _OFFSET_FAMILIES else 0
    return limit - offset


def resolve_encoder(name: str) -> str:
    """Return the folder or hub name of an encoder's weights; a catalogued one is downloaded to the cache.

    Raises:
        ModelError: The weights are neither cached nor reachable.
    """
    if Path(name).is_dir():
        return name
    # it needs filelock, which the environment of a registered version lacks
    from cotpd.weights import resolve  # noqa: PLC0415

    return str(resolve(name))


def _find_neutral_token(tokenizer: "PreTrainedTokenizerBase | FastTokenizer", encoder: Any, where: str) -> int:
    """Return the id of the token that prompts and markers start from: mask, or cls where there is none.

    Raises:
        ModelError: The tokenizer has more tokens than the encoder has embeddings.
    """
    rows = encoder.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise ModelError(
            f"{where}: its tokenizer knows {len(tokenizer)} tokens and its weights {rows}: they are of two models",
            "Fetch the whole folder again.",
        )
    neutral: Any = tokenizer.mask_token_id if tokenizer.mask_token_id is not None else tokenizer.cls_token_id
    return int(neutral)


def save_model(
    folder: Path,
    model: StudentModel,
    tokenizer: "PreTrainedTokenizerBase",
    card: Card,
    extra: dict[str, str] | None = None,
) -> None:
    """Write a model into a folder, through a folder beside it, so that a kill leaves the old one or the new.

    Args:
        folder: Replaced if it exists.
        model: Whose weights are written.
        tokenizer: The encoder's.
        card: How to build the model again.
        extra: Further text files, content by name.

    Raises:
        StorageError: The disk is full; the old folder is left as it was.
    """
    partial = make_partial_folder(folder)
    with report_full_disk(folder, partial):
        _write_parts(partial, model, tokenizer, card)
        for name, content in (extra or {}).items():
            (partial / name).write_text(content, "utf-8")
    replace_folder(partial, folder)


def _write_parts(partial: Path, model: StudentModel, tokenizer: "PreTrainedTokenizerBase", card: Card) -> None:
    """Write card, encoder configuration, tokenizer and weights into a folder."""
    (partial / CARD).write_text(json.dumps(card.model_dump(mode="json"), indent=2) + "\n", "utf-8")
    model.encoder.config.save_pretrained(partial / ENCODER)
    tokenizer.save_pretrained(partial / TOKENIZER)
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, partial / WEIGHTS, metadata={PARTS: json.dumps(compute_part_digests(partial))})
    shutil.copymode(partial / CARD, partial / WEIGHTS)  # safetensors lets no other user read the file


def load_model(folder: Path, *, only_predicts: bool = False) -> Parts:
    """Read a saved model; no code in the folder is run.

    Args:
        folder: As :func:`save_model` writes it.
        only_predicts: Whether to build the encoder without transformers if its family allows, which loads in a
            fraction of the time; such a model can be neither saved nor exported.

    Raises:
        ModelError: The folder holds no model, or a part is missing, damaged or of another model.
    """
    recover_interrupted_swap(folder)
    card = read_card(folder)
    verify_parts(folder)
    plain = build_plain_parts(folder) if only_predicts else None
    encoder, tokenizer = plain or _build_with_transformers(folder)
    where = f"{folder / TOKENIZER / TOKENIZER_CONFIG} or tokenizer.json"
    with _name_damaged(f"{folder / CARD}"):
        model = StudentModel(encoder, card.student, card.labels, _find_neutral_token(tokenizer, encoder, where))
    _load_weights(model, folder / WEIGHTS, is_plain=plain is not None)
    return Parts(model, tokenizer, card, count_positions(encoder.config))


def build_plain_parts(folder: Path) -> tuple[Any, FastTokenizer] | None:
    """Build an encoder without weights and its tokenizer, both without transformers; None if they need it."""
    file = folder / ENCODER / "config.json"
    config = read_config(read_object(file)) if file.is_file() else None
    tokenizer = None if config is None else FastTokenizer.from_saved(folder / TOKENIZER)
    if config is None or tokenizer is None:
        return None
    return PlainEncoder(config), tokenizer


def _build_with_transformers(folder: Path) -> tuple[Any, "PreTrainedTokenizerBase"]:
    """Build a fresh encoder of any family, and its tokenizer.

    Raises:
        ModelError: A file is missing or damaged.
    """
    from transformers import AutoConfig, AutoModel, AutoTokenizer  # noqa: PLC0415  takes seconds to import

    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    with _name_damaged(f"{folder / ENCODER / 'config.json'}"):
        config = AutoConfig.from_pretrained(folder / ENCODER, **options)
        encoder: Any = AutoModel.from_config(config, trust_remote_code=False)
    with _name_damaged(f"{folder / TOKENIZER / TOKENIZER_CONFIG} or tokenizer.json"):
        tokenizer = AutoTokenizer.from_pretrained(folder / TOKENIZER, **options)
        _try_tokenizer(tokenizer)
    return encoder, tokenizer


@contextmanager
def _name_damaged(where: str) -> Iterator[None]:
    """Turn any error into a ModelError that names the files: transformers raises all kinds on unexpected JSON."""
    try:
        yield
    except CotpdError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if "trust_remote_code" in str(error):
            reason = "it names code of its own (auto_map), which is never run"
        raise ModelError(f"{where}: incomplete or damaged: {reason}", REMEDY) from None


def _try_tokenizer(tokenizer: "PreTrainedTokenizerBase") -> None:
    """Fail when a tokenizer is loaded, not at the first post: some wrong values show only in use.

    Raises:
        ValueError: A special token is missing.
    """
    ids = {name: getattr(tokenizer, f"{name}_token_id") for name in (*SPECIAL_TOKENS, "mask", "unk")}
    missing = [name for name in SPECIAL_TOKENS if ids[name] is None]
    if missing:
        raise ValueError(f"there is no {' and no '.join(missing)} token")
    tokenizer(["a"], add_special_tokens=False, split_special_tokens=True)


def digest_weights(model: StudentModel) -> str:
    """Return the sha256 of a model's weights, as text."""
    return hashlib.sha256(save(model.state_dict())).hexdigest()


def copy_weights(model: StudentModel, trained: StudentModel) -> None:
    """Copy a trained model's weights into a new model; a prompt generator that the trained one lacks stays fresh.

    Raises:
        ModelError: The trained model has another encoder, architecture or inventory.
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


def _load_weights(model: StudentModel, weights: Path, *, is_plain: bool) -> None:
    """Load a weights file into a model; a plain encoder has other names for some.

    Raises:
        ModelError: The file's tensors are not those of the model.
    """
    try:
        tensors = load_file(weights)
        model.load_state_dict(rename_weights(tensors) if is_plain else tensors)
    except RuntimeError as error:
        raise ModelError(f"{weights}: of another model: {str(error).splitlines()[-1].strip()}", REMEDY) from None
