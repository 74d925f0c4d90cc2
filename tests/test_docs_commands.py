"""The pages for people: the commands and parameters that they show are understood, and the Python page runs."""

import doctest
import re
import shlex
import shutil
from collections.abc import Iterator
from itertools import chain, pairwise
from pathlib import Path

import click
import pytest
import yaml
from typer.core import TyperGroup

from cotpd.cli.lazy import SUMMARIES, load_command
from cotpd.config import Params
from cotpd.studies.study import Study
from tests.builders import build_student, write_encoder
from tests.pages import (
    CODE,
    FOLDERS,
    PLACEHOLDER,
    ROOT,
    is_name_in_repository,
    on_each_page,
    read_fences,
    read_prose,
)

PROMPT_SIGN = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*")  # and variables that are set for one command
PROGRAMS = ("cotpd", "make", "dvc", "python")


def list_commands(page: Path) -> list[list[str]]:
    """Return the arguments of each command of ours that a page shows, in its blocks and in inline code."""
    lines = chain.from_iterable(map(str.splitlines, read_fences(page, "", "console", "sh", "bash")))
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    commands = []
    for line in [*joined, *CODE.findall(read_prose(page))]:
        commands += split_commands(line)
    return commands


def split_commands(line: str) -> Iterator[list[str]]:
    """Yield the commands of a line that begin with one of our programs, without their comments."""
    line = PROMPT_SIGN.sub("", re.split(r"\s#\s", line.strip())[0])
    for part in re.split(r"&&|;|\|", line):
        part = re.sub(r"^\s*do\s+|[<>].*$", "", part).strip()
        if part.split(" ", 1)[0] not in PROGRAMS:
            continue
        try:
            arguments = shlex.split(part)
        except ValueError:  # the piece of a quoted text that holds a separator
            continue
        if len(arguments) > 1 and not re.fullmatch(r"[:=].*", arguments[1]):
            yield arguments


def explain_wrong_command(arguments: list[str]) -> str | None:
    """Return what a command of a page names and the program does not have; None if there is nothing."""
    program, *options = arguments
    checks = {"cotpd": check_cotpd, "make": check_make, "dvc": check_dvc, "python": check_python}
    return checks[program](options)


def check_cotpd(arguments: list[str]) -> str | None:
    """Walk to the command that the arguments name, and parse its options without running it."""
    if not arguments or arguments[0].startswith("-"):
        return None
    name, *arguments = arguments
    if name not in SUMMARIES:
        return f"no command {name}"
    command = load_command(name)
    context = click.Context(command, info_name=name)
    if arguments and isinstance(command, TyperGroup):
        name, *arguments = arguments
        command = command.get_command(context, name)
        if command is None:
            return f"no command {name}"
        context = click.Context(command, info_name=name, parent=context)
    try:
        command.make_parser(context).parse_args(args=[word for word in arguments if word != "--help"])
    except Exception as error:  # typer may bring a click of its own, whose errors are other classes
        return None if "requires an argument" in str(error) else str(error)  # a mention of an option alone
    return None


def check_make(arguments: list[str]) -> str | None:
    """Compare the targets with the Makefile's."""
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    missing = [name for name in arguments if re.fullmatch("[a-z]+", name) and name not in targets]
    return f"no target {missing}" if missing else None


def check_dvc(arguments: list[str]) -> str | None:
    """Compare stages and parameters (``-S key=value``) with dvc.yaml and params.yaml."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
    parameters = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    if arguments[0] in ("repro", "commit"):
        named = [word for word in arguments[1:] if re.fullmatch("[a-z]+", word)]
        if missing := [name for name in named if name not in stages]:
            return f"no stage {missing}"
    for setting in (after for before, after in pairwise(arguments) if before == "-S"):
        value = parameters
        for key in setting.partition("=")[0].split("."):
            if key not in value:
                return f"no parameter {setting}"
            value = value[key]
    return None


def check_python(arguments: list[str]) -> str | None:
    """Look for the module of ``python -m``."""
    module = arguments[1] if len(arguments) > 1 and arguments[0] == "-m" else ""
    if module.split(".")[0] in FOLDERS and not PLACEHOLDER.search(module):
        return None if is_name_in_repository(module) else f"no module {module}"
    return None


@on_each_page
def test_every_command_that_a_page_shows_has_the_options_shown(page):
    commands = list_commands(page)

    wrong = {" ".join(command): explain_wrong_command(command) for command in commands}

    assert {command: problem for command, problem in wrong.items() if problem} == {}


def test_a_page_with_a_wrong_option_stage_or_target_would_be_noticed():
    wrong = ["cotpd ledger prune --befor 1", "dvc repro trian", "dvc exp run -S train.epoch=1", "make tset"]

    problems = [explain_wrong_command(shlex.split(command)) for command in wrong]

    assert all(problems)


# parameters


@on_each_page
def test_every_block_of_parameters_that_a_page_shows_is_accepted(page):
    blocks = read_fences(page, "yaml")

    sections = [yaml.safe_load(re.sub(r"\bNAME\b", "name", block)) for block in blocks]

    for section in sections:
        (Study if "question" in section else Params).model_validate(section)


# the Python API


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project as `make run` leaves it, as far as the page reads it: the sample, an untrained student, no knowledge."""
    shutil.copytree(ROOT / "sample", tmp_path / "sample", ignore=shutil.ignore_patterns("images"))
    student = build_student(write_encoder(tmp_path / "encoder"), types=("LOC", "MISC", "ORG", "PER"))
    student.save(tmp_path / "models/student")
    (tmp_path / "data/validated").mkdir(parents=True)
    for table in ("captions", "knowledge"):
        (tmp_path / f"data/validated/{table}.jsonl").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COTPD_CACHE", str(tmp_path / "cache"))
    return tmp_path


def split_examples(page: str) -> list[tuple[bool, doctest.DocTest]]:
    """Return each block of a page's examples, and whether its output is the same for any student."""
    blocks = re.findall(r"<!-- (exact|output of .*?) -->\n```python\n(.*?)```", page, re.DOTALL)
    parser = doctest.DocTestParser()
    return [
        (mark == "exact", parser.get_doctest(code, {}, f"block {number}", None, 0))
        for number, (mark, code) in enumerate(blocks, 1)
    ]


def test_every_block_of_the_python_page_runs_and_what_needs_no_model_prints_what_is_shown(project):
    blocks = split_examples((ROOT / "docs/python-api.md").read_text("utf-8"))
    names: dict[str, object] = {}
    report: list[str] = []

    for is_exact, block in blocks:
        runner = doctest.DocTestRunner(checker=None if is_exact else AnyOutput(), verbose=False)
        block.globs = names
        runner.run(block, out=report.append, clear_globs=False)

    assert len(blocks) >= 5
    assert "".join(report) == ""


class AnyOutput(doctest.OutputChecker):
    """Accepts any output: an untrained student's labels are not those of the page."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        """Accept it; an exception is reported all the same."""
        return True
