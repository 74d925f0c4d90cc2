"""Whether a worker would compute the same bytes: the code and the packages that results depend on.

Ray compares the versions of Python and of itself. The other packages, and an edit of this one's code that was not
copied to a machine, would only show as different results.
"""

import hashlib
import platform
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cotpd
from cotpd.errors import ConfigError

_PACKAGES = "numpy torch transformers tokenizers safetensors onnxruntime pillow rapidocr efficientnet-lite-pytorch"
_CODE = "code of cotpd"


@dataclass(frozen=True)
class DriverEnvironment:
    """The code and the packages of the driver, which every worker must have, too.

    Attributes:
        host: The name of the driver's machine.
        folder: The driver's working directory.
        versions: By package, the installed version; by ``_CODE`` the digest of its files.
    """

    host: str
    folder: str
    versions: Mapping[str, str]

    @classmethod
    def describe(cls) -> "DriverEnvironment":
        """Describe this process."""
        return cls(socket.gethostname(), str(Path.cwd()), read_versions())

    def require_same(self, versions: Mapping[str, str]) -> None:
        """Refuse a worker whose code or packages differ; a package that either side lacks is no difference.

        Raises:
            ConfigError: They differ; the message names the machine, the package and both versions.
        """
        for name, expected in self.versions.items():
            installed = versions.get(name, expected)
            if installed != expected:
                host = socket.gethostname()
                raise ConfigError(
                    f"the Ray node {host} has {name} {installed}, and {self.host}, which started this, {expected}",
                    f"Install the same on every node: on {self.host}, pip freeze says what.",
                )


def read_versions() -> dict[str, str]:
    """Return the version of each package that results depend on, and the digest of this one's files."""
    versions = {"Python": platform.python_version(), _CODE: compute_code_digest(Path(cotpd.__file__).parent)[:12]}
    for name in _PACKAGES.split():
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue  # of an extra; if a shard needs it, its import says so
    return versions


def compute_code_digest(package: Path) -> str:
    """Return the SHA-256 of a package's files: modules, prompts, and the catalogue of weights."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.relative_to(package).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
