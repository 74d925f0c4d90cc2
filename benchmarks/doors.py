"""What our layer adds to both doors, over DVC and Prefect alone.

    python -m benchmarks.doors [--rounds 5] [--server URL] [--model FOLDER]

The pipeline's own graph, with files of a few bytes as outputs, beside a made-up graph with as many stages, inputs
and outputs: `dvc repro` with nothing to do on both, in turns. Then a flow run with nothing to do on a Prefect
server, a step under the flow over the same step by `dvc repro --single-item`, and `cotpd --help`. Times are
minima: on a busy machine the least disturbed round is the closest to the program's own cost. CPU seconds stand
beside them.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.common import ROOT, Ratio, format_result

DVC = [sys.executable, "-m", "dvc"]
RUN_FLOW = "from flows.full import full; full()"
TIME_STEP = """
import sys, time
from steps.graph import RunningStep
began = time.perf_counter()
with RunningStep(sys.argv[1]) as running:
    list(running)
print(time.perf_counter() - began)
"""
IMPORTS, LIBRARIES = "import torch, transformers", "import prefect.flows, dvc.repo"


@dataclass(frozen=True)
class Cost:
    """The least seconds of several rounds: on the clock, and of the processors."""

    wall: float
    cpu: float


def measure(call: Callable[[], object]) -> Cost:
    """Measure one call and the processes that it starts."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    call()
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def measure_in_turns(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, Cost]:
    """Measure several calls in turns, after a round that is not counted; return the least costs of each."""
    costs: dict[str, list[Cost]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            cost = measure(call)
            if number:
                costs[name].append(cost)
    return {name: find_least(row) for name, row in costs.items()}


def find_least(costs: list[Cost]) -> Cost:
    """Return the least of each measure."""
    return Cost(min(cost.wall for cost in costs), min(cost.cpu for cost in costs))


def run(command: list[str], folder: Path, **variables: str) -> str:
    """Run a program in a folder; return its output."""
    environment = os.environ | {"PYTHONPATH": str(folder), "DVC_NO_ANALYTICS": "1"} | variables
    process = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{process.stdout}{process.stderr}")
    return process.stdout


def copy_project(folder: Path) -> dict[str, Any]:
    """Copy the repository's files, write outputs of a few bytes, and commit them; return the graph's stages."""
    names = run(["git", "ls-files", "-z"], ROOT).split("\0")
    for name in filter(None, names):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)
    graph = yaml.safe_load((folder / "dvc.yaml").read_text("utf-8"))
    for stage in graph["stages"].values():
        for name in list_outputs(stage):
            write_output(folder / name)
    for stage in graph["stages"].values():
        for name in stage["deps"]:
            if name.startswith("data/") and not (folder / name).exists():
                write_output(folder / name)
    commit_project(folder)
    return dict(graph["stages"])


def list_outputs(stage: dict[str, Any]) -> list[str]:
    """Return the paths that a stage writes."""
    entries = [*stage.get("outs", ()), *stage.get("metrics", ())]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def write_output(path: Path) -> None:
    """Write a file, or a folder of one file, as an output."""
    file = path if path.suffix else path / "rows.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"path": path.name}), "utf-8")


def commit_project(folder: Path) -> None:
    """Make a folder a git repository whose DVC stages are up to date."""
    run(["git", "init", "-q"], folder)
    if not (folder / ".dvc").is_dir():
        run([*DVC, "init", "-q"], folder)
    run([*DVC, "commit", "-q", "-f"], folder)


def write_plain_graph(folder: Path, stages: dict[str, Any]) -> None:
    """Write a graph with as many stages, inputs and outputs as the pipeline's, each input a file of its own."""
    folder.mkdir()
    plain: dict[str, Any] = {}
    for name, stage in stages.items():
        deps = [f"in-{name}-{number}" for number in range(len(stage["deps"]))]
        outs = [f"out-{name}-{number}" for number in range(len(list_outputs(stage)))]
        for file in (*deps, *outs):
            (folder / file).write_text(file, "utf-8")
        plain[name] = {"cmd": "true", "deps": deps, "outs": outs}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": plain}), "utf-8")
    commit_project(folder)


@contextmanager
def serve_prefect(url: str | None, folder: Path) -> Iterator[str]:
    """Yield the address of a Prefect server: the one that is named, or one of the benchmark's own."""
    if url:
        yield url
        return
    os.environ["PREFECT_HOME"] = str(folder / "prefect")
    from prefect.testing.utilities import prefect_test_harness  # noqa: PLC0415  only without a server

    with prefect_test_harness(server_startup_timeout=300):
        from prefect.settings import PREFECT_API_URL  # noqa: PLC0415  the harness has just set it

        yield str(PREFECT_API_URL.value())


def time_step(project: Path) -> float:
    """Return the seconds that a stage takes under the flow's guard."""
    return float(run([sys.executable, "-c", TIME_STEP, "aside"], project, PYTHONPATH=str(ROOT)).split()[-1])


def write_one_stage(folder: Path) -> None:
    """Write a graph of one stage that always runs and does nothing."""
    folder.mkdir()
    graph = {"stages": {"aside": {"cmd": "true", "always_changed": True}}}
    (folder / "dvc.yaml").write_text(yaml.safe_dump(graph), "utf-8")
    commit_project(folder)


def measure_doors(folder: Path, url: str | None, rounds: int) -> tuple[dict[str, Cost], float]:
    """Measure what needs the two graphs; return the costs, and the milliseconds that the layer adds to a step."""
    project, plain, single = folder / "project", folder / "plain", folder / "single"
    write_plain_graph(plain, copy_project(project))
    write_one_stage(single)
    bare = [*DVC, "--wait-for-lock", "repro", "--single-item", "aside"]
    with serve_prefect(url, folder) as server:
        flow = {"PREFECT_API_URL": server, "PREFECT_LOGGING_LEVEL": "WARNING"}
        calls: dict[str, Callable[[], object]] = {
            "dvc repro, the pipeline's graph": lambda: run([*DVC, "repro"], project),
            "dvc repro, as many stages that do nothing": lambda: run([*DVC, "repro"], plain),
            "flow run with nothing to do": lambda: run([sys.executable, "-c", RUN_FLOW], project, **flow),
            "import prefect and DVC": lambda: run(
                [sys.executable, "-c", "import prefect.flows, dvc.repo"], project
            ),
            "cotpd --help": lambda: run([sys.executable, "-m", "cotpd", "--help"], project),
        }
        costs = measure_in_turns(calls, rounds)
    guarded = [time_step(single) for _ in range(rounds)]
    alone = [measure(lambda: run(bare, single)).wall for _ in range(rounds)]
    return costs, 1000 * (min(guarded) - min(alone))


def measure_prediction(model: Path, rounds: int) -> dict[str, Cost]:
    """Measure a prediction of one sentence on a trained student, and the imports below it."""
    predict = [
        sys.executable,
        "-m",
        "cotpd",
        "predict",
        "--model",
        str(model),
        "--backend",
        "torch",
        "Ada in Rome",
    ]
    calls: dict[str, Callable[[], object]] = {
        "cotpd predict, one sentence": lambda: run(predict, ROOT),
        "import torch and transformers": lambda: run([sys.executable, "-c", IMPORTS], ROOT),
    }
    return measure_in_turns(calls, rounds)


def main(arguments: list[str] | None = None) -> None:
    """Print the table, then the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds of each")
    parser.add_argument(
        "--server", help="the address of a Prefect server that runs, such as http://127.0.0.1:4200/api"
    )
    parser.add_argument("--model", type=Path, help="the folder of a trained student, to predict one sentence with")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        costs, added = measure_doors(Path(folder), options.server, options.rounds)
    if options.model:
        costs |= measure_prediction(options.model, options.rounds)
    print("| what | seconds, least | of the processors |\n|---|---|---|")
    for name, cost in costs.items():
        print(f"| {name} | {cost.wall:.2f} | {cost.cpu:.2f} |")
    print(f"| what the flow adds to a step | {added / 1000:.3f} | |")
    print(format_result("doors", judge(costs, added)))


def judge(costs: dict[str, Cost], added: float) -> dict[str, Ratio]:
    """Return the figures with their targets."""
    pipeline, floor = costs["dvc repro, the pipeline's graph"], costs["dvc repro, as many stages that do nothing"]
    ratios = {
        "dvc_repro_seconds_over_floor": Ratio(pipeline.wall - floor.wall, 0.5, "low"),
        "dvc_repro_cpu_seconds_over_floor": Ratio(pipeline.cpu - floor.cpu, 0.5, "low"),
        "flow_run_seconds": Ratio(costs["flow run with nothing to do"].wall, 3.0, "low"),
        "step_added_ms": Ratio(added, 500.0, "low"),
        "help_seconds": Ratio(costs["cotpd --help"].wall, 0.5, "low"),
    }
    if "cotpd predict, one sentence" in costs:
        predict, imports = costs["cotpd predict, one sentence"], costs["import torch and transformers"]
        ratios["predict_seconds_over_imports"] = Ratio(predict.wall - imports.wall, 1.0, "low")
    return ratios


if __name__ == "__main__":
    main()
