"""The two engines side by side: what Ray adds to scoring 10,000 posts, and the driver's memory at 1,000,000 rows.

    python -m benchmarks.engine [--model FOLDER] [--posts 10000] [--rows 1000000] [--rounds 3]

Both engines score the same made-up posts with the same student (untrained, on MiniLM, without --model), in turns,
each file in a process of its own:

- scoring: seconds of Ray on one core of this machine over those of one process with one thread. A cluster that
  runs already is joined by each process, as a step joins it; its own start is not counted;
- overhead: seconds that Ray adds to 10,000 items that cost nothing, joining the cluster included;
- memory: the driver's own memory at its peak with three times the rows minus that with the rows, over a light
  function of chunks of 500 rows of 200 characters. Ray's object store, shared and of a fixed size, is not counted.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.common import ROOT, Ratio, format_result
from cotpd.engine.ordered_map import open_engine
from cotpd.engine.params import ScaleParams
from tests.engine.ray_nodes import start_cluster

SCORING, OVERHEAD_S, GROWTH_MB = 1.25, 10.0, 20.0
_CHUNK = 500  # rows


def score(source: str, output: str, model: str, scale: ScaleParams) -> None:
    """Score a file as `cotpd predict --input` does, with torch."""
    from cotpd.scoring.batch_job import BatchJob  # noqa: PLC0415  imports torch, which the light function must not
    from cotpd.scoring.row_predictions import BatchOptions  # noqa: PLC0415  as above
    from cotpd.scoring.scoring_model import load_scoring_model  # noqa: PLC0415  as above

    with open_engine(scale) as engine:
        job = BatchJob(source, output, BatchOptions(overwrite=True))
        job.run(load_scoring_model(model, "torch", "cpu"), show=False, engine=engine)


def count_characters(chunks: Iterable[list[str]]) -> Iterator[list[int]]:
    """Yield the length of each row: work that costs next to nothing."""
    return (list(map(len, chunk)) for chunk in chunks)


def pass_on(items: Iterable[int]) -> Iterator[int]:
    """Yield each item."""
    return iter(items)


def build_chunks(rows: int) -> Iterator[list[str]]:
    """Yield chunks of made-up rows."""
    for start in range(0, rows, _CHUNK):
        yield [f"{number} {'x' * 200}" for number in range(start, min(start + _CHUNK, rows))]


def measure(arguments: argparse.Namespace, scale: ScaleParams) -> dict[str, float]:
    """Do one piece of work in this process; return its seconds and its peak memory in megabytes."""
    began, count, peak = time.perf_counter(), 0, 0.0
    if arguments.work == "score":
        score(arguments.source, arguments.output, arguments.model, scale)
    else:
        with open_engine(scale) as engine:
            if arguments.work == "items":
                count = sum(1 for _ in engine.map_in_order(pass_on, range(arguments.rows)))
            else:
                for number, chunk in enumerate(
                    engine.map_in_order(count_characters, build_chunks(arguments.rows))
                ):
                    count += len(chunk)
                    peak = max(peak, read_own_megabytes()) if number % 50 == 0 else peak
        assert count == arguments.rows
    return {"seconds": time.perf_counter() - began, "megabytes": peak}


def read_own_megabytes() -> float:
    """Return the memory of this process that it shares with no other."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.partition("RssAnon:")[2].split()[0]) / 1000


def run_apart(work: str, engine: str, address: str, **options: object) -> dict[str, float]:
    """Do one piece of work in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.engine", "--work", work, "--engine", engine, "--address", address]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: dict[str, float] = json.loads(output.splitlines()[-1])
    return figures


def run_round(arguments: argparse.Namespace, address: str, folder: Path) -> dict[str, float]:
    """Measure both engines, one after the other; return the seconds of each piece of work."""
    seconds = {}
    for engine in ("local", "ray"):
        files = {"source": folder / "posts.jsonl", "output": folder / f"{engine}.jsonl", "model": arguments.model}
        seconds[engine] = run_apart("score", engine, address, **files)["seconds"]
        seconds[f"{engine} items"] = run_apart("items", engine, address, rows=arguments.posts)["seconds"]
    assert (folder / "ray.jsonl").read_bytes() == (folder / "local.jsonl").read_bytes()
    print(", ".join(f"{name} {value:.2f} s" for name, value in seconds.items()))
    return seconds


def write_files(arguments: argparse.Namespace, folder: Path) -> None:
    """Write the posts, and a student if none is named."""
    texts = (f"Ada {number} meets Grace Hopper in Rome for NASA" for number in range(arguments.posts))
    (folder / "posts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    if arguments.model is None:
        from benchmarks.predict import build_student  # noqa: PLC0415  imports torch

        arguments.model = folder / "student"
        build_student("all-MiniLM-L6-v2").save(arguments.model)
    arguments.model = Path(arguments.model).resolve()


def compare(arguments: argparse.Namespace, address: str, folder: Path) -> dict[str, Ratio]:
    """Measure both engines in turns, then the driver's memory."""
    write_files(arguments, folder)
    rounds = [run_round(arguments, address, folder) for _ in range(arguments.rounds)]
    ratios = [seconds["ray"] / seconds["local"] for seconds in rounds]
    added = [seconds["ray items"] - seconds["local items"] for seconds in rounds]
    few, many = (run_apart("rows", "ray", address, rows=rows) for rows in (arguments.rows, 3 * arguments.rows))
    print(f"driver's peak: {few['megabytes']:.0f} MB, and {many['megabytes']:.0f} MB with three times the rows")
    return {
        "scoring": Ratio(statistics.median(ratios), SCORING, "low"),
        "overhead_s": Ratio(min(added), OVERHEAD_S, "low"),
        "growth_mb": Ratio(many["megabytes"] - few["megabytes"], GROWTH_MB, "low"),
    }


def main() -> None:
    """Read the command line; a process that was started for one piece of work does it, the first one compares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model")
    parser.add_argument("--posts", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    for name in ("work", "engine", "address", "source", "output"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        scale = ScaleParams(engine=arguments.engine, address=arguments.address)
        print(json.dumps(measure(arguments, scale)))
        return
    with start_cluster() as cluster, tempfile.TemporaryDirectory() as folder:
        print(format_result("engine", compare(arguments, cluster.address, Path(folder))))


if __name__ == "__main__":
    main()
