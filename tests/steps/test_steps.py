"""What the steps share: how a mistake of the user's ends, and what a missing environment says."""

import subprocess
import sys
from pathlib import Path

import pytest

from cotpd.config import Params
from cotpd.errors import DataError
from steps.common import main


def test_a_python_without_the_packages_says_which_environment_to_activate(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "steps.prepare"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "source .venv/bin/activate" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("raised", "status", "says"),
    [(DataError("bad row", "Mend it."), 1, "Mend it."), (KeyboardInterrupt(), 130, "run again to go on")],
)
def test_a_step_ends_without_a_traceback(
    raised: BaseException,
    status: int,
    says: str,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def step(params: Params) -> None:
        raise raised

    monkeypatch.chdir(root)
    with pytest.raises(SystemExit) as ended:
        main(step)
    assert ended.value.code == status
    assert says in capsys.readouterr().err
