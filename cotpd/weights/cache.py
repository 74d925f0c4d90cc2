"""The cache of models: a folder appears in it whole and checked, or not at all."""

import os
import shutil
import tempfile
from pathlib import Path

from filelock import FileLock

from cotpd.errors import ModelError
from cotpd.files import compute_sha256
from cotpd.progress import Progress
from cotpd.storage import report_full_disk
from cotpd.weights.catalogue import File, Model, find_cache_folder
from cotpd.weights.sources import SourceError, fetch_from_hub, fetch_from_mirror

_SOURCES = {"the hub": fetch_from_hub, "its mirror": fetch_from_mirror}


def find_cached(model: Model) -> Path | None:
    """Return a model's place in the cache, a folder, or its file if it has only one; None if it is not there."""
    folder = find_cache_folder() / model.name
    if not all((folder / name).is_file() for name in model.cached_names):
        return None
    return folder / model.cached_names[0] if len(model.cached_names) == 1 else folder


def fetch(model: Model, *, progress: bool = True) -> Path:
    """Bring a model into the cache, unless it is there, and return its place as :func:`find_cached` does.

    Two processes may fetch at once: the second waits for the first and then reads the cache.

    Raises:
        ModelError: No source delivered the pinned bytes, or the cache cannot be written; nothing is left behind.
    """
    path = find_cached(model)
    if path is not None:
        return path
    cache = find_cache_folder()
    if os.environ.get("COTPD_OFFLINE", "0").lower() not in ("", "0", "false", "no"):
        raise ModelError(f"{model.name} is not in {cache}", "COTPD_OFFLINE is set: unset it to fetch.")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{model.name}.lock"):
            return find_cached(model) or _fetch_from_any(model, progress)
    except OSError as error:
        raise ModelError(
            f"{model.name} cannot be kept in {cache}: {error.strerror}",
            "Name a folder that you may write, with room for it, in COTPD_CACHE.",
        ) from None


def _fetch_from_any(model: Model, progress: bool) -> Path:
    """Fetch a model from the first source that delivers the pinned bytes."""
    problems = []
    target = find_cache_folder() / model.name
    for source, deliver in _SOURCES.items():
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{model.name}.") as scratch:
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
            _move_into_cache(folder, target)
        return find_cached(model) or target

    raise ModelError(
        f"{model.name} cannot be had: " + "; ".join(problems),
        f"Put its files ({', '.join(model.cached_names)}) into {target}, or name another model.",
    )


def _verify(files: tuple[File, ...], folder: Path) -> None:
    for file in files:
        digest = compute_sha256(folder / file.name)
        if digest != file.sha256:
            raise SourceError(f"{file.name} has other bytes than pinned (sha256 {digest})")


def _convert(model: Model, folder: Path) -> None:
    """Turn a PyTorch file, which may hold code, into safetensors, which cannot."""
    if not model.convert:
        return
    import torch  # noqa: PLC0415  takes seconds, and most models come as safetensors
    from safetensors.torch import save_file  # noqa: PLC0415  takes seconds, and most models come as safetensors

    source = folder / model.files[0].name
    weights = torch.load(source, map_location="cpu", weights_only=True)
    with report_full_disk(folder / model.convert):
        save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / model.convert)
    source.unlink()


def _move_into_cache(folder: Path, target: Path) -> None:
    if target.exists():  # an incomplete one, from which a user deleted a file
        shutil.rmtree(target)
    folder.replace(target)
