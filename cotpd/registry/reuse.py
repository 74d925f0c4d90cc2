"""The version that was registered from the very same outputs before, so that going back makes it current again."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from cotpd.errors import ModelError
from cotpd.files import compute_sha256
from cotpd.registry.aliases import set_alias
from cotpd.registry.leftovers import clear_leftovers
from cotpd.registry.model_address import find_student_folder
from cotpd.registry.new_version import RegisteredVersion
from cotpd.registry.pack import PACKAGE
from cotpd.registry.params import RegisterParams
from cotpd.registry.tracking_store import REACHABLE, connect, explain_errors, get_or_create_experiment

MADE_FROM = "cotpd.made_from"  # the tag that names the inputs of a version


def digest_inputs(task: str, store: RegisterParams, paths: Iterable[Path]) -> str:
    """Return a digest of what stage register depends on: its parameters, files and folders, and its code."""
    digest = hashlib.sha256(f"{task} {store.model_dump_json()}".encode())
    for path in (*paths, PACKAGE / "registry"):
        files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
        for file in files:
            if "__pycache__" not in file.parts:
                digest.update(f"\0{file.relative_to(path.parent).as_posix()}\0".encode())
                digest.update(bytes.fromhex(compute_sha256(file)))
    return digest.hexdigest()


def reuse_version(
    name: str, made_from: str, store: RegisterParams, root: Path = Path()
) -> RegisteredVersion | None:
    """Give the alias to a model's latest version made from the same inputs.

    Returns:
        The version; None if no such version is left with all its files.

    Raises:
        ModelError: The registry cannot be reached.
    """
    client = connect(store, root, create=True)
    with explain_errors(f"model {name}", REACHABLE):
        clear_leftovers(client, get_or_create_experiment(client, store.experiment))
        versions = client.search_model_versions(f"name = '{name}' and tags.`{MADE_FROM}` = '{made_from}'")

    for version in sorted(versions, key=lambda version: int(version.version), reverse=True):
        number = int(version.version)
        try:
            find_student_folder(f"models:/{name}/{number}", store, root)
        except ModelError:
            continue
        set_alias(client, name, store.alias, number)
        return RegisteredVersion(name, number, store.alias, f"models:/{name}@{store.alias}", version.run_id or "")
    return None
