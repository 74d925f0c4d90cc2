"""Weights by name: the models of the catalogue, fetched once and checked byte for byte."""

from pathlib import Path

from cotpd.weights.cache import cached, fetch
from cotpd.weights.catalogue import cache_folder, catalogue, find, known

__all__ = ["cache_folder", "cached", "catalogue", "fetch", "find", "known", "resolve"]


def resolve(name: str, *, progress: bool = True) -> Path | str:
    """Where a model lies, fetching it first if it is catalogued and not yet in the cache.

    Returns:
        A folder as it is; a catalogued model's folder, or its file if it has only one; any other name unchanged,
        for transformers to look up on the hub.

    Raises:
        ModelError: It is catalogued and cannot be had.
    """
    if Path(name).is_dir():
        return Path(name)
    model = find(name)
    return fetch(model, progress=progress) if model else name
