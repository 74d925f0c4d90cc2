"""The pages for people: every path, module, command and parameter that they name exists, and sentences are short."""

import ast
import doctest
import re
import shlex
import shutil
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import click
import pytest
import yaml
from typer.core import TyperGroup

from cotpd.cli.lazy import SUMMARIES, load_command
from cotpd.config import Params
from tests.builders import build_student, write_encoder

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "sample/README.md", *sorted(ROOT.glob("docs/*.md"))]
HISTORY = ROOT / "CHANGELOG.md"  # names parameters and files of older versions too
LONGEST_AVERAGE = 25.0  # words of a sentence
MOST_HOUSE_WORDS = 25
FEWEST_CHANGES = 15

OURS = ("cotpd", "steps", "flows", "benchmarks", "tests", "docs", "sample", "expectations")
NOT_PATHS = frozenset({"cotpd/full", "cotpd/local", "cotpd/prompts/mine"})  # deployments, a folder to be made
TOP_FILES = frozenset({"dvc.yaml", "params.yaml", "prefect.yaml", "prefect.toml", "pyproject.toml", "Makefile"})
FENCE = re.compile(r"^```(\w*)\n(.*?)^```[^\n]*$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(rf"(?:{'|'.join(OURS)})/[\w./-]*(?::\w+(?:\.\w+)*)?")
MODULE = re.compile(rf"(?:{'|'.join(OURS[:4])})(?:\.\w+)+")
# a name from the shell's point of view: a prompt sign, variables set for one command, then the program
PROMPT_SIGN = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*")
PROGRAMS = ("cotpd", "make", "dvc", "python")
PLACEHOLDER = re.compile(r"NAME|\bKIND\b|\bSTEP\b|…|\.\.\.")


@pytest.fixture(params=PAGES, ids=lambda page: page.name if page.parent != ROOT / "sample" else "sample")
def page(request: pytest.FixtureRequest) -> Path:
    """Each page in turn."""
    return request.param


def read_fences(page: Path, *languages: str) -> list[str]:
    """Return the fenced blocks of a page that are written in one of the languages."""
    return [body for language, body in FENCE.findall(page.read_text("utf-8")) if language in languages]


def read_prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return FENCE.sub("\n", page.read_text("utf-8"))


# paths and modules


def list_named_paths(page: Path) -> list[str]:
    """Return every path below the repository's own folders, and every module, that inline code names."""
    names = []
    for code in CODE.findall(read_prose(page)):
        is_name = PATH.fullmatch(code) or MODULE.fullmatch(code) or code in TOP_FILES
        if is_name and code not in NOT_PATHS and not PLACEHOLDER.search(code):
            names.append(code)
    return names


@cache
def list_definitions(path: Path) -> frozenset[str]:
    """Return the names that a module defines, those of a class as Class.name."""
    names: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        names |= set(name_definition(node))
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{name}" for child in node.body for name in name_definition(child)}
    return frozenset(names)


def name_definition(node: ast.stmt) -> list[str]:
    """Return the names that one statement defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    if isinstance(node, ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    return []


def exists(name: str) -> bool:
    """Whether the repository has a path (with ``:name``, also what it defines) or a dotted module or name."""
    path, _, definition = name.partition(":")
    if "/" in path or path in TOP_FILES:
        place = ROOT / path
        return place.exists() and (not definition or definition in list_definitions(place))
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        stem = ROOT.joinpath(*parts[:length])
        module = stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")
        if module.is_file():
            definition = ".".join(parts[length:])
            return not definition or definition in list_definitions(module)
    return False


def test_every_path_module_and_function_that_a_page_names_exists(page):
    names = list_named_paths(page)

    missing = [name for name in names if not exists(name)]

    assert missing == []


def test_every_link_within_the_repository_leads_to_a_file_and_a_heading(page):
    broken = []
    for target in LINK.findall(CODE.sub("", read_prose(page))):
        path, _, anchor = target.partition("#")
        place = (page.parent / path) if path else page
        if "://" in target or target.startswith("mailto:"):
            continue
        if not place.exists() or (anchor and anchor not in list_anchors(place)):
            broken.append(target)

    assert broken == []


def list_anchors(page: Path) -> list[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", read_prose(page), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


# commands


def list_commands(page: Path) -> list[list[str]]:
    """Return the arguments of each command of ours that a page shows, in its blocks and in inline code."""
    lines = [line for body in read_fences(page, "", "console", "sh", "bash") for line in body.splitlines()]
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
    program, *rest_of_line = arguments
    checks = {"cotpd": check_cotpd, "make": check_make, "dvc": check_dvc, "python": check_python}
    return checks[program](rest_of_line)


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
    if module.split(".")[0] in OURS and not PLACEHOLDER.search(module):
        return None if exists(module) else f"no module {module}"
    return None


def test_every_command_that_a_page_shows_has_the_options_shown(page):
    commands = list_commands(page)

    wrong = {" ".join(command): explain_wrong_command(command) for command in commands}

    assert {command: problem for command, problem in wrong.items() if problem} == {}


def test_a_page_with_a_wrong_option_stage_or_target_would_be_noticed():
    wrong = ["cotpd ledger prune --befor 1", "dvc repro trian", "dvc exp run -S train.epoch=1", "make tset"]

    problems = [explain_wrong_command(shlex.split(command)) for command in wrong]

    assert all(problems)


# parameters


def test_every_block_of_parameters_that_a_page_shows_is_accepted(page):
    blocks = read_fences(page, "yaml")

    sections = [yaml.safe_load(re.sub(r"\bNAME\b", "name", block)) for block in blocks]

    for section in sections:
        Params.model_validate(section)


# words


def list_sentences(page: Path) -> list[str]:
    """Return the sentences of paragraphs and list items; tables, headings and blocks are left out."""
    sentences = []
    for paragraph in list_paragraphs(read_prose(page)):
        text = CODE.sub("code", re.sub(r"\]\([^)]*\)", "]", paragraph))
        sentences += [sentence for sentence in re.split(r"(?<=[.!?])[\")*_]*\s+", text) if sentence.strip()]
    return sentences


def list_paragraphs(prose: str) -> list[str]:
    """Return paragraphs and list items, each on one line."""
    paragraphs = [""]
    for line in prose.splitlines():
        if not line.strip() or line.lstrip().startswith(("|", "#", "<!--")):
            paragraphs.append("")
            continue
        item = re.match(r"\s*(?:[-*]|\d+\.)\s+", line)
        if item:
            paragraphs.append(line[item.end() :])
        else:
            paragraphs[-1] += f" {line.strip()}"
    return [paragraph for paragraph in paragraphs if paragraph.strip()]


def test_the_sentences_of_a_page_average_below_25_words(page):
    lengths = [len(sentence.split()) for sentence in list_sentences(page)]

    average = sum(lengths) / len(lengths)

    assert average < LONGEST_AVERAGE


def test_a_page_names_the_thing_instead_of_a_pronoun(page):
    vague = re.compile(r"\b(nobody|somebody|whoever|that of|those of|all that)\b", re.IGNORECASE)

    sentences = [sentence for sentence in list_sentences(page) if vague.search(sentence)]

    assert sentences == []


# the map


def read_section(page: Path, heading: str) -> str:
    """Return the text below a heading, up to the next heading of the same level."""
    match = re.search(
        rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    assert match, f"{page.name} has no heading {heading}"
    return match[1]


def list_rows(table: str) -> list[list[str]]:
    """Return the cells of a Markdown table's rows, without its head."""
    rows = [line.strip("| ").split("|") for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_the_map_names_a_place_for_at_least_fifteen_changes():
    rows = list_rows(read_section(ROOT / "docs/architecture.md", "To change X, open Y"))

    places = [CODE.findall(row[1]) for row in rows]

    assert len(rows) >= FEWEST_CHANGES
    assert all(places)


def test_the_glossary_has_at_most_25_words():
    rows = list_rows(read_section(ROOT / "docs/architecture.md", "House words"))

    assert 0 < len(rows) <= MOST_HOUSE_WORDS


def test_every_package_has_a_floor_in_the_map():
    drawing = read_section(ROOT / "docs/architecture.md", "Floors")

    packages = [path.parent.name for path in (ROOT / "cotpd").glob("*/__init__.py")]

    assert [name for name in packages if name not in drawing] == []


def test_the_changelog_uses_the_headings_of_keep_a_changelog():
    headings = re.findall(r"^### (\w+)$", HISTORY.read_text("utf-8"), re.MULTILINE)

    assert set(headings) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert "## [Unreleased]" in HISTORY.read_text("utf-8")


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
