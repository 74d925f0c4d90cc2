"""A cut of this repository in which both doors run in seconds: eight posts, a tiny encoder, six stages."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path

import yaml

from cotpd.cli.params_editor import write_values
from cotpd.files import compute_sha256
from tests.builders import read_jsonl, write_jsonl
from tests.chat_server import FakeServer, build_completion, build_reply

ROOT = Path(__file__).parents[2]
STAGES = ("prepare", "caption", "ask", "validate", "augment", "teach", "train")
COPIED = (
    "cotpd",
    "steps",
    "flows",
    "expectations",
    ".dvc/config",
    ".dvcignore",
    ".gitignore",
    "dvc.yaml",
    "params.yaml",
    "prefect.yaml",
)
NOT_INPUTS = (
    ".git",
    ".dvc",
    "data",
    "models",
    "reports",
    "__pycache__",
    "ledger.db*",
    "mlflow.db*",
    "dvc.lock",
    "log",
)
CONCURRENCY = 2  # requests that a kill can lose
_POSTS = 8  # of a split
_ALL_STEPS = """
import importlib, sys
from cotpd.config import load_params
for name in sys.argv[1:]:
    importlib.import_module(f"steps.{name}").run(load_params())
"""


@dataclass
class Project:
    """A folder in which both doors work.

    Attributes:
        root: The folder, a git repository with a DVC project.
        server: Its language model.
        environment: Of each program that works in it.
        fresh: The outputs of a run from nothing, by the digest of its inputs.
        requests: What the server had answered when its first run had ended; a copy of it bought nothing else.
    """

    root: Path
    server: FakeServer
    environment: dict[str, str]
    fresh: dict[str, dict[str, str]] = field(default_factory=dict)
    requests: list[dict[str, object]] = field(default_factory=list)

    def copy_to(self, folder: Path) -> "Project":
        """Return a copy that shares the results of fresh runs; what other copies bought counts no more."""
        shutil.copytree(self.root, folder, symlinks=True)
        self.server.received = list(self.requests)
        paths = {"PYTHONPATH": str(folder)}
        return replace(self, root=folder, environment=self.environment | paths)

    def run(self, *command: str, cwd: Path | None = None) -> str:
        """Run a program and return its output."""
        process = subprocess.run(
            command,
            cwd=cwd or self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert process.returncode == 0, f"{command}: {process.stdout[-3000:]}{process.stderr[-3000:]}"
        return process.stdout

    def run_git(self, *arguments: str) -> str:
        """Run git."""
        return self.run("git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments)

    def commit(self) -> None:
        """Commit whatever was edited."""
        self.run_git("add", "-A")
        self.run_git("commit", "-qm", "edit", "--allow-empty")

    def list_outputs(self) -> list[str]:
        """Return the paths of all outputs."""
        stages = yaml.safe_load((self.root / "dvc.yaml").read_text("utf-8"))["stages"]
        outs = list(chain.from_iterable(stage["outs"] for stage in stages.values()))
        return [out if isinstance(out, str) else next(iter(out)) for out in outs]

    def digest_outputs(self, root: Path | None = None) -> dict[str, str]:
        """Return the sha256 of each output file."""
        root = root or self.root
        digests: dict[str, str] = {}
        for out in self.list_outputs():
            files = [root / out] if (root / out).is_file() else (root / out).rglob("*")
            digests |= {str(path.relative_to(root)): compute_sha256(path) for path in files if path.is_file()}
        return digests

    def digest_fresh_run(self) -> dict[str, str]:
        """Return the outputs of the same inputs in an empty folder, without DVC, cache or ledger."""
        with_folder = self.root.with_name(f"{self.root.name}-fresh")
        shutil.copytree(self.root, with_folder, ignore=self._list_ignored)
        files = (path for path in sorted(with_folder.rglob("*")) if path.is_file())
        inputs = [f"{path.relative_to(with_folder)} {compute_sha256(path)}" for path in files]
        key = hashlib.sha256("\n".join(inputs).encode()).hexdigest()
        if key not in self.fresh:
            requests = list(self.server.received)
            shutil.copy(self.root / "mlflow.db.empty", with_folder / "mlflow.db")
            self.environment["PYTHONPATH"] = str(with_folder)
            self.run(sys.executable, "-c", _ALL_STEPS, *STAGES, cwd=with_folder)
            self.environment["PYTHONPATH"] = str(self.root)
            self.fresh[key] = self.digest_outputs(with_folder)
            self.server.received = requests
        shutil.rmtree(with_folder)
        return self.fresh[key]

    def _list_ignored(self, folder: str, names: list[str]) -> set[str]:
        """Return what a fresh run begins without; of cotpd and its own folder `data` it needs all code."""
        patterns = NOT_INPUTS if Path(folder) == self.root else ("__pycache__",)
        return shutil.ignore_patterns(*patterns)(folder, names)

    def count_bought_twice(self) -> int:
        """Return how many requests the server has answered more than once."""
        counts = Counter(json.dumps(body, sort_keys=True) for body in self.server.received)
        return counts.total() - len(counts)


def build_project(folder: Path, encoder: Path, registry: Path, settings: dict[str, str]) -> Project:
    """Build a project that has not run.

    Args:
        folder: Where; it must not exist.
        encoder: A tiny encoder.
        registry: An empty registry's database.
        settings: Environment variables that name the Prefect server.
    """
    copy_folder = partial(shutil.copytree, ignore=shutil.ignore_patterns("__pycache__"))
    for name in COPIED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (copy_folder if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, folder / name)
    shutil.copytree(encoder, folder / "encoder")
    for name in ("mlflow.db", "mlflow.db.empty"):
        shutil.copy(registry, folder / name)
    server = FakeServer()
    server.always = answer_briefly
    _write_inputs(folder, server.base_url)
    environment = os.environ | settings | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "DVC_NO_ANALYTICS": "1",
        "COLUMNS": "200",
    }  # fmt: skip
    environment.pop("OPENAI_API_KEY", None)
    project = Project(folder, server, environment)
    project.run_git("init", "-q", "-b", "main")
    project.commit()
    return project


def _write_inputs(folder: Path, base_url: str) -> None:
    for split in ("train", "valid", "test"):
        rows = read_jsonl(ROOT / f"sample/{split}.jsonl")[:_POSTS]
        write_jsonl(folder / f"posts/{split}.jsonl", [row | {"image": None} for row in rows])
    graph = yaml.safe_load((folder / "dvc.yaml").read_text("utf-8"))
    stages = {name: graph["stages"][name] for name in STAGES}
    for name in ("teach", "train"):
        stages[name]["deps"].append("encoder")  # a folder of one's own, which DVC has to watch
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False), "utf-8")
    run = {"epochs": 1, "device": "cpu", "bf16": "off"}
    changes = {
        "data": {"path": "posts"},
        "caption": {"backend": "none"},
        "llm": {"base_url": base_url, "recorded": None, "concurrency": CONCURRENCY, "retries": 0},
        "ask": {"kinds": ["noun", "sentence"]},
        "validate": {"max_failed_share": 1.0},
        "augment": {"kinds": []},
        "student": {"encoder": "encoder", "prompt_length": 2, "generator_heads": 2},
        "teach": run,
        "train": run,
        "distil": {"way": "frozen"},
    }
    write_values(folder / "params.yaml", changes)


def answer_briefly(handler) -> None:
    """Answer with a sentence that depends on the whole question."""
    number = int(hashlib.sha256(str(handler.question).encode()).hexdigest()[:6], 16)
    build_reply(build_completion(f"It speaks of event {number}."))(handler)


def run_base(project: Project) -> None:
    """Run every stage once, and commit what it has recorded; `other` is a branch of another parameter."""
    project.run(sys.executable, "-m", "dvc", "repro")
    project.requests = list(project.server.received)
    project.commit()
    project.run_git("checkout", "-qb", "other")
    write_values(project.root / "params.yaml", {"train": {"learning_rate": 5e-4}})
    project.commit()
    project.run_git("checkout", "-q", "main")
