"""The project: parameters, data, git, DVC, ledger, weights."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from cotpd.code_record import CODE_RECORD, explain_other_code
from cotpd.config import Params, load_params
from cotpd.counts import format_count
from cotpd.doctor.finding import Finding, Status
from cotpd.pipeline.params_file import UPGRADE, list_missing
from cotpd.weights import find_cache_folder, find_cached, find_model

_WRITTEN_BY_TOOLS = ("params.yaml", "dvc.yaml", "dvc.lock")
_WORDS = re.compile(r"[\w.]+")
_CONFLICT = ("<<<<<<< ", ">>>>>>> ")
_LEAST_POSTGRESQL = 13  # whose gen_random_uuid() makes the tables of Prefect's server, mostly beside the ledger


def check_parameters(root: Path) -> Iterator[Finding]:
    """Check that params.yaml is there and valid, and that no file of the graph has a conflict of git's in it."""
    for name in _WRITTEN_BY_TOOLS:
        path = root / name
        if path.is_file() and any(line.startswith(_CONFLICT) for line in _read_lines(path)):
            yield Finding(
                "parameters", Status.PROBLEM, f"{name} holds a conflict of git's", f"Resolve it in {name}."
            )
            return
    params = load_params(root / "params.yaml")
    yield Finding(
        "parameters", Status.OK, f"params.yaml is valid: task {params.task}, encoder {params.student.encoder}"
    )
    yield from _check_age(root)
    if not (root / "dvc.yaml").is_file():
        remedy = "Run in the project's folder; the file comes with it."
        yield Finding("parameters", Status.PROBLEM, "there is no dvc.yaml here", remedy)


def _check_age(root: Path) -> Iterator[Finding]:
    """Check that params.yaml has every parameter: `dvc repro` stops at one that dvc.yaml names."""
    missing = list_missing(root / "params.yaml")
    graph = (
        set(_WORDS.findall("\n".join(_read_lines(root / "dvc.yaml")))) if (root / "dvc.yaml").is_file() else set()
    )
    if missing:
        stops = bool(graph.intersection(missing))
        effect = "DVC stops at those that dvc.yaml names" if stops else "their defaults count"
        problem = f"params.yaml is of an earlier release and lacks {', '.join(missing)}; {effect}"
        yield Finding("parameters", Status.PROBLEM if stops else Status.NOTE, problem, UPGRADE)


def check_code(root: Path) -> Iterator[Finding]:
    """Check that a project of `cotpd init` is of the code that is installed."""
    if not (root / CODE_RECORD).is_file():
        return
    for package in ("cotpd", "steps", "flows"):
        if (root / package).is_dir() or (root / f"{package}.py").is_file():
            problem = f"{package} of this folder hides the installed package of that name"
            yield Finding("code", Status.PROBLEM, problem, "Rename it.")
    if (error := explain_other_code(root)) is not None:
        yield Finding("code", Status.PROBLEM, error.problem, error.remedy)
    else:
        yield Finding("code", Status.OK, f"the project is of the installed code, cotpd {version('cotpd')}")


def check_data(params: Params, root: Path) -> Iterator[Finding]:
    """Check that the data set is where data.path says."""
    path = root / params.data.path
    if not params.data.path:
        yield Finding("data", Status.PROBLEM, "data.path names no data set", "Set it in params.yaml.")
    elif path.exists():
        yield Finding("data", Status.OK, f"{params.data.path} is there; `cotpd data check` reads it")
    else:
        remedy = "Set data.path, or bring the folder here (dvc pull, if DVC keeps it)."
        yield Finding("data", Status.PROBLEM, f"data.path: {path.resolve()} is not there", remedy)


def check_git(root: Path) -> Iterator[Finding]:
    """Check that git is there, and that the folder is a repository, for DVC needs both."""
    if shutil.which("git") is None:
        yield Finding("git", Status.PROBLEM, "git is not installed", "Install it: DVC needs it.")
        return
    answer = subprocess.run(
        ["git", "rev-parse", "--show-toplevel"], cwd=root, capture_output=True, text=True, check=False, timeout=30
    )
    if answer.returncode:
        words = answer.stderr.strip().splitlines()[:1] or ["git fails"]
        is_owned = "dubious ownership" in answer.stderr
        remedy = f"git config --global --add safe.directory {root.resolve()}" if is_owned else "Run: git init"
        yield Finding("git", Status.PROBLEM, words[0], remedy)
        return
    yield Finding("git", Status.OK, f"repository {answer.stdout.strip()}")


def check_dvc(root: Path) -> Iterator[Finding]:
    """Check that DVC is set up in this folder."""
    if (root / ".dvc").is_dir():
        yield Finding("dvc", Status.OK, "set up in this folder")
    elif (root / "dvc.yaml").is_file():
        yield Finding(
            "dvc", Status.PROBLEM, f"{root.resolve()} holds no .dvc", "Run: dvc init (--subdir below git's top)"
        )


def check_ledger(params: Params) -> Iterator[Finding]:
    """Check that the ledger can be opened, and that its answers are as they were written."""
    from cotpd.llm.ledger.database_address import find_ledger_file  # noqa: PLC0415  needs the extra llm
    from cotpd.llm.ledger.ledger import Ledger  # noqa: PLC0415  needs the extra llm

    path = find_ledger_file(params.llm.ledger)
    if path is not None and not path.exists():
        yield Finding("ledger", Status.OK, f"{path}: none yet; the first answer makes it")
        return
    with Ledger(params.llm.ledger) as ledger:
        if path is None:
            yield describe_postgresql(ledger.database.read("SHOW server_version")[0][0])
        answers = format_count(sum(count for _, count, _, _ in ledger.count_by_model()), "answer")
        damaged = ledger.find_damaged()
        if damaged:
            problem = f"{ledger.name}: {len(damaged)} of {answers} not as written"
            yield Finding("ledger", Status.NOTE, problem, "They are asked again; or import an export.")
        elif ledger.database.read_only:
            remedy = "Make the file and its folder writable, or set llm.ledger to a copy."
            yield Finding("ledger", Status.NOTE, f"{ledger.name}: {answers}, read-only", remedy)
        else:
            yield Finding("ledger", Status.OK, f"{ledger.name}: {answers}, sound")


def describe_postgresql(version: str) -> Finding:
    """Check the version of the ledger's server, which mostly keeps the tables of Prefect and MLflow, too."""
    if int(version.partition(".")[0].split()[0]) >= _LEAST_POSTGRESQL:
        return Finding("ledger", Status.OK, f"PostgreSQL {version}")
    problem = f"PostgreSQL is {version}: enough for the ledger, and Prefect's server needs {_LEAST_POSTGRESQL}"
    return Finding("ledger", Status.NOTE, problem, "Upgrade it before Prefect's server keeps its tables there.")


def check_weights(params: Params) -> Iterator[Finding]:
    """Check whether the encoders are in the cache, or will be fetched."""
    cache = find_cache_folder()
    teachers = params.teach.list_teachers(params.student.encoder) if params.distil.way == "frozen" else []
    for name in dict.fromkeys([params.student.encoder, *(teacher.encoder for teacher in teachers)]):
        model = find_model(name)
        if Path(name).is_dir():
            yield Finding("weights", Status.OK, f"{name}: a folder here")
        elif model is None:
            yield Finding(
                "weights", Status.NOTE, f"{name} is not catalogued: the Hugging Face hub is asked for it"
            )
        elif find_cached(model):
            yield Finding("weights", Status.OK, f"{name} is in {cache}")
        else:
            size = f"{model.size / 1e6:,.0f} MB"
            yield Finding("weights", Status.NOTE, f"{name} will be fetched, {size}", f"cotpd models fetch {name}")


def _read_lines(path: Path) -> list[str]:
    return path.read_text("utf-8", errors="replace").splitlines()
