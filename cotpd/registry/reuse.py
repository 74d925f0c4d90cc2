"""The version that was registered from the very same outputs before, so that going back makes it current again."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from cotpd.config import Params
from cotpd.errors import ModelError
from cotpd.registry.aliases import set_alias
from cotpd.registry.leftovers import clear_leftovers
from cotpd.registry.model_address import find_student_folder
from cotpd.registry.pack import PACKAGE, Registered
from cotpd.registry.tracking_store import REACHABLE, connect, explained
from cotpd.student.curves import get_or_create_experiment

MADE_FROM = "cotpd.made_from"  # the tag that names the inputs of a version


def digest_inputs(params: Params, paths: Iterable[Path]) -> str:
    """Compute a digest of what stage register depends on: its parameters, files and folders, and its code."""
    digest = hashlib.sha256(f"{params.task} {params.register_.model_dump_json()}".encode())
    for path in (*paths, PACKAGE / "registry"):
        files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
        for file in files:
            if "__pycache__" not in file.parts:
                digest.update(f"\0{file.relative_to(path.parent).as_posix()}\0".encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def reuse_version(params: Params, made_from: str, root: Path = Path()) -> Registered | None:
    """Give the alias to the latest version made from the same inputs; None if there is none whose files are there.

    Raises:
        ModelError: The registry cannot be reached.
    """
    name, alias = params.registered_name, params.register_.alias
    client = connect(params.register_, root, create=True)
    with explained(f"model {name}", REACHABLE):
        clear_leftovers(client, get_or_create_experiment(client, params.register_.experiment))
        versions = client.search_model_versions(f"name = '{name}' and tags.`{MADE_FROM}` = '{made_from}'")
    for version in sorted(versions, key=lambda version: int(version.version), reverse=True):
        number = int(version.version)
        try:
            find_student_folder(f"models:/{name}/{number}", params.register_, root)
        except ModelError:
            continue
        set_alias(client, name, alias, number)
        return Registered(name, number, alias, f"models:/{name}@{alias}", version.run_id or "")
    return None
