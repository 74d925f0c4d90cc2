"""The cache of models: a folder appears in it whole and checked, or not at all."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from cotpd.errors import ModelError
from cotpd.progress import Progress
from cotpd.storage import report_full_disk
from cotpd.weights.catalogue import File, Model, cache_folder
from cotpd.weights.sources import SourceError, from_hub, from_mirror

_BLOCK = 1 << 20
_SOURCES = {"the hub": from_hub, "its mirror": from_mirror}


def cached(model: Model) -> Path | None:
    """The model in the cache, a file if it is one and else a folder; None if it is not there."""
    folder = cache_folder() / model.name
    if not all((folder / name).is_file() for name in model.kept):
        return None
    return folder / model.kept[0] if len(model.kept) == 1 else folder


def fetch(model: Model, *, progress: bool = True) -> Path:
    """Bring a model into the cache, unless it is there, and return where it lies.

    Two processes may fetch at once: the second waits for the first and finds its work done.

    Raises:
        ModelError: No source delivered the pinned bytes, or the cache cannot be written; nothing is left behind.
    """
    from filelock import FileLock

    if found := cached(model):
        return found
    if os.environ.get("COTPD_OFFLINE", "0").lower() not in ("", "0", "false", "no"):
        raise ModelError(f"{model.name} is not in {cache_folder()}", "COTPD_OFFLINE is set: unset it to fetch.")
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        with FileLock(cache_folder() / f"{model.name}.lock"):
            return cached(model) or _fetch(model, progress)
    except OSError as error:
        raise ModelError(
            f"{model.name} cannot be kept in {cache_folder()}: {error.strerror}",
            "Name a folder that you may write, with room for it, in COTPD_CACHE.",
        ) from None


def _fetch(model: Model, progress: bool) -> Path:
    problems = []
    for source, deliver in _SOURCES.items():
        with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=f"{model.name}.") as scratch:
            folder = Path(scratch) / model.name
            folder.mkdir()
            try:
                with Progress(f"{model.name} from {source}", model.size, show=progress, in_bytes=True) as bar:
                    deliver(model, folder, bar)
                _verify(model.files, folder)
            except SourceError as error:
                problems.append(f"{source}: {error}")
                continue
            _convert(model, folder)
            _put_in_place(folder, cache_folder() / model.name)
        return cached(model) or folder
    raise ModelError(
        f"{model.name} cannot be had: " + "; ".join(problems),
        f"Put its files ({', '.join(model.kept)}) into {cache_folder() / model.name}, or name another model.",
    )


def _verify(files: tuple[File, ...], folder: Path) -> None:
    for file in files:
        found = sha256_of(folder / file.name)
        if found != file.sha256:
            raise SourceError(f"{file.name} has other bytes than pinned (sha256 {found})")


def sha256_of(path: Path) -> str:
    """Sha256 of a file, in hex."""
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def _convert(model: Model, folder: Path) -> None:
    """Turn the PyTorch file into safetensors, so that what is kept can hold no code."""
    if not model.convert:
        return
    import torch
    from safetensors.torch import save_file

    source = folder / model.files[0].name
    weights = torch.load(source, map_location="cpu", weights_only=True)
    with report_full_disk(folder / model.convert):
        save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / model.convert)
    source.unlink()


def _put_in_place(folder: Path, target: Path) -> None:
    if target.exists():  # an incomplete one: somebody deleted a file
        shutil.rmtree(target)
    folder.replace(target)
