"""DVC watches what it runs: each stage's deps cover the modules that its step imports, directly or not."""

import ast
from collections.abc import Iterator
from itertools import accumulate, chain
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]

# Modules that no stage watches, and that are not followed further: an edit of one changes no output. Any other
# module that a step imports is watched. docs/architecture.md, "Inputs that DVC watches", says the same in words.
UNWATCHED = {
    # how a step starts, tells what it does, and ends
    "cotpd/__init__.py",
    "steps/__init__.py",
    "steps/common.py",
    "cotpd/counts.py",
    "cotpd/environment.py",
    "cotpd/errors.py",
    "cotpd/escaping.py",
    "cotpd/extras.py",
    "cotpd/interrupts.py",
    "cotpd/liveness.py",
    "cotpd/passwords.py",
    "cotpd/progress.py",
    "cotpd/service_errors.py",
    "cotpd/startup.py",
    # where work is computed: outputs are the same to the byte on any engine, which tests/engine states
    "cotpd/engine/__init__.py",
    "cotpd/engine/ordered_map.py",
    "cotpd/engine/ray_cluster.py",
    "cotpd/engine/ray_engine.py",
    "cotpd/engine/shard_cutter.py",
    "cotpd/engine/shard_task.py",
    "cotpd/engine/worker_environment.py",
    # how a file is written whole; what is written is up to others
    "cotpd/files.py",
    "cotpd/storage.py",
    # how params.yaml is read; DVC watches its values, which come out of it checked and unchanged
    "cotpd/config.py",
    "cotpd/outputs.py",
    "cotpd/parameter_file.py",
    "cotpd/section.py",
    "cotpd/yaml_files.py",
    # where weights are fetched from; the catalogue, which is watched, pins every byte of them
    "cotpd/weights/cache.py",
    "cotpd/weights/sources.py",
    # where curves are shown, and where a registered model lies: training writes folders, and the steps read folders
    "cotpd/registry/training_curves.py",
    "cotpd/registry/model_address.py",
    "cotpd/registry/store_answers.py",
}
# Whole packages that one stage does not watch although its step imports them.
UNWATCHED_BY_STAGE = {
    # A captioner on this machine may take hours and asks nothing. The captions that a vision model wrote are in the
    # ledger, which gives back the same ones whichever version of cotpd.llm looks them up.
    "caption": ("cotpd/llm",),
    # Scoring may take an hour. Of these packages it reads what the answers cost, and the prompts: the ledger keeps
    # the tokens whichever version looks them up, and what changes an answer runs the steps before this one again.
    "evaluate": ("cotpd/llm", "cotpd/augment", "cotpd/expectations", "cotpd/completions"),
    # A task says which labels a post has, and builds heads and decoders for other steps.
    "prepare": ("cotpd/student/heads.py", "cotpd/student/decoders.py"),
}


def find_module(name: str) -> Path | None:
    """Return the file of a module of this repository; None for anything else."""
    base = ROOT.joinpath(*name.split("."))
    candidates = [base / "__init__.py", base.with_suffix(".py")]
    return next((path for path in candidates if path.is_file()), None)


def iterate_executed(tree: ast.AST, *, is_package: bool) -> Iterator[ast.AST]:
    """Yield every node but those that only a type checker reads, or only a package's lazy attribute runs."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if is_package and isinstance(child, ast.FunctionDef) and child.name == "__getattr__":
            continue
        yield child
        yield from iterate_executed(child, is_package=False)


def list_imports(path: Path) -> set[Path]:
    """Return the modules of this repository that a module imports, within its functions too, and their packages."""
    tree, names = ast.parse(path.read_text("utf-8")), set()
    for node in iterate_executed(tree, is_package=path.name == "__init__.py"):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    if "cotpd.student.Student" in names:  # the package's lazy attribute
        names.add("cotpd.student.student")
    ancestors = set(chain.from_iterable(accumulate(name.split("."), "{}.{}".format) for name in names))
    return {module for name in ancestors if (module := find_module(name))}


def compute_closure(step: Path, excluded: frozenset[str] = frozenset()) -> set[str]:
    """Return every module that a step imports, directly or not, itself included, as paths from the root."""
    closure: set[str] = set()
    pending = [step]
    while pending:
        path = pending.pop()
        name = path.relative_to(ROOT).as_posix()
        if name in closure or is_within(name, excluded):
            continue
        closure.add(name)
        pending += list_imports(path)
    return closure


def is_within(name: str, paths: frozenset[str]) -> bool:
    return any(path.as_posix() in paths for path in (Path(name), *Path(name).parents))


def has_code(name: str) -> bool:
    """Whether a module holds more than its docstring."""
    return len(ast.parse((ROOT / name).read_text("utf-8")).body) > 1


def list_watched(stage: str) -> list[str]:
    """Return the code among a stage's deps: files and folders of this repository that a package holds."""
    deps = [dep for dep in STAGES[stage]["deps"] if dep.startswith(("steps/", "cotpd/"))]
    return [dep for dep in deps if dep.endswith(".py") or any((ROOT / dep).glob("*.py"))]


def list_needed(stage: str) -> set[str]:
    """Return the modules that a stage has to watch; params.py hold what DVC watches as parameters."""
    excluded = frozenset(UNWATCHED | {*UNWATCHED_BY_STAGE.get(stage, ())})
    closure = compute_closure(ROOT / f"steps/{stage}.py", excluded)
    return {name for name in closure if has_code(name) and Path(name).name != "params.py"}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_watches_every_module_that_its_step_imports(stage: str) -> None:
    watched = frozenset(list_watched(stage))

    missing = sorted(name for name in list_needed(stage) if not is_within(name, watched))

    assert missing == [], f"add to the deps of {stage} in dvc.yaml, or to UNWATCHED with a reason"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_watches_no_code_that_its_step_does_not_import(stage: str) -> None:
    needed = list_needed(stage)

    idle = set(list_watched(stage))
    for name in needed:
        idle -= {dep for dep in idle if is_within(name, frozenset([dep]))}

    assert idle == set()


@pytest.mark.parametrize("stage", STAGES)
def test_every_dependency_in_the_repository_exists(stage: str) -> None:
    outputs = ("$", "data/", "models/", "reports/")

    absent = [dep for dep in STAGES[stage]["deps"] if not dep.startswith(outputs) and not (ROOT / dep).exists()]

    assert absent == []


def test_every_output_can_be_pushed_so_that_a_clone_that_pulls_has_nothing_to_run() -> None:
    outputs = chain.from_iterable(stage["outs"] + stage.get("metrics", []) for stage in STAGES.values())

    options = chain.from_iterable(output.values() for output in outputs if isinstance(output, dict))

    assert not any(option.get("cache") is False for option in options)


def test_a_module_that_is_not_watched_is_one_that_a_step_imports() -> None:
    imported = set().union(*(compute_closure(ROOT / f"steps/{stage}.py") for stage in STAGES))

    assert sorted(UNWATCHED - imported) == []


def test_an_edit_of_a_reader_or_of_the_http_client_trains_nothing_again() -> None:
    for stage in ("baseline", "teach", "train"):
        watched = frozenset(list_watched(stage))

        assert not is_within("cotpd/data/readers/jsonl.py", watched)
        assert not is_within("cotpd/llm/ask.py", watched)
        assert not is_within("cotpd/registry/pack.py", watched)


def test_an_import_within_a_function_counts_and_one_for_the_type_checker_does_not() -> None:
    source = "if TYPE_CHECKING:\n    import cotpd.config\ndef f():\n    from cotpd import files\n"

    nodes = [node for node in iterate_executed(ast.parse(source), is_package=False) if isinstance(node, ast.stmt)]

    assert [type(node) for node in nodes] == [ast.FunctionDef, ast.ImportFrom]
