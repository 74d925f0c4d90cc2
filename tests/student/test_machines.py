"""Training on two machines by `accelerate launch`: two launchers on loopback, a process each, joined by gloo."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.ports import find_port
from tests.student.tiny_runs import train_model

pytestmark = pytest.mark.slow
ALONE = Path(__file__).with_name("train_alone.py")


def launch_machine(rank: int, port: int, folder: Path, **environment: str) -> subprocess.Popen[str]:
    """Start the launcher of one of two machines; the models go into a folder of each, to see who writes."""
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_machines", "2"]
    command += ["--num_processes", "2", "--machine_rank", str(rank), "--main_process_ip", "127.0.0.1"]
    command += ["--main_process_port", str(port), "--mixed_precision", "no", "--dynamo_backend", "no"]
    variables = {"PYTHONPATH": str(ALONE.parents[2]), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(
        [*command, str(ALONE), str(folder / "run.json"), str(folder / f"machine{rank}")],
        env={**os.environ, **variables, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def write_run(folder: Path, examples, student, params) -> None:
    settings = {
        "examples": [example.model_dump(mode="json") for example in examples],
        "student": student.model_dump(mode="json"),
        "params": params.model_dump(mode="json"),
    }
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(json.dumps(settings), "utf-8")


def test_two_machines_train_what_one_process_trains_and_the_first_one_writes(ner_examples, still, brief, tmp_path):
    write_run(tmp_path, ner_examples[:11], still, brief)
    train_model(ner_examples[:11], still, brief, tmp_path / "one")
    port = find_port()

    machines = [launch_machine(rank, port, tmp_path) for rank in (0, 1)]
    errors = [machine.communicate(timeout=300)[1] for machine in machines]

    assert [machine.returncode for machine in machines] == [0, 0], "\n".join(errors)
    assert [error.count("epoch 1:") for error in errors] == [1, 0]
    assert not (tmp_path / "machine1").exists()
    weights, expected = (load_file(tmp_path / name / "model.safetensors") for name in ("machine0", "one"))
    for name, value in weights.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-3, atol=1e-5)


def test_a_machine_that_dies_ends_the_other(ner_examples, small, brief, tmp_path):
    write_run(tmp_path, ner_examples[:11], small, brief)
    port = find_port()

    machines = [launch_machine(0, port, tmp_path), launch_machine(1, port, tmp_path, DIE_IN="2")]
    errors = [machine.communicate(timeout=300)[1] for machine in machines]  # gloo alone would wait half an hour

    assert all(machine.returncode for machine in machines), "\n".join(errors)
    assert not (tmp_path / "machine0/model.safetensors").exists()
