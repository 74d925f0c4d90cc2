"""Rule 1 of the house: dvc.yaml is the one graph, and both doors agree on what is up to date."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import flows.full
import flows.stage_run
from cotpd.errors import ConfigError
from steps.graph import RunningStep, is_up_to_date, read_graph
from tests.flows.programs import run_dvc, wait_until

pytestmark = pytest.mark.slow


def read_executions(project: Path) -> list[str]:
    log = project / "log.txt"
    steps = log.read_text().split() if log.exists() else []
    log.unlink(missing_ok=True)
    return steps


@pytest.fixture
def run_flow(project: Path, prefect_server: None, monkeypatch: pytest.MonkeyPatch):
    """Run the flow on the small project; returns the state name of each task."""
    from prefect.client.orchestration import get_client

    def run(**parameters) -> dict[str, str]:
        monkeypatch.setattr(flows.full, "ROOT", project)
        state = flows.full.full(return_state=True, **parameters)
        with get_client(sync_client=True) as client:
            from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

            filters = FlowRunFilter(id=FlowRunFilterId(any_=[state.state_details.flow_run_id]))
            tasks = client.read_task_runs(flow_run_filter=filters)
        return {task.name: task.state.name for task in tasks}

    return run


def test_the_graph_is_dvc_yamls_own_in_an_order_that_can_be_run(project: Path) -> None:
    steps = read_graph(project)

    names = [step.name for step in steps]
    assert names.index("first") < names.index("second")
    assert {step.name: step.after for step in steps} == {"first": (), "second": ("first",), "aside": ()}
    assert next(step for step in steps if step.name == "first").description == "Make a"


def test_a_link_that_leads_nowhere_is_a_sentence(project: Path) -> None:
    (project / "inputs").mkdir()
    (project / "inputs/gone.jpg").symlink_to("nowhere.jpg")
    graph = (project / "dvc.yaml").read_text().replace("deps: [a.txt]", "deps: [a.txt, inputs]")
    (project / "dvc.yaml").write_text(graph)
    (project / "a.txt").write_text("made")

    with pytest.raises(ConfigError, match=r"gone\.jpg: No such file.*step second cannot be read"):
        is_up_to_date("second", project)


def test_after_dvc_a_flow_run_executes_nothing(project: Path, run_flow) -> None:
    run_dvc(project, "repro")

    assert sorted(read_executions(project)) == ["aside", "first", "second"]
    assert run_flow() == {"first": "Cached", "second": "Cached", "aside": "Cached"}
    assert read_executions(project) == []


def test_after_a_flow_run_dvc_is_clean(project: Path, run_flow) -> None:
    assert set(run_flow().values()) == {"Completed"}
    assert sorted(read_executions(project)) == ["aside", "first", "second"]
    assert "up to date" in run_dvc(project, "status")
    run_dvc(project, "repro")
    assert read_executions(project) == []


def test_a_key_in_the_environment_reaches_no_record_of_prefect(
    project: Path, run_flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, PREFECT_HOME

    monkeypatch.setenv("OPENAI_API_KEY", "sk-in-the-environment-0123456789")
    assert set(run_flow().values()) == {"Completed"}
    database = Path(PREFECT_API_DATABASE_CONNECTION_URL.value().split("///")[1])
    files = [*database.parent.glob(f"{database.name}*"), *PREFECT_HOME.value().rglob("*")]
    contents = [content for path in files if (content := read_file(path)) is not None]
    assert any(b"flow_run" in content for content in contents)
    assert not any(b"sk-in-the-environment" in content for content in contents)


def read_file(path: Path) -> bytes | None:
    """Return a file's content; None for a folder, or if the server has removed it in the meantime."""
    with suppress(FileNotFoundError, IsADirectoryError):
        return path.read_bytes()
    return None


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        ("cp new.txt in.txt", ["first", "second"]),
        ("rm -f b.txt", ["first"]),  # DVC's cache brings back the output of second
    ],
)
def test_a_stage_that_was_current_at_the_start_is_looked_at_again_when_its_turn_comes(
    project: Path, run_flow, edit: str, expected: list[str]
) -> None:
    (project / "in.txt").write_text("old")
    (project / "new.txt").write_text("new")
    graph = (
        "stages:\n"
        f"  first:\n    cmd: python step.py first a.txt && (test ! -e edit || {edit})\n    params: [first]\n"
        "    outs: [a.txt]\n"
        "  second:\n    cmd: python step.py second b.txt in.txt\n    deps: [in.txt]\n    outs: [b.txt]\n"
    )
    (project / "dvc.yaml").write_text(graph)
    run_dvc(project, "repro")
    read_executions(project)
    (project / "edit").touch()
    (project / "params.yaml").write_text("first: 2\nsecond: 1\naside: 1\n")

    states = run_flow(jobs=1)

    assert states == {"first": "Completed", "second": "Completed"}
    assert read_executions(project) == expected
    assert "up to date" in run_dvc(project, "status")


@pytest.mark.parametrize(
    ("key", "expected"), [("first", ["first", "second"]), ("second", ["second"]), ("aside", ["aside"])]
)
@pytest.mark.parametrize("door", ["dvc", "flow"])
def test_a_changed_parameter_re_runs_exactly_its_dependants(
    project: Path, run_flow, key: str, expected: list[str], door: str
) -> None:
    run_dvc(project, "repro")
    read_executions(project)
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace(f"{key}: 1", f"{key}: 2"))

    if door == "dvc":
        run_dvc(project, "repro")
    else:
        run_flow()

    assert read_executions(project) == expected


def test_an_output_that_was_deleted_is_made_again(project: Path, run_flow) -> None:
    run_flow()
    (project / "b.txt").unlink()

    states = run_flow()

    assert (project / "b.txt").exists()
    assert states["first"] == states["aside"] == "Cached"


def test_a_failing_step_fails_the_flow_with_its_own_words_and_keeps_what_was_done(project: Path, run_flow) -> None:
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("second: 1", "second: fail"))

    states = run_flow()

    assert states["second"] == "Failed"
    assert is_up_to_date("first", project)
    assert not is_up_to_date("second", project)


def test_a_retry_mends_the_lock_file_that_the_first_try_left_half_written(
    project: Path, run_flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows.stage_run, "_RETRY_DELAY", 0.0)
    graph = (project / "dvc.yaml").read_text().replace("    desc: Make a\n", "    meta: {retries: 1}\n")
    (project / "dvc.yaml").write_text(graph)
    program = (project / "step.py").read_text() + (
        "if name == 'first' and not pathlib.Path('tried').exists():\n"
        "    pathlib.Path('tried').touch()\n"
        "    pathlib.Path('.dvc/tmp/rwlock').write_text('{')\n"
    )
    (project / "step.py").write_text(program)

    states = run_flow(jobs=1)

    assert states["first"] == "Completed"


def test_a_step_that_dvc_runs_already_is_waited_for_and_not_run_again(project: Path) -> None:
    """The flow and a `dvc repro` beside it; without the wait the flow failed because the output is busy."""
    waiting = (
        "import time\nfor _ in range(1800):\n    if pathlib.Path('go').exists(): break\n    time.sleep(0.1)\n"
    )
    script = (project / "step.py").read_text()
    (project / "step.py").write_text(script.replace("text = pathlib", f"{waiting}text = pathlib", 1))
    notices: list[str] = []

    with subprocess.Popen([sys.executable, "-m", "dvc", "repro", "first"], cwd=project) as dvc:
        wait_until((project / "log.txt").exists, "the step runs")

        current = is_up_to_date(
            "first", project, lambda notice: (notices.append(notice), (project / "go").touch())
        )

    assert dvc.returncode == 0
    assert current
    assert "is busy" in notices[0]
    assert read_executions(project) == ["first"]


@pytest.mark.parametrize("persisted", ["true", "false"])
def test_no_result_that_prefect_has_stored_hides_an_edit(project: Path, run_flow, persisted: str) -> None:
    from prefect.settings import PREFECT_RESULTS_PERSIST_BY_DEFAULT, temporary_settings

    with temporary_settings({PREFECT_RESULTS_PERSIST_BY_DEFAULT: persisted}):
        run_flow()
        (project / "a.txt").write_text("damaged")
        states = run_flow()

    assert states["first"] == "Completed"
    assert "up to date" in run_dvc(project, "status")


def test_what_a_step_prints_reaches_the_caller(project: Path) -> None:
    with RunningStep("first", project) as running:
        printed = list(running)

    assert any("Running stage 'first'" in line for line in printed)
