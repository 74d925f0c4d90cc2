"""Commands as the user's own shell takes them."""

import os
import shlex
import shutil
import sys
from pathlib import Path


def name_command() -> str:
    """Return what a user can paste to start `cotpd`.

    That is the path of its script in a virtual environment that is not activated: `make` puts the environment on
    the path of its own commands only.
    """
    script = Path(sys.prefix) / ("Scripts/cotpd.exe" if os.name == "nt" else "bin/cotpd")
    is_activated = os.environ.get("VIRTUAL_ENV") == sys.prefix or sys.prefix == sys.base_prefix
    on_path = shutil.which("cotpd")
    is_linked = on_path is not None and Path(on_path).parent != script.parent  # such as by pipx
    if is_activated or is_linked or not script.is_file():
        return "cotpd"
    here = Path.cwd()
    return shlex.quote(str(script.relative_to(here) if script.is_relative_to(here) else script))


def activate_first(command: str) -> str:
    """Return a command that works in the user's shell: after activating this environment, if it is not active.

    DVC's stages start whatever `python` comes first on the path.
    """
    script = Path(sys.prefix) / "bin" / "activate"
    on_path = shutil.which("dvc")
    is_active = on_path is not None and Path(on_path).parent == script.parent
    return command if is_active or not script.is_file() else f". {shlex.quote(str(script))} && {command}"
