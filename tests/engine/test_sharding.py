"""What sharding does without a cluster: how shards are cut, what travels to a worker, how outcomes are joined."""

import pickle
import socket
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError as PydanticError

from cotpd.data.records import Kind
from cotpd.engine.ordered_map import LOCAL
from cotpd.engine.params import ScaleParams
from cotpd.engine.shard_cutter import ShardCutter
from cotpd.engine.shard_task import run_shard
from cotpd.engine.worker_environment import DriverEnvironment, compute_code_digest
from cotpd.errors import ConfigError, LlmError, ModelError
from cotpd.llm.ask import ask, ask_all
from cotpd.llm.outcome import AskedQuestion, AskingOutcome, UnansweredError
from cotpd.llm.sharded_asking import add_outcome, ask_shard, can_be_divided, divide_limits
from cotpd.llm.spending.budget import Budget, Spent
from cotpd.scoring.scoring_model import load_scoring_model
from tests.chat_server import build_questions
from tests.engine.works import multiply_slowly


def cut_all(cutter: ShardCutter[Any], seconds_of_work: float) -> list[list[Any]]:
    """Cut shards until the end, each measured at a speed; return their items."""
    shards = []
    while (shard := cutter.cut_next()) is not None:
        shards.append([pickle.loads(item) for item in shard.items])
        cutter.note_speed(shard.work, shard.work * seconds_of_work)
    return shards


def test_shards_grow_from_one_item_to_the_seconds_that_were_asked_for() -> None:
    shards = cut_all(ShardCutter(range(200), lambda _: 1.0, seconds=20), seconds_of_work=0.5)

    assert [len(shard) for shard in shards] == [1, 8, 40, 40, 40, 40, 31]
    assert list(chain.from_iterable(shards)) == list(range(200))


def test_shards_that_were_measured_in_no_time_raise_the_next_one_by_a_bounded_step() -> None:
    cutter = ShardCutter(range(1000), lambda _: 1.0, seconds=20)
    first = [cutter.cut_next() for _ in range(5)]  # sent before any of them is back

    for shard in first:
        cutter.note_speed(shard.work, seconds=0.0)  # such as of answers that the ledger has

    assert len(cutter.cut_next().items) == 8


def test_a_shard_is_cut_by_the_weight_of_its_items_and_not_by_their_number() -> None:
    weights = [1.0] * 9 + [40.0, *[1.0] * 40]

    shards = cut_all(ShardCutter(weights, lambda weight: weight, seconds=20), seconds_of_work=0.5)

    assert [sum(shard) for shard in shards] == [1, 8, 40, 40]
    assert [len(shard) for shard in shards] == [1, 8, 1, 40]


def test_a_shard_of_large_items_ends_before_it_fills_the_memory() -> None:
    cutter = ShardCutter([b"x" * 3_000_000] * 10, lambda _: 1.0, seconds=1000)
    cutter.note_speed(100, 0.001)

    shard = cutter.cut_next()

    assert shard is not None
    assert len(shard.items) == 3


def test_a_worker_loads_its_work_once_and_returns_what_it_computed_before_an_error(tmp_path: Path) -> None:
    driver = DriverEnvironment.describe()
    items = [pickle.dumps(number) for number in range(3)]

    first = run_shard("a", pickle.dumps(_Noted(str(tmp_path / "loads"))), driver, items)
    second = run_shard("a", b"is not read again", driver, items)

    assert first.results == second.results == [0, 2, 4]
    assert (tmp_path / "loads").read_text() == "loaded\n"


class _Noted:
    """A transform that notes each time it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        with Path(self.path).open("a") as out:
            out.write("loaded\n")

    def __call__(self, items: Any) -> Any:
        return multiply_slowly(0, items)


@pytest.mark.parametrize("name", ["numpy", "code of cotpd"])
def test_a_worker_with_another_version_or_edited_code_computes_nothing(name: str) -> None:
    driver = DriverEnvironment.describe()
    driver = DriverEnvironment("driver", driver.folder, driver.versions | {name: "0.0"})

    shard = run_shard(f"other {name}", b"", driver, [])

    assert isinstance(shard.error, ConfigError)
    assert f"has {name} " in shard.error.problem
    assert "driver" in shard.error.problem


def test_a_digest_of_code_changes_with_any_file_but_compiled_ones(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    digest = compute_code_digest(tmp_path)

    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/a.pyc").write_bytes(b"1")
    compiled = compute_code_digest(tmp_path)
    (tmp_path / "prompt.txt").write_text("ask")

    assert compiled == digest
    assert compute_code_digest(tmp_path) != digest


def test_errors_travel_with_problem_and_remedy() -> None:
    error = pickle.loads(pickle.dumps(LlmError("no answer", "Start it.")))
    unanswered = pickle.loads(
        pickle.dumps(UnansweredError("late", "Wait.", transient=True, refused_field="response_format"))
    )

    assert (type(error), error.problem, error.remedy, str(error)) == (
        LlmError,
        "no answer",
        "Start it.",
        "no answer\n  Start it.",
    )
    assert (str(unanswered), unanswered.remedy, unanswered.transient) == ("late", "Wait.", True)
    assert unanswered.refused_field == "response_format"


def test_outcomes_of_shards_are_joined_to_that_of_one_process(server: Any, params: Any, tmp_path: Path) -> None:
    questions = build_questions("a", "b", "a", "c", "b")  # some are asked twice, in two shards

    joined, bought = AskingOutcome(Budget.from_params(params)), set[str]()
    for shard in (questions[:2], questions[2:]):
        (outcome,) = ask_shard(ask, params, socket.gethostname(), shard)
        add_outcome(joined, pickle.loads(pickle.dumps(outcome)), bought)

    whole = ask(questions, params.model_copy(update={"ledger": str(tmp_path / "other.db")}), progress=False)
    assert (joined.from_server, joined.from_ledger) == (whole.from_server, whole.from_ledger) == (3, 0)
    assert [question.id for question in joined.questions] == [question.id for question in whole.questions]
    assert joined.budget.spent == whole.budget.spent == Spent(33, 9, 0.0)


def test_what_a_later_shard_was_answered_did_not_fail(params: Any) -> None:
    joined, bought = AskingOutcome(Budget.from_params(params)), set[str]()
    question = AskedQuestion("a", Kind.NOUN, "key")
    late = UnansweredError("late", "Wait.", transient=True)
    failed = AskingOutcome(Budget.from_params(params), [question], failures={"key": late})
    answered = AskingOutcome(Budget.from_params(params), [question], from_server=1)

    for share in (failed, answered, replace(answered, ledger_keys={"key"}, from_server=0)):
        add_outcome(joined, share, bought)

    assert (joined.list_quarantined("ask"), joined.from_server, joined.from_ledger) == ([], 1, 0)


def test_limits_are_divided_so_that_they_hold_together(params: Any) -> None:
    limited = params.model_copy(update={"concurrency": 9, "requests_per_minute": 60.0, "tokens_per_minute": None})

    share = divide_limits(limited, 4)

    assert (share.concurrency, share.requests_per_minute, share.tokens_per_minute) == (2, 15.0, None)
    assert Path(share.ledger).is_absolute()


@pytest.mark.parametrize("limit", [{"max_cost": 1.0}, {"max_tokens": 100}, {"mode": "batch"}])
def test_what_one_process_must_count_is_not_divided(params: Any, limit: dict[str, Any]) -> None:
    assert can_be_divided(params)
    assert not can_be_divided(params.model_copy(update=limit))


def test_the_local_engine_is_one_stream_in_this_process(params: Any) -> None:
    result = ask_all(build_questions("a"), params, progress=False, engine=LOCAL)

    assert result.from_server == 1
    assert list(LOCAL.map_in_order(lambda items: iter([sum(items)]), [1, 2, 3])) == [6]


def test_a_model_travels_as_its_address_and_is_refused_if_the_files_differ(students: dict[str, Path]) -> None:
    model = load_scoring_model(str(students["ner"]), "torch", "cpu")

    twin = pickle.loads(pickle.dumps(model))

    assert twin.describe() == model.describe()
    with pytest.raises(ModelError, match="its files differ"):
        pickle.loads(pickle.dumps(model._replace(digest="of other files")))


@pytest.mark.parametrize("address", ["ray://10.0.0.1:10001", "head", "10.0.0.1", "http://10.0.0.1:8265", ""])
def test_an_address_that_ray_would_take_minutes_to_refuse_is_refused_at_once(address: str) -> None:
    with pytest.raises(PydanticError, match=r"HOST:(PORT|6379)"):
        ScaleParams(address=address)


def test_an_address_of_the_environment_is_refused_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    from cotpd.engine.ray_cluster import connect

    monkeypatch.setenv("RAY_ADDRESS", "ray://10.0.0.1:10001")

    with pytest.raises(ConfigError, match=r"RAY_ADDRESS=ray://.*Ray Client is not supported"):
        connect(ScaleParams(engine="ray"))


def test_no_stage_depends_on_where_it_is_computed(root: Path) -> None:
    stages = yaml.safe_load((root / "dvc.yaml").read_text("utf-8"))["stages"]

    params = chain.from_iterable(stage.get("params", []) for stage in stages.values())
    deps = chain.from_iterable(stage["deps"] for stage in stages.values())

    assert [name for name in params if name.split(".")[0] == "scale"] == []
    assert [name for name in deps if name.startswith("cotpd/engine")] == []
