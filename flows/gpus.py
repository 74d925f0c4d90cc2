"""Which GPUs there are, asked of the driver: importing torch takes longer than a run with nothing to do."""

import os
import shutil
import subprocess


def list_gpus() -> list[str]:
    """Return the GPUs' names for CUDA_VISIBLE_DEVICES; none without a driver."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip()]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(number) for number, line in enumerate(listed.splitlines()) if line.startswith("GPU ")]
