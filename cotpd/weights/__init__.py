"""Weights by name: the models of the catalogue, fetched once and checked byte for byte."""

from pathlib import Path

from cotpd.weights.cache import fetch, find_cached
from cotpd.weights.catalogue import find_cache_folder, find_model, get_model, read_catalogue

__all__ = ["fetch", "find_cache_folder", "find_cached", "find_model", "get_model", "read_catalogue", "resolve"]


def resolve(name: str, *, progress: bool = True) -> Path | str:
    """Return where a model lies, fetching it first if it is catalogued and not yet in the cache.

    Returns:
        A folder as it is; a catalogued model's folder, or its file if it has only one; any other name unchanged,
        for transformers to look up on the hub.

    Raises:
        ModelError: It is catalogued and cannot be had.
    """
    if Path(name).is_dir():
        return Path(name)
    model = find_model(name)
    return fetch(model, progress=progress) if model else name
