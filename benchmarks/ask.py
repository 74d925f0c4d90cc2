"""Asking: time over the ideal, cost beside a bare loop, memory, and how fast it is where the ledger has it all.

    python -m benchmarks.ask [--requests 10000] [--many 100000] [--latency 0.2] [--slots 64] [--peer PYTHON]

A server of its own process answers after 200 ms with 64 slots. Each side runs in a fresh process, on prompts of
the default set about made-up posts:

- time: the whole of ask over requests / slots * latency, with as many requests in flight as there are slots, and
  with a quarter more, so that a slot need not wait for its next request to be on its way;
- client: processor time a request, over that of workers that call a bare AsyncOpenAI and keep nothing;
- memory: the peak with many requests over that with 1,000, against a server that answers at once;
- ledger: the ask of those many once more, now that all are in the ledger, answers written to a table;
- peer: with --peer, the Python of an environment in which ``pip install 'distilabel[openai]' requests`` was
  done, the time of distilabel for the same conversations over ours.
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
from typing import Any

from benchmarks.common import ROOT, Ratio, format_result
from cotpd.data.records import Kind
from cotpd.data.tables import write_table
from cotpd.llm.answer_reader import read_answers
from cotpd.llm.ask import ask
from cotpd.llm.params import LlmParams
from cotpd.llm.prompts import PromptSet
from cotpd.llm.question import Question

TIME, CLIENT, MEMORY_MB, LEDGER_S = 1.10, 1.15, 100.0, 10.0
_FEW = 1000


def posts(count: int) -> Iterator[Question]:
    """Questions about made-up posts, no two alike."""
    prompts = PromptSet.load("default")
    for number in range(count):
        prompt = prompts.render(
            Kind.NOUN, text=f"Number {number} saw the final at Wembley with friends from Leeds !!"
        )
        yield Question(str(number), Kind.NOUN, prompt.messages, prompt.schema, 64)


def ours(url: str, count: int, slots: int, ledger: str) -> None:
    """The ask step: every answer in the ledger, then in a table."""
    params = LlmParams(base_url=url, model="still", concurrency=slots, ledger=ledger, recorded=None)
    asked = ask(posts(count), params, progress=False)
    written = write_table(f"{ledger}.answers.jsonl", read_answers(asked, params))
    if written != count:
        raise SystemExit(f"{written} of {count} requests were answered: {asked.list_quarantined('ask')[:1]}")


async def bare(url: str, count: int, slots: int) -> None:
    """Workers that call the openai package and keep nothing."""
    from openai import AsyncOpenAI

    waiting = posts(count)

    async def work(client: AsyncOpenAI) -> None:
        for one in waiting:
            await client.chat.completions.create(
                model="still", messages=one.messages, max_tokens=64, temperature=0.0, seed=13
            )

    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
        await asyncio.gather(*(work(client) for _ in range(slots)))


@contextmanager
def server(latency: float, slots: int) -> Iterator[str]:
    """A server of its own; gives its address."""
    command = [sys.executable, "-m", "benchmarks.chat_server", "--latency", str(latency), "--slots", str(slots)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        try:
            yield f"http://127.0.0.1:{int(running.stdout.readline())}/v1"
        finally:
            running.kill()


def measured(side: str, url: str, count: int, slots: int, ledger: Path) -> dict[str, float]:
    """Run a side in a fresh process; its seconds, processor seconds and peak resident MB."""
    command = [sys.executable, "-m", "benchmarks.ask", "--side", side, url, str(count), str(slots), str(ledger)]
    return _last(command, side, count)


def _last(command: list[str], side: str, count: int) -> dict[str, float]:
    """Run a command; its last line, shown and read."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    said = ", ".join(f"{name} {value:,.2f}" for name, value in found.items())
    print(f"{side:>10} {count:>7,} requests: {said}", flush=True)
    return found


def distilabel(python: str, url: str, count: int, slots: int, folder: Path) -> dict[str, float]:
    """The same conversations, asked by distilabel in an environment of its own."""
    conversations = folder / "conversations.jsonl"
    with conversations.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps({"messages": one.messages}) + "\n" for one in posts(count))
    script = str(Path(__file__).with_name("ask_peer.py"))
    command = [python, script, url, str(conversations), str(slots), str(folder / "distilabel")]
    return _last(command, "distilabel", count)


def _side(side: str, url: str, count: str, slots: str, ledger: str) -> None:
    began, before = time.perf_counter(), time.process_time()
    if side == "ours":
        ours(url, int(count), int(slots), ledger)
    else:
        asyncio.run(bare(url, int(count), int(slots)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    took: dict[str, Any] = {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - before,
        "peak_mb": peak,
    }
    print(json.dumps(took))


def main(arguments: list[str] | None = None) -> None:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--many", type=int, default=100_000, help="requests of the memory and ledger parts")
    parser.add_argument("--latency", type=float, default=0.2, help="of the server, in seconds")
    parser.add_argument("--slots", type=int, default=64, help="of the server, and requests in flight")
    parser.add_argument("--peer", metavar="PYTHON", help="of an environment with distilabel")
    parser.add_argument("--side", nargs=5, help=argparse.SUPPRESS)  # a process of this benchmark's own
    given = parser.parse_args(arguments)
    if given.side:
        _side(*given.side)
        return
    with tempfile.TemporaryDirectory() as folder:
        ratios = _ratios(given, Path(folder))
    print(format_result("ask", ratios))


def _ratios(given: argparse.Namespace, folder: Path) -> dict[str, Ratio]:
    with server(given.latency, given.slots) as url:
        own = measured("ours", url, given.requests, given.slots, folder / "time.db")
        more = measured("ours", url, given.requests, given.slots * 5 // 4, folder / "more.db")
        plain = measured("bare", url, given.requests, given.slots, folder / "none.db")
        peer = distilabel(given.peer, url, given.requests, given.slots, folder) if given.peer else None
    with server(0.0, given.slots) as url:
        few = measured("ours", url, min(_FEW, given.many), given.slots, folder / "few.db")
        many = measured("ours", url, given.many, given.slots, folder / "many.db")
        again = measured("ours", url, given.many, given.slots, folder / "many.db")
    ideal = given.requests / given.slots * given.latency
    ratios = {
        "time_over_ideal": Ratio(own["seconds"] / ideal, TIME, "low"),
        "time_over_ideal_a_quarter_more_in_flight": Ratio(more["seconds"] / ideal, TIME, "low"),
        "client_cpu_over_bare_loop": Ratio(own["cpu"] / plain["cpu"], CLIENT, "low"),
        "memory_growth_mb": Ratio(max(1.0, many["peak_mb"] - few["peak_mb"]), MEMORY_MB, "low"),
        "all_in_ledger_seconds": Ratio(again["seconds"], LEDGER_S, "low"),
    }
    if peer:
        ratios["distilabel_time_over_ours"] = Ratio(peer["seconds"] / own["seconds"], 1.0, "high")
    return ratios


if __name__ == "__main__":
    main()
