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
    """Base of the catalogue's parts: immutable, unknown keys refused."""

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
    def kept(self) -> tuple[str, ...]:
        """Names of the files that end up in the cache."""
        return (self.convert,) if self.convert else tuple(file.name for file in self.files)


@cache
def catalogue(path: Path = CATALOG) -> dict[str, Model]:
    """All models by name."""
    entries = yaml.safe_load(path.read_text("utf-8"))
    return {name: Model(name=name, **entry) for name, entry in entries.items()}


def find(name: str) -> Model | None:
    """The model of this catalogued name, or of this name on the hub."""
    models = catalogue()
    return models.get(name) or next(
        (model for model in models.values() if model.hub and model.hub.repo == name), None
    )


def known(name: str) -> Model:
    """Like :func:`find`, but raises ModelError with the nearest name."""
    if model := find(name):
        return model
    near = difflib.get_close_matches(name, catalogue(), 1)
    raise ModelError(
        f"{name}: there is no such model in the catalogue" + (f"; did you mean {near[0]}?" if near else ""),
        "`cotpd models list` shows them.",
    )


def cache_folder() -> Path:
    """Where models are kept: COTPD_CACHE, or ~/.cache/cotpd."""
    return Path(os.environ.get("COTPD_CACHE") or "~/.cache/cotpd").expanduser()
