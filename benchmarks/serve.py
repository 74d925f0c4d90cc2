"""A server under load, beside the same student in process, MLflow's server, and the pipeline of transformers.

    python -m benchmarks.serve [DATA] [--model MODEL] [--seconds 3] [--parts torch onnx mlflow pipeline promotion]

Clients ask for one post at a time: 1, 8, 32 and 64 of them. In process means: single posts one after the other,
and all posts at once. Both are timed in turns with the clients, so that a busy moment of the machine slows both
sides. Without --model the student is untrained and has the size of a trained one; it predicts more mentions, which
costs it a little. The pipeline has the same encoder, and stands behind the same application. The promotion happens
while 32 clients ask. Figures count only on a machine that does nothing else.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers import logging

from benchmarks.common import ROOT, Ratio, format_result
from benchmarks.load import Load, build_request, run_clients
from benchmarks.pipeline_server import NAME as PIPELINE
from cotpd.config import Params
from cotpd.data.load import load_dataset
from cotpd.data.params import DataParams
from cotpd.errors import CotpdError
from cotpd.inference.loading import load_predictor
from cotpd.pipeline.registration import register_student
from cotpd.registry.tracking_store import connect
from cotpd.student.labels import LabelSet
from cotpd.student.params import StudentParams
from cotpd.student.persistence import build_model
from cotpd.student.predictor import Predictor
from cotpd.student.student import Student

PARTS = ("torch", "onnx", "onnx-int8", "mlflow", "pipeline", "promotion")
CLIENTS = (1, 8, 32, 64)
OF_BULK, OF_SINGLE, FAST, CALM = 0.8, 1.3, 3.0, 2.0  # the targets
_START_SECONDS = 120
_COTPD = [
    sys.executable,
    "-c",
    "from cotpd.cli.main import main; main()",
    "serve",
    "--port",
    "0",
    "--no-access-log",
]


class Benchmark:
    """The posts, the student, and the figures so far.

    Args:
        texts: The posts.
        model: A folder or an address.
        seconds: That each number of clients asks.
        scratch: A folder for registries and logs.
    """

    def __init__(self, texts: list[str], model: str, seconds: float, scratch: Path) -> None:
        self.texts, self.model, self.seconds, self.scratch = texts, model, seconds, scratch
        self.requests = [build_request("/v1/predict", {"text": text}) for text in texts]
        self.rows = [build_request("/invocations", {"inputs": [{"text": text}]}) for text in texts]
        self.bulk, self.single = 0.0, 0.0  # of torch in process: posts a second, and milliseconds
        self.ratios: dict[str, Ratio] = {}

    def measure_backend(self, backend: str) -> None:
        """Measure `cotpd serve` with a backend, in turns with the student in process."""
        try:
            predictor = load_predictor(self.model, backend)  # type: ignore[arg-type]
        except CotpdError as error:
            print(f"{backend}: left out: {error.problem}")
            return
        with start_server([*_COTPD, "--model", self.model, "--backend", backend], ROOT) as port:
            single = self._time_single(predictor)
            loads = {count: self._measure(backend, port, count) for count in CLIENTS if count != 32}
            pairs = [(self._time_bulk(predictor), self._measure(backend, port, 32)) for _ in range(2)]
        bulk = statistics.median(rate for rate, _ in pairs)
        print(f"{backend}: in process {bulk:,.0f} posts/s in bulk, {single:.1f} ms a single post")
        if backend == "torch":
            self.bulk, self.single = bulk, single
        name = backend.replace("-", "_")
        of_bulk = statistics.median(load.rate / rate for rate, load in pairs)
        self.ratios[f"{name}_32_clients_over_bulk"] = Ratio(of_bulk, OF_BULK, "high")
        self.ratios[f"{name}_p50_over_single"] = Ratio(loads[1].p50 / single, OF_SINGLE, "low")
        if backend != "torch" and self.bulk:
            rate = statistics.median(load.rate for _, load in pairs)
            self.ratios[f"{name}_32_clients_over_torch_bulk"] = Ratio(rate / self.bulk, FAST * OF_BULK, "high")
            of_torch = loads[1].p50 / self.single
            self.ratios[f"{name}_p50_over_torch_single"] = Ratio(of_torch, OF_SINGLE / FAST, "low")

    def measure_mlflow(self) -> None:
        """Measure MLflow's own server with the same student."""
        root = self._register(1)
        environment = {"MLFLOW_TRACKING_URI": f"sqlite:///{root / 'mlflow.db'}"}
        command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
        command += ["-m", "models:/cotpd-ner/1", "-p", "5987"]
        with start_server(command, root, environment, "Uvicorn running on"):
            for count in CLIENTS:
                self._measure("mlflow", 5987, count, self.rows)

    def measure_pipeline(self, encoder: str) -> None:
        """Measure the pipeline of transformers behind our application."""
        with start_server([sys.executable, "-m", "benchmarks.pipeline_server", encoder], ROOT) as port:
            for count in CLIENTS:
                self._measure(PIPELINE, port, count)

    def measure_promotion(self) -> None:
        """Measure what a promotion costs 32 clients."""
        root = self._register(2)
        client = connect(Params(task="ner").register_, root)
        client.set_registered_model_alias("cotpd-ner", "champion", "1")

        def promote() -> None:
            time.sleep(1)
            client.set_registered_model_alias("cotpd-ner", "champion", "2")

        seconds = max(8.0, 2 * self.seconds)
        with start_server([*_COTPD, "--model", "models:/cotpd-ner@champion"], root) as port:
            usual = run_clients(port, self.requests, 32, seconds)
            during = run_clients(port, self.requests, 32, seconds, meanwhile=promote)
        show("32 clients", 32, usual)
        show("a promotion", 32, during)
        self.ratios["promotion_p99_over_usual"] = Ratio(during.p99 / usual.p99, CALM, "low")
        self.ratios["promotion_failed_requests"] = Ratio(usual.failures + during.failures, 0.0, "low")

    def _measure(self, name: str, port: int, count: int, requests: list[bytes] | None = None) -> Load:
        load = run_clients(port, requests or self.requests, count, self.seconds)
        show(name, count, load)
        return load

    def _time_single(self, predictor: Predictor) -> float:
        """Return the median time of one post in process, in milliseconds."""
        times, end = [], time.perf_counter() + self.seconds + 1
        for text in self.texts * 1000:
            began = time.perf_counter()
            list(predictor.predict([text]))
            times.append(1000 * (time.perf_counter() - began))
            if time.perf_counter() > end:
                break
        return statistics.median(times[len(times) // 4 :])

    def _time_bulk(self, predictor: Predictor) -> float:
        """Return the posts a second of all posts at once in process."""
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < self.seconds:
            count += len(list(predictor.predict(self.texts)))
        return count / (time.perf_counter() - began)

    def _register(self, count: int) -> Path:
        """Return a project's folder with the student as so many versions."""
        root = self.scratch / f"registry-{count}"
        root.mkdir()
        (root / "params.yaml").write_text("data: {path: sample}\n", "utf-8")
        params = Params(task="ner")
        connect(params.register_, root, create=True)
        student = Student.from_pretrained(self.model, "cpu")
        for number in range(1, count + 1):
            student.temperature = float(number)  # else the second one would be the first
            student.save(root / f"student-{number}")
            register_student(params, root / f"student-{number}", {}, root=root)
        return root


@contextmanager
def start_server(
    command: list[str], folder: Path, environment: dict[str, str] | None = None, sign: str = "answers at"
) -> Iterator[int]:
    """Run a server until the end of the block, and give its port; ``sign`` stands before its address."""
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "log"
        variables = os.environ | {"PYTHONPATH": str(ROOT)} | (environment or {})
        with log.open("w") as out:
            process = subprocess.Popen(command, cwd=folder, env=variables, stdout=out, stderr=out)
        try:
            yield _wait_for_port(process, log, sign)
        finally:
            process.terminate()
            process.wait(60)


def _wait_for_port(process: "subprocess.Popen[bytes]", log: Path, sign: str) -> int:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if match := re.search(rf"{sign} http://[\d.]+:(\d+)", log.read_text("utf-8", "replace")):
            return int(match[1])
        time.sleep(0.1)
    raise SystemExit(f"the server did not start:\n{log.read_text('utf-8', 'replace')}")


def show(name: str, count: int, load: Load) -> None:
    """Print one line of the table."""
    failed = f", {load.failures} failed" if load.failures else ""
    times = f"p50 {load.p50:>7,.1f} ms  p99 {load.p99:>7,.1f} ms"
    print(f"{name:>12} {count:>3} clients {load.rate:>7,.0f} posts/s  {times}{failed}", flush=True)


def build_student(encoder: str, folder: Path) -> str:
    """Write an untrained student of the size of a trained one, and return its folder."""
    torch.manual_seed(0)
    params = StudentParams(encoder=encoder)
    model, tokenizer, reads = build_model(params, LabelSet.build("ner", ["PER", "LOC", "ORG", "MISC"]))
    Student(model, tokenizer, params, ("prompt",), reads, "cpu").save(folder)
    return str(folder)


def main(arguments: list[str] | None = None) -> None:
    """Measure the parts; print each figure, then the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="sample", help="a data set")
    parser.add_argument("--split", default="test")
    parser.add_argument("--model", help="a folder or an address; else an untrained student")
    parser.add_argument(
        "--encoder", default="all-MiniLM-L6-v2", help="of an untrained student and of the pipeline"
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="that each number of clients asks")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--threads", type=int, help="of torch in process")
    options = parser.parse_args(arguments)
    logging.set_verbosity_error()
    if options.threads:
        torch.set_num_threads(options.threads)
    posts = load_dataset(DataParams(path=str(Path(options.data).resolve())), require_train=False).posts
    with tempfile.TemporaryDirectory() as scratch:
        model = options.model or build_student(options.encoder, Path(scratch) / "student")
        texts = [post.text for post in posts[options.split]]
        benchmark = Benchmark(texts, model, options.seconds, Path(scratch))
        for part in options.parts:
            measure_part(benchmark, part, options.encoder)
    print(format_result("serve", benchmark.ratios))


def measure_part(benchmark: Benchmark, part: str, encoder: str) -> None:
    """Measure one part of the benchmark."""
    if part == "mlflow":
        benchmark.measure_mlflow()
    elif part == "pipeline":
        benchmark.measure_pipeline(encoder)
    elif part == "promotion":
        benchmark.measure_promotion()
    else:
        benchmark.measure_backend(part)


if __name__ == "__main__":
    main()
