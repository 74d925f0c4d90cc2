"""A program that is interrupted while it imports its packages says so in one line."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SLOW_IMPORT = "import sys, time; print('importing', flush=True); time.sleep(60)"
STEP = ([sys.executable, "-m", "steps.prepare"], "rich")
COMMAND = ([str(Path(sys.executable).parent / "cotpd"), "--help"], "typer")
FLOWS = ([sys.executable, "-m", "flows"], "prefect")


@pytest.mark.parametrize(("command", "package"), [STEP, COMMAND, FLOWS], ids=["step", "command", "flows"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_during_imports_gives_one_line_and_its_status(tmp_path, command, package, number, status):
    (tmp_path / f"{package}.py").write_text(SLOW_IMPORT)
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes) as program:
        assert program.stdout.readline() == "importing\n"

        program.send_signal(number)
        _, errors = program.communicate(timeout=30)

    assert program.returncode == status
    assert errors == "interrupted before anything had begun\n"


def test_a_program_that_ignores_ctrl_c_goes_on_ignoring_it():
    script = (
        "import os, signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
        "from cotpd.startup import end_quietly_on_signals, restore_signals; end_quietly_on_signals(); "
        "os.kill(os.getpid(), signal.SIGINT); restore_signals(); os.kill(os.getpid(), signal.SIGINT); print('lives')"
    )

    process = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )

    assert process.stdout == "lives\n"


def test_after_the_imports_ctrl_c_is_what_it_always_was():
    script = (
        "import signal; from cotpd.startup import end_quietly_on_signals, restore_signals; "
        "end_quietly_on_signals(); restore_signals(); "
        "print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, "
        "signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)"
    )

    process = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )

    assert process.stdout == "True True\n"
