"""On a Ray cluster of real processes: the results of one process, whatever machine is lost on the way."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cotpd.data.picture_files import PictureFolder
from cotpd.data.tables import write_table
from cotpd.engine.ordered_map import LOCAL, Engine, open_engine
from cotpd.engine.params import ScaleParams
from cotpd.errors import ConfigError, DataError
from cotpd.llm.answer_reader import read_answers
from cotpd.llm.ask import ask, ask_all
from cotpd.scoring.batch_job import BatchJob
from cotpd.scoring.row_predictions import BatchOptions
from cotpd.scoring.scoring_model import load_scoring_model
from tests.builders import build_post
from tests.chat_server import build_questions, list_committed_texts
from tests.engine.ray_nodes import add_node, kill_node
from tests.engine.works import (
    ASK_ON_RAY,
    ON_ANOTHER_HOST,
    WITH_OLD_NUMPY,
    WITHOUT_COTPD,
    SizeCaptioner,
    end_process,
    fail_at,
    multiply_slowly,
    report_node,
)
from tests.postgres import create_database
from tests.scoring.doubles import build_rows, write_rows

pytestmark = pytest.mark.slow
MANY = [str(number) for number in range(300)]


@pytest.fixture
def node(cluster: Any) -> Iterator[Any]:
    """A second node, which a test may kill."""
    node = add_node(cluster)
    yield node
    if node in cluster.worker_nodes:
        cluster.remove_node(node)


@pytest.fixture
def engine(scale: ScaleParams) -> Iterator[Engine]:
    with open_engine(scale) as engine:
        yield engine


@pytest.fixture
def add_odd_node(cluster: Any, scale: ScaleParams, tmp_path: Path) -> Iterator[Callable[[str], ScaleParams]]:
    """Adds a node whose workers run some code first; returns parameters whose shards fit on no other."""
    nodes = []

    def add(code: str) -> ScaleParams:
        (tmp_path / "sitecustomize.py").write_text(code)
        path = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        nodes.append(add_node(cluster, {"PYTHONPATH": path}, num_cpus=2))
        return scale.model_copy(update={"num_cpus": 2.0})

    yield add
    for node in nodes:
        cluster.remove_node(node)


def call_once(is_time: Callable[[], bool], act: Callable[[], None]) -> threading.Thread:
    """Act in a thread as soon as it is time."""

    def wait() -> None:
        until = time.monotonic() + 120
        while not is_time() and time.monotonic() < until:
            time.sleep(0.01)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_results_come_in_order_from_the_processes_of_two_nodes(node: Any, engine: Engine) -> None:
    results = list(engine.map_in_order(partial(multiply_slowly, 0.01), range(100)))
    nodes: set[int] = set()
    until = time.monotonic() + 120
    while len(nodes) < 2 and time.monotonic() < until:  # a node may be slow to start its process
        nodes.update(engine.map_in_order(report_node, range(40)))

    assert results == [2 * number for number in range(100)]
    assert len(nodes) == 2


def test_an_error_comes_behind_the_results_before_it_as_it_does_in_one_process(engine: Engine) -> None:
    results = []

    with pytest.raises(DataError, match="row 33: broken\n  Mend it"):
        results.extend(engine.map_in_order(partial(fail_at, 33), range(100)))  # extend keeps what came before

    assert results == list(range(33))


def test_a_lost_node_costs_no_committed_answer_and_changes_no_byte(
    node: Any, cluster: Any, engine: Engine, server: Any, params: Any, postgres: str, tmp_path: Path
) -> None:
    params = params.model_copy(update={"ledger": create_database(postgres, "ray"), "timeout": 100.0})
    server.latency, committed = 0.05, set()

    def kill() -> None:
        committed.update(list_committed_texts(params))
        kill_node(cluster, node)

    killer = call_once(lambda: len(server.received) > 60, kill)

    outcome = ask(build_questions(*MANY), params, progress=False, engine=engine)

    killer.join()
    counts = Counter(server.list_texts())
    assert committed
    assert {text for text in committed if counts[text] > 1} == set()
    assert sum(counts.values()) - len(MANY) <= params.concurrency  # what was in flight on the lost node
    write_table(tmp_path / "ray.jsonl", read_answers(outcome, params))
    local = ask(build_questions(*MANY), params, progress=False)
    write_table(tmp_path / "local.jsonl", read_answers(local, params))
    assert local.from_server == 0
    assert (tmp_path / "ray.jsonl").read_bytes() == (tmp_path / "local.jsonl").read_bytes()


def test_a_lost_node_changes_no_byte_of_a_scored_file(
    node: Any, cluster: Any, engine: Engine, students: dict[str, Path], tmp_path: Path
) -> None:
    source, model = write_rows(tmp_path / "posts.csv", build_rows(1200)), load_scoring_model(str(students["ner"]))
    options, killed = BatchOptions(batch_size=2), []

    def watch(count: int, _total: int) -> None:
        if count > 200 and not killed:
            killed.append(kill_node(cluster, node))

    BatchJob(str(source), str(tmp_path / "ray.jsonl"), options).run(model, show=False, watch=watch, engine=engine)

    BatchJob(str(source), str(tmp_path / "local.jsonl"), options).run(model, show=False, engine=LOCAL)
    assert killed
    for suffix in ("", ".meta.json"):
        ray, local = (tmp_path / f"{name}.jsonl{suffix}" for name in ("ray", "local"))
        assert ray.read_bytes() == local.read_bytes()


def test_captions_are_those_of_one_process_bad_pictures_included(
    node: Any, engine: Engine, tmp_path: Path
) -> None:
    for number in range(1, 30):
        Image.new("RGB", (number, 30 - number), "red").save(tmp_path / f"{number}.png")
    (tmp_path / "7.png").write_text("no picture")
    posts = [build_post("look", id=str(number), image=f"{number}.png") for number in range(31)]

    captions = SizeCaptioner().caption(posts, PictureFolder(tmp_path), engine)

    assert captions == SizeCaptioner().caption(posts, PictureFolder(tmp_path))
    assert sum(caption.caption is None for caption in captions) == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_ends_in_seconds_and_loses_no_answer(
    scale: ScaleParams, server: Any, params: Any, number: int
) -> None:
    server.latency = 0.05
    command = [sys.executable, "-c", ASK_ON_RAY, scale.model_dump_json(), params.model_dump_json()]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while len(server.received) < 20:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until, "it does not ask"
        time.sleep(0.01)

    process.send_signal(number)
    process.communicate(timeout=120)

    assert process.returncode
    result = ask_all(build_questions(*MANY), params, progress=False)
    assert result.from_ledger >= 20 - params.concurrency
    assert len(server.received) - len(MANY) <= params.concurrency  # at most what was in flight is asked again


def test_a_worker_that_cannot_import_the_package_is_named(add_odd_node: Callable[[str], ScaleParams]) -> None:
    params = add_odd_node(WITHOUT_COTPD)

    with open_engine(params) as engine, pytest.raises(ConfigError, match=r"node 127.0.0.2 cannot import cotpd"):
        list(engine.map_in_order(partial(multiply_slowly, 0), range(3)))


def test_a_worker_with_another_version_of_a_package_is_named(add_odd_node: Callable[[str], ScaleParams]) -> None:
    params = add_odd_node(WITH_OLD_NUMPY)

    with open_engine(params) as engine, pytest.raises(ConfigError, match=r"has numpy 1\.0, and .* which started"):
        list(engine.map_in_order(partial(multiply_slowly, 0), range(3)))


def test_a_ledger_that_is_a_file_is_refused_on_another_machine_before_anything_is_asked(
    add_odd_node: Callable[[str], ScaleParams], server: Any, params: Any
) -> None:
    scale = add_odd_node(ON_ANOTHER_HOST)

    with open_engine(scale) as engine, pytest.raises(ConfigError, match=r"Ray node elsewhere .*\n.*PostgreSQL"):
        ask(build_questions("a"), params, progress=False, engine=engine)

    assert server.received == []


def test_a_shard_that_ends_its_process_each_time_is_given_up(engine: Engine) -> None:
    with pytest.raises(ConfigError, match="was lost 4 times"):
        list(engine.map_in_order(end_process, range(3)))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"num_gpus": 1.0}, "no machine of the Ray cluster has 1 core and 1 GPU"),
        ({"address": "127.0.0.1:9"}, "no Ray cluster answers at 127.0.0.1:9"),
    ],
)
def test_a_cluster_that_is_not_there_or_lacks_what_a_shard_needs_is_refused_at_once(
    scale: ScaleParams, changes: dict[str, Any], problem: str
) -> None:
    began = time.monotonic()

    with open_engine(scale.model_copy(update=changes)) as engine, pytest.raises(ConfigError, match=problem):
        list(engine.map_in_order(end_process, range(3)))

    assert time.monotonic() - began < 120  # Ray alone would go on for longer


def test_another_version_of_python_is_refused(scale: ScaleParams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray._private.utils.compute_version_info", lambda: ("2.60.0", "3.10.1"))

    with open_engine(scale) as engine, pytest.raises(ConfigError, match=r"has other versions .*3\.10\.1"):
        list(engine.map_in_order(end_process, range(3)))
