"""The command itself: how it ends when its output or its user goes away."""

import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
COTPD = (sys.executable, "-c", "from cotpd.cli.main import main; main()")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
# a student would cost seconds of imports: what is tested is how predict waits for posts
WAITING = """
import signal, sys
# a background job of a shell inherits that Ctrl-C is ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
from cotpd.cli import main, predict
def answer(file: str) -> None:
    for batch in predict.collect_batches(predict.read_posts([], file), 1):
        print(batch[0].row["text"], flush=True)
main.app.command("answer")(answer)
main.main()
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", [("preset", "list"), ("--help",)])
def test_a_full_disk_is_one_line_of_error(command):
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            [*COTPD, *command],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
            cwd=ROOT,
            timeout=120,
        )

    assert process.returncode == 1
    assert process.stderr == "error: No space left on device\n"


def test_an_output_that_is_a_folder_is_named_and_not_its_partial_file(tmp_path):
    (tmp_path / "fixed.jsonl").write_text('{"id": "3", "split": "test", "entities": []}\n', "utf-8")

    process = subprocess.run(
        [*COTPD, "data", "corrections", "merge", "fixed.jsonl", "--output", str(tmp_path)],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        cwd=tmp_path,
        timeout=120,
    )

    assert (process.returncode, process.stderr) == (1, f"error: {tmp_path}: Is a directory\n")


@pytest.mark.parametrize("command", [COTPD, (sys.executable, "-m", "cotpd")])
def test_the_version_is_that_of_the_installed_package(command):
    shown = subprocess.run(
        [*command, "--version"], capture_output=True, text=True, env=ENVIRONMENT, cwd=ROOT, timeout=120, check=True
    )

    assert shown.stdout == f"cotpd {version('cotpd')}\n"


def test_a_closed_pipe_ends_it_in_silence():
    read, write = os.pipe()
    os.close(read)

    process = subprocess.run(
        [*COTPD, "preset", "list"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        cwd=ROOT,
        timeout=120,
    )

    os.close(write)
    assert (process.returncode, process.stderr) == (1, "")


def test_ctrl_c_while_posts_are_awaited_gives_130_and_no_traceback():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(
        [sys.executable, "-c", WAITING, "answer", "-"], text=True, env=ENVIRONMENT, **pipes
    ) as running:
        running.stdin.write("Ada\n")
        running.stdin.flush()
        assert running.stdout.readline() == "Ada\n"
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 130
        assert "Traceback" not in running.stderr.read()
