"""Asking an LLM: time over the ideal, cost beside a bare loop, memory, and time if the ledger has every answer.

    python -m benchmarks.ask [--requests 10000] [--many 100000] [--latency 0.2] [--slots 64] [--peer PYTHON]

A server in a process of its own answers after 200 ms, in 64 slots. Each side runs in a fresh process, on prompts
of the default set about made-up posts:

- time: seconds of ask over the ideal, requests / slots * latency; once with as many requests in flight as there
  are slots, once with a quarter more, so that no slot waits for its next request to arrive;
- client: processor time of ask over that of workers that call a bare AsyncOpenAI and store nothing;
- memory: peak memory with many requests minus that with 1,000, against a server that answers at once;
- ledger: seconds of asking the same many requests again, all answered from the ledger and written to a table;
- peer: with --peer, seconds of distilabel for the same conversations over ours. PYTHON is that of an environment
  with ``pip install 'distilabel[openai]' requests``.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.common import ROOT, Ratio, format_result
from cotpd.data.records import Kind
from cotpd.data.tables import write_table
from cotpd.llm.answer_reader import read_answers
from cotpd.llm.ask import ask
from cotpd.llm.params import LlmParams
from cotpd.llm.prompts import PromptSet
from cotpd.llm.question import Question

TIME, CLIENT, MEMORY_MB, LEDGER_S = 1.10, 1.15, 100.0, 10.0
SMALL_COUNT = 1000  # requests that the memory of many is compared with


def build_questions(count: int) -> Iterator[Question]:
    """Yield questions about made-up posts, no two alike."""
    prompts = PromptSet.load("default")
    for number in range(count):
        prompt = prompts.render(
            Kind.NOUN, text=f"Number {number} saw the final at Wembley with friends from Leeds !!"
        )
        yield Question(str(number), Kind.NOUN, prompt.messages, prompt.schema, 64)


def ask_with_cotpd(url: str, count: int, slots: int, ledger: str) -> None:
    """Ask as step ask does: every answer goes into the ledger, then into a table.

    Raises:
        SystemExit: A request was not answered.
    """
    params = LlmParams(base_url=url, model="still", concurrency=slots, ledger=ledger, recorded=None)
    outcome = ask(build_questions(count), params, progress=False)
    written = write_table(f"{ledger}.answers.jsonl", read_answers(outcome, params))
    if written != count:
        raise SystemExit(f"{written} of {count} requests were answered: {outcome.list_quarantined('ask')[:1]}")


async def ask_with_bare_client(url: str, count: int, slots: int) -> None:
    """Ask with workers that call the openai package and store nothing."""
    from openai import AsyncOpenAI  # noqa: PLC0415  its memory must not count for a side that does not load it

    questions = build_questions(count)

    async def ask_in_turn(client: AsyncOpenAI) -> None:
        for question in questions:
            await client.chat.completions.create(
                model="still", messages=question.messages, max_tokens=64, temperature=0.0, seed=13
            )

    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
        await asyncio.gather(*(ask_in_turn(client) for _ in range(slots)))


@contextmanager
def run_server(latency: float, slots: int, spread: float = 0.0) -> Iterator[str]:
    """Run the chat server in a process of its own; give its address."""
    command = [sys.executable, "-m", "benchmarks.chat_server", "--latency", str(latency), "--slots", str(slots)]
    command += ["--spread", str(spread)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.kill()


def measure_side(side: str, url: str, count: int, slots: int, ledger: Path) -> dict[str, float]:
    """Run a side, "ours" or "bare", in a fresh process; return its seconds, cpu (seconds) and peak_mb.

    Raises:
        SystemExit: The process failed.
    """
    command = [sys.executable, "-m", "benchmarks.ask", "--side", side, url, str(count), str(slots), str(ledger)]
    return _read_figures(command, side, count)


def _read_figures(command: list[str], side: str, count: int) -> dict[str, float]:
    """Run a command and print the figures of its last line, which is JSON; return them."""
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if process.returncode:
        raise SystemExit(f"{side} failed:\n{process.stderr}")
    figures: dict[str, float] = json.loads(process.stdout.splitlines()[-1])
    line = ", ".join(f"{name} {value:,.2f}" for name, value in figures.items())
    print(f"{side:>10} {count:>7,} requests: {line}", flush=True)
    return figures


def measure_distilabel(python: str, url: str, count: int, slots: int, folder: Path) -> dict[str, float]:
    """Put the same conversations to distilabel, in its own environment; return answered, seconds and cpu.

    Raises:
        SystemExit: The process failed.
    """
    conversations = folder / "conversations.jsonl"
    with conversations.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps({"messages": question.messages}) + "\n" for question in build_questions(count))
    script = str(Path(__file__).with_name("ask_peer.py"))
    command = [python, script, url, str(conversations), str(slots), str(folder / "distilabel")]
    return _read_figures(command, "distilabel", count)


def _run_side(side: str, url: str, count: str, slots: str, ledger: str) -> None:
    """Ask in this process, and print its seconds, processor seconds and peak memory as a line of JSON."""
    wall_start, cpu_start = time.perf_counter(), time.process_time()
    if side == "ours":
        ask_with_cotpd(url, int(count), int(slots), ledger)
    else:
        asyncio.run(ask_with_bare_client(url, int(count), int(slots)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    figures = {
        "seconds": time.perf_counter() - wall_start,
        "cpu": time.process_time() - cpu_start,
        "peak_mb": peak,
    }
    print(json.dumps(figures))


def main(arguments: list[str] | None = None) -> None:
    """Run every part and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--many", type=int, default=100_000, help="requests of the memory and ledger parts")
    parser.add_argument("--latency", type=float, default=0.2, help="of the server, in seconds")
    parser.add_argument("--slots", type=int, default=64, help="of the server, and requests in flight")
    parser.add_argument("--peer", metavar="PYTHON", help="of an environment with distilabel")
    parser.add_argument("--side", nargs=5, help=argparse.SUPPRESS)  # how this benchmark calls itself for one side
    options = parser.parse_args(arguments)
    if options.side:
        _run_side(*options.side)
        return
    with tempfile.TemporaryDirectory() as folder:
        ratios = _measure_ratios(options, Path(folder))
    print(format_result("ask", ratios))


def _measure_ratios(options: argparse.Namespace, folder: Path) -> dict[str, Ratio]:
    """Run all sides, one after the other; return each part's ratio or figure beside its target."""
    count, large_count, slots = options.requests, options.many, options.slots
    with run_server(options.latency, slots) as url:
        cotpd = measure_side("ours", url, count, slots, folder / "time.db")
        wider = measure_side("ours", url, count, slots * 5 // 4, folder / "wider.db")
        bare = measure_side("bare", url, count, slots, folder / "none.db")
        peer = measure_distilabel(options.peer, url, count, slots, folder) if options.peer else None
    with run_server(0.0, slots) as url:
        small = measure_side("ours", url, min(SMALL_COUNT, large_count), slots, folder / "small.db")
        large = measure_side("ours", url, large_count, slots, folder / "large.db")
        repeated = measure_side("ours", url, large_count, slots, folder / "large.db")

    ideal = count / slots * options.latency
    ratios = {
        "time_over_ideal": Ratio(cotpd["seconds"] / ideal, TIME, "low"),
        "time_over_ideal_a_quarter_more_in_flight": Ratio(wider["seconds"] / ideal, TIME, "low"),
        "client_cpu_over_bare_loop": Ratio(cotpd["cpu"] / bare["cpu"], CLIENT, "low"),
        "memory_growth_mb": Ratio(max(1.0, large["peak_mb"] - small["peak_mb"]), MEMORY_MB, "low"),
        "all_in_ledger_seconds": Ratio(repeated["seconds"], LEDGER_S, "low"),
    }
    if peer:
        ratios["distilabel_time_over_ours"] = Ratio(peer["seconds"] / cotpd["seconds"], 1.0, "high")
    return ratios


if __name__ == "__main__":
    main()
