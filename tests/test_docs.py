"""The pages for people: every path, module and link that they name exists, sentences are short, the map is complete."""

import re
from itertools import chain
from pathlib import Path

from tests.floors import FLOOR_OF
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

HISTORY = ROOT / "CHANGELOG.md"  # not among the pages: it names files and parameters of older versions too
MAP = ROOT / "docs/architecture.md"
LONGEST_AVERAGE = 25.0  # words of a sentence
MOST_HOUSE_WORDS = 25
FEWEST_CHANGES = 15

# deployments, and a folder to be made
NOT_PATHS = frozenset({"cotpd/full", "cotpd/local", "cotpd/sample", "cotpd/prompts/mine"})
TOP_FILES = frozenset({"dvc.yaml", "params.yaml", "prefect.yaml", "prefect.toml", "pyproject.toml", "Makefile"})
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(rf"(?:{'|'.join(FOLDERS)})/[\w./-]*(?::\w+(?:\.\w+)*)?")
MODULE = re.compile(r"(?:cotpd|steps|flows|benchmarks)(?:\.\w+)+")


def list_named_paths(page: Path) -> list[str]:
    """Return every path below the repository's own folders, and every module, that inline code names."""
    names = []
    for code in CODE.findall(read_prose(page)):
        is_name = PATH.fullmatch(code) or MODULE.fullmatch(code) or code in TOP_FILES
        if is_name and code not in NOT_PATHS and not PLACEHOLDER.search(code):
            names.append(code)
    return names


@on_each_page
def test_every_path_module_and_function_that_a_page_names_exists(page):
    names = list_named_paths(page)

    missing = [name for name in names if not is_name_in_repository(name)]

    assert missing == []


@on_each_page
def test_every_link_within_the_repository_leads_to_a_file_and_a_heading(page):
    broken = []
    for target in LINK.findall(CODE.sub("", read_prose(page))):
        path, _, anchor = target.partition("#")
        linked = (page.parent / path) if path else page
        if "://" in target or target.startswith("mailto:"):
            continue
        if not linked.exists() or (anchor and anchor not in list_anchors(linked)):
            broken.append(target)

    assert broken == []


def list_anchors(page: Path) -> list[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", read_prose(page), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


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


@on_each_page
def test_the_sentences_of_a_page_average_below_25_words(page):
    lengths = [len(sentence.split()) for sentence in list_sentences(page)]

    average = sum(lengths) / len(lengths)

    assert average < LONGEST_AVERAGE


@on_each_page
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
    lines = [line.strip("| ") for line in table.splitlines() if line.startswith("|")]
    return [re.split(r"\s*\|\s*", line) for line in lines[2:]]


def test_the_map_names_a_place_for_at_least_fifteen_changes():
    rows = list_rows(read_section(MAP, "To change X, open Y"))

    paths = [CODE.findall(row[1]) for row in rows]

    assert len(rows) >= FEWEST_CHANGES
    assert all(paths)


def test_the_glossary_has_at_most_25_words():
    rows = list_rows(read_section(MAP, "House words"))

    assert 0 < len(rows) <= MOST_HOUSE_WORDS


def test_the_map_draws_the_floors_that_the_imports_obey():
    drawing = read_fences(MAP, "")[0]
    lines = [re.findall(r"cotpd\.\w+|^steps|^flows", line.replace("/", ".")) for line in drawing.splitlines()]
    floors = [list(map(FLOOR_OF.__getitem__, names)) for names in lines if names]
    packages = {name for name in FLOOR_OF if (ROOT / name.replace(".", "/")).is_dir()}

    drawn = set(chain.from_iterable(lines))

    assert packages <= drawn
    assert all(len(set(floor)) == 1 for floor in floors)
    assert floors == sorted(floors, reverse=True)


def test_the_tree_of_the_readme_has_a_line_for_every_folder():
    tree = next(body for body in read_fences(ROOT / "README.md", "") if body.startswith("flows/"))
    folders = {
        path.name for path in (ROOT / "cotpd").iterdir() if any(path.glob("*.*")) or any(path.glob("*/*.txt"))
    }

    named = set(re.findall(r"^ *(\w+)/", tree, re.MULTILINE))

    assert folders - {"__pycache__"} <= named
    assert [name for name in named if not (ROOT / name).is_dir() and not (ROOT / "cotpd" / name).is_dir()] == []


def test_the_changelog_uses_the_headings_of_keep_a_changelog():
    headings = re.findall(r"^### (\w+)$", HISTORY.read_text("utf-8"), re.MULTILINE)

    assert set(headings) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert "## [Unreleased]" in HISTORY.read_text("utf-8")
