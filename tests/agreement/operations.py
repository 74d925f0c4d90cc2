"""What teams do between two runs, each drawn by a seed: edits, damage, git, DVC, and kills."""

import os
import random
import shutil
import sys
from collections.abc import Callable

import numpy as np
from safetensors.numpy import load_file, save_file

from cotpd.cli.params_editor import write_values
from tests.agreement.doors import DOORS, VICTIMS, OpenDoor, run_and_kill
from tests.agreement.project import Project
from tests.builders import read_jsonl, write_jsonl

Operation = Callable[[Project, random.Random], str]
_CODE = ("steps/validate.py", "steps/train.py", "steps/ask.py", "cotpd/student/batches.py")
_VALUES = [
    ("train", {"learning_rate": 1e-3}),
    ("train", {"learning_rate": 1e-4}),
    ("ask", {"max_tokens": 32}),
    ("ask", {"max_tokens": 64}),
    ("teach", {"count": 2}),
    ("teach", {"count": 1}),
    ("distil", {"way": "joint"}),
    ("distil", {"way": "frozen"}),
]


def edit_parameter(project: Project, draw: random.Random) -> str:
    section, values = draw.choice(_VALUES)
    write_values(project.root / "params.yaml", {section: values})
    return f"{section} {values}"


def edit_prompt(project: Project, draw: random.Random) -> str:
    path = project.root / "cotpd/prompts/default" / draw.choice(["noun.txt", "sentence.txt"])
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("In ")]
    path.write_text("\n".join([*lines, draw.choice(["In short:", "In brief:"])]) + "\n", "utf-8")
    return path.name  # of the same size within the same second, which DVC tells by finer times


def edit_by_a_clock_that_jumps(project: Project, draw: random.Random) -> str:
    name = edit_prompt(project, draw)
    path = project.root / "cotpd/prompts/default" / name
    seconds = path.stat().st_mtime + draw.choice([-1e8, -3600, 3600, 1e8])
    os.utime(path, (seconds, seconds))
    return name


def put_a_link(project: Project, draw: random.Random) -> str:
    path = project.root / "cotpd/prompts/default" / draw.choice(["noun.txt", "sentence.txt"])
    target = project.root / "linked" / path.name
    target.parent.mkdir(exist_ok=True)
    target.write_text(path.read_text("utf-8"), "utf-8")
    path.unlink()
    path.symlink_to(target)
    edit_prompt(project, draw)
    return path.name


def edit_code(project: Project, draw: random.Random) -> str:
    path = project.root / draw.choice(_CODE)
    path.write_text(f"{path.read_text('utf-8')}# {draw.choice('ab')}\n", "utf-8")
    return path.name


def edit_what_code_does(project: Project, draw: random.Random) -> str:
    path = project.root / "cotpd/completions/cleaning.py"
    word = draw.choice(["happening", "event"])
    path.write_text(f"{path.read_text('utf-8')}{_build_patch(word)}", "utf-8")
    return f"{path.name}: {word}"


def _build_patch(word: str) -> str:
    return (
        "\n\n_clean = clean_answer\n\n\ndef clean_answer(raw: str, _clean=_clean) -> CleanAnswer:\n"
        f'    return _clean(raw.replace("event", "{word}"))\n'
    )


def edit_encoder(project: Project, draw: random.Random) -> str:
    path = project.root / "encoder/model.safetensors"
    factor = np.float32(draw.choice([0.5, 2.0]))
    save_file({name: factor * weights for name, weights in load_file(path).items()}, path, {"format": "pt"})
    return f"{path.name}: times {factor}"


def edit_suite(project: Project, draw: random.Random) -> str:
    path = project.root / "expectations/answers.json"
    text = path.read_text("utf-8")
    path.write_text(
        text.replace('"max_value": ', '"max_value": 1', 1) if draw.random() < 0.5 else f"{text} ", "utf-8"
    )
    return path.name


def add_post(project: Project, draw: random.Random) -> str:
    path = project.root / "posts" / f"{draw.choice(['train', 'test'])}.jsonl"
    rows = read_jsonl(path)
    write_jsonl(path, [*rows, draw.choice(rows) | {"id": f"new{len(rows)}"}])
    return path.name


def delete_output(project: Project, draw: random.Random) -> str:
    path = project.root / draw.choice(project.list_outputs())
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return str(path.relative_to(project.root))


def spoil_output(project: Project, draw: random.Random) -> str:
    files = sorted(project.digest_outputs())
    if not files:
        return "nothing"
    path = project.root / draw.choice(files)
    content = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(
        draw.choice([content[:-1], content[:-1] + bytes([content[-1] ^ 1]) if content else b"x", b""])
    )
    return str(path.relative_to(project.root))


def add_to_output(project: Project, draw: random.Random) -> str:
    folders = [out for out in project.list_outputs() if (project.root / out).is_dir()]
    if not folders:
        return "nothing"
    folder = draw.choice(folders)
    (project.root / folder / "notes.txt").write_text("mine", "utf-8")
    return folder


def restore_inputs(project: Project, draw: random.Random) -> str:
    project.run_git("checkout", "-q", "--", ".")
    return "git checkout"


def change_branch(project: Project, draw: random.Random) -> str:
    project.commit()
    branch = "main" if project.run_git("branch", "--show-current").strip() == "other" else "other"
    project.run_git("checkout", "-q", branch)
    return branch


def run_a_door(project: Project, draw: random.Random) -> str:
    edited = edit_an_input(project, draw)
    run = OpenDoor(project, draw.choice(DOORS))
    status = run.finish()
    return f"{edited}, then {run.door}: {', '.join(run.list_executed()) or 'nothing'} ({status})"


def edit_during_run(project: Project, draw: random.Random) -> str:
    edited = edit_an_input(project, draw)
    run = OpenDoor(project, draw.choice(DOORS))
    run.wait_for_stages(draw.randint(1, 3))
    meanwhile = edit_an_input(project, draw)
    status = run.finish()
    return f"{edited}, then {run.door}: {', '.join(run.list_executed()) or 'nothing'} ({status}), meanwhile {meanwhile}"


def kill(project: Project, draw: random.Random) -> str:
    edited, door = edit_an_input(project, draw), draw.choice(DOORS)
    victim, stage, delay = draw.choice(VICTIMS[door]), draw.randint(1, 3), draw.uniform(0, 3)
    return f"{edited}, then {run_and_kill(project, door, victim, stage, delay)}"


def edit_an_input(project: Project, draw: random.Random) -> str:
    """Edit something, so that a run has work to do."""
    edit = draw.choice([edit_parameter, edit_prompt, edit_code, edit_what_code_does, add_post])
    return edit(project, draw)


def collect_garbage(project: Project, draw: random.Random) -> str:
    project.run(sys.executable, "-m", "dvc", "gc", "-w", "-f")
    return "unused outputs are gone from the cache"


EDITS: tuple[Operation, ...] = (
    edit_parameter, edit_prompt, edit_code, edit_what_code_does, edit_encoder, edit_suite, add_post, edit_by_a_clock_that_jumps,
    put_a_link, delete_output, spoil_output, add_to_output, restore_inputs, change_branch, collect_garbage,
)  # fmt: skip
RUNS: tuple[Operation, ...] = (run_a_door, edit_during_run, kill)


def draw_operations(draw: random.Random, seed: int, runs: int) -> list[Operation]:
    """Draw operations: edits and damage, with some runs between them, each kind of run in turn of the seeds."""
    operations = [draw.choice(EDITS)]
    for number in range(runs):
        operations += [draw.choice(EDITS), RUNS[(seed + number) % len(RUNS)], draw.choice(EDITS)]
    return operations
