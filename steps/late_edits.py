"""Whether an input of a stage was edited after its step had ended, and before DVC hashed it.

DVC hashes the inputs about a second after the step's last look at them. An edit in between would pass for what
the outputs were made from. So the step leaves a record of its inputs, which the flow compares as soon as DVC has
ended, and the next step of a `dvc repro` as it begins.

Trade-off: the last step of a `dvc repro` is not compared: no process of ours runs behind it.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cotpd.errors import ConfigError
from cotpd.files import write_atomically
from steps.stage_inputs import StageInputs, read_stage_inputs

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import Stage

FOLDER = Path(".dvc/tmp/cotpd-inputs")  # DVC has git ignore its folder
_SHOWN = 5  # edited inputs that an error names


def write_input_record(stage: str, inputs: StageInputs, dvc: str, root: Path = Path()) -> None:
    """Write with which inputs a stage's step began, and which DVC ran it."""
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    record = {"stage": stage, "dvc": dvc, "files": inputs.files, "params": inputs.params}
    with write_atomically(_locate(stage, root)) as partial:
        partial.write_text(json.dumps(record, default=str), "utf-8")


def list_recorded_stages(dvc: str, root: Path = Path()) -> list[str]:
    """Return the stages that one DVC has run and that nobody has compared since."""
    records = [_read_record(path) for path in sorted((root / FOLDER).glob("*.json"))]
    return [record["stage"] for record in records if record and dvc and record["dvc"] == dvc]


def drop_input_record(stage: str, root: Path = Path()) -> None:
    """Forget with which inputs an earlier run of a stage began.

    Where DVC takes the outputs from its run cache no step begins and writes another record. The edits since that
    earlier run would then pass for late ones.
    """
    _locate(stage, root).unlink(missing_ok=True)


def refuse_late_edit(stage: str, root: Path = Path(), wait: Callable[[str], object] = lambda _: None) -> None:
    """Take a stage's record; if DVC has hashed inputs that its step did not read, make it forget the stage.

    Args:
        stage: The stage, which DVC has just run.
        root: The project's folder.
        wait: Is called with the reason of a wait, again and again.

    Raises:
        ConfigError: DVC had; the message names what was edited.
    """
    path = _locate(stage, root)
    record = _read_record(path)
    path.unlink(missing_ok=True)
    later = read_stage_inputs(stage, root)
    changes = _list_changes(record, later) if record and later else []
    if changes and _forget_if_current(stage, root, wait):
        raise ConfigError(
            f"{stage}: edited as it ended: {', '.join(changes[:_SHOWN])}",
            "Run again: DVC had recorded the edit as what the outputs were made from, and has forgotten it.",
        )


def _locate(stage: str, root: Path) -> Path:
    return root / FOLDER / f"{stage.replace('/', '-')}.json"


def _read_record(path: Path) -> dict[str, Any] | None:
    """Return a record; None if there is none that can be read."""
    try:
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and {"stage", "dvc", "files", "params"} <= record.keys() else None


def _list_changes(record: dict[str, Any], later: StageInputs) -> list[str]:
    files = {name: tuple(stamp) for name, stamp in record["files"].items()}
    params = json.loads(json.dumps(later.params, default=str))  # as the record's have become
    return StageInputs(files, record["params"]).list_changes(StageInputs(later.files, params))


def _forget_if_current(name: str, root: Path, wait: Callable[[str], object]) -> bool:
    """Remove a stage from dvc.lock and the run cache if DVC takes its edited inputs for the recorded ones."""
    from steps.graph import name_stage, open_locked  # noqa: PLC0415  DVC takes long to import, and an edit is rare

    with open_locked(root, wait) as repo:
        stages = [stage for stage in repo.index.stages if name_stage(stage) == name]
        is_current = bool(stages) and not any(dep.status() for dep in stages[0].deps)
        if is_current:
            _remove_from_run_cache(repo, stages[0])
            stages[0].dvcfile._lockfile.remove_stage(stages[0])  # noqa: SLF001  DVC has no public way
        return is_current


def _remove_from_run_cache(repo: "Repo", stage: "Stage") -> None:
    """Remove the entry that would bring the outputs back for the edited inputs."""
    from dvc.stage.cache import _can_hash, _get_stage_hash  # noqa: PLC0415  as above

    if _can_hash(stage):
        key = _get_stage_hash(stage)
        # with its folder: an empty one is an error to DVC
        shutil.rmtree(Path(repo.stage_cache.cache_dir, key[:2], key), ignore_errors=True)
