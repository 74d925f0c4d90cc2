"""A guarded command leaves no process behind, whichever way its owner goes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from steps import guard

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="process groups of POSIX")
LIMIT = 30.0  # seconds: of a busy machine
# Starts a guard, says so, and sleeps: the owner of the tests that kill it.
OWNER = "import subprocess, sys, time; p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE); time.sleep(300)"
# Writes its number, and on SIGTERM what it was asked to write; sleeps in a grandchild of its own group.
STEP = """
import os, pathlib, signal, subprocess, sys, time
def stop(*_):
    print("last words", flush=True)
    pathlib.Path("saved").write_text("checkpoint")
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
pathlib.Path("part").write_text(f"{os.getpid()} {child.pid}")
pathlib.Path("part").rename("numbers")
time.sleep(300)
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGINT, signal.SIG_IGN); "
SHELL = """
import signal, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.exit(subprocess.run([sys.executable, "-c", sys.argv[1]]).returncode)
"""


def wait_until(condition, description):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"waited too long: {description}"
        time.sleep(0.05)


def is_running(number):
    try:
        return psutil.Process(number).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False


def read_numbers(folder):
    wait_until((folder / "numbers").exists, "the step has begun")
    return [int(number) for number in (folder / "numbers").read_text().split()]


def build_command(step=STEP):
    """A guard over a parent that runs a step, as DVC does."""
    return [sys.executable, guard.__file__, sys.executable, "-c", SHELL, step]


def start(folder, step=STEP):
    return subprocess.Popen(
        build_command(step), cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def finish(process):
    output, _ = process.communicate(timeout=LIMIT)
    return output.splitlines()[1:]  # the first line is the group's number


def test_output_and_exit_status_are_those_of_the_command(tmp_path):
    process = start(tmp_path, "import sys; print('a line'); print('an error', file=sys.stderr); sys.exit(7)")

    status = process.wait(LIMIT)

    assert sorted(finish(process)) == ["a line", "an error"]
    assert status == 7


def test_a_closed_pipe_ends_every_process_of_the_step_after_its_last_words(tmp_path):
    process = start(tmp_path)
    step, child = read_numbers(tmp_path)

    output = finish(process)

    assert output == ["last words"]
    assert (tmp_path / "saved").read_text() == "checkpoint"
    assert not is_running(step)
    assert not is_running(child)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_owner_that_is_killed_takes_its_step_along(tmp_path, number):
    owner = subprocess.Popen([sys.executable, "-c", OWNER, *build_command()], cwd=tmp_path, stdout=subprocess.PIPE)
    step, child = read_numbers(tmp_path)

    owner.send_signal(number)
    owner.wait(LIMIT)
    owner.stdout.close()  # the reader is gone, and the step still prints its last words

    wait_until(lambda: not is_running(step) and not is_running(child), "the step ends")
    assert (tmp_path / "saved").read_text() == "checkpoint"


def test_a_step_that_ignores_signals_is_killed_when_its_time_is_over(tmp_path):
    short = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(Path(guard.__file__).parent)!r}); import guard; "
        "guard.GRACE = 0.5; guard.Guard(sys.argv[1:]).run()",
    ]
    step = STUBBORN + "import os, pathlib; pathlib.Path('numbers').write_text(str(os.getpid())); time.sleep(300)"
    process = subprocess.Popen(
        [*short, sys.executable, "-c", step],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_until(
        lambda: (tmp_path / "numbers").exists() and (tmp_path / "numbers").read_text(), "the step has begun"
    )
    (stubborn,) = read_numbers(tmp_path)

    finish(process)

    assert not is_running(stubborn)


def test_what_a_finished_step_left_in_the_background_ends_with_it(tmp_path):
    step = (
        "import pathlib, subprocess, sys; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)']); "
        "pathlib.Path('numbers').write_text(str(child.pid))"
    )
    process = start(tmp_path, step)
    process.wait(LIMIT)
    (child,) = read_numbers(tmp_path)

    assert process.returncode == 0
    assert not is_running(child)


def test_a_worker_in_a_session_of_its_own_ends_too(tmp_path):
    step = (
        "import pathlib, subprocess, sys, time; "
        "worker = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'], start_new_session=True); "
        "pathlib.Path('part').write_text(str(worker.pid)); pathlib.Path('part').rename('numbers'); time.sleep(300)"
    )
    process = start(tmp_path, step)
    (worker,) = read_numbers(tmp_path)

    finish(process)

    wait_until(lambda: not is_running(worker), "the worker ends")


def test_the_first_line_names_the_group_for_an_owner_whose_guard_is_killed(tmp_path):
    process = start(tmp_path)
    group = int(process.stdout.readline())
    step, child = read_numbers(tmp_path)
    process.kill()
    process.wait(LIMIT)

    os.killpg(group, signal.SIGKILL)

    wait_until(lambda: not is_running(step) and not is_running(child), "the group ends")
