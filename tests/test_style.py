"""How the code reads: locals that name their thing, functions that begin with a verb, bodies that fit on a screen.

The rules are those of CONTRIBUTING and docs/architecture.md, and hold for every file: no list of exceptions.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LIMIT = 2.0  # vague locals per 100 functions
LONGEST_BODY = 25  # lines

VAGUE_TEXT = (
    # the words of the rule
    "found one said some held kept told rest other theirs mine wanted known what far near "
    # and their siblings: pronouns, participles and adverbs that stand for a thing without naming it
    "others ones ours own given way ways lacking place places spot few many more further such strange "
    "begun made done seen taken asked both there here something thing things who which waiting"
)
VAGUE = frozenset(VAGUE_TEXT.split())

VERB_TEXT = """
accept add adopt advance align allow answer append apply ask assert attach attend augment begin build cache call cancel cast change
check choose claim classify clean clear close collate collect color colour combine compare compile complain compute concatenate configure connect construct
convert copy count create crop cut decode delete describe detach diagnose digest discard dismiss distil divide download drain draw drop dump edit
embed encode end ensure enumerate escape estimate evaluate exclude exit expand expect explain export extend extract fail fetch
fill filter find finish fit fix flatten flush forbid forget format freeze gather generate get give go group handle hash hide
hold import include infer initialize insert install interrupt invert iterate join judge keep kill label launch learn leave limit link list
load locate lock log look lower make map mark match measure merge mislabel mix move multiply name normalize note obey offer open
order overlap pack pad pair parse pass paste pause pick place plan plot pool predict prefix prepare print probe project promote
propose prune pull push put query raise rank read rebuild receive record recover redact reduce refuse register release
reap relay remove rename render repeat replace report request require reread resample reserve reset resolve restore resume retry
return reverse rewrite roll round run sample save say scale scan schedule score search seed select send separate serve set
settle shade shorten show shuffle shut sign signal silence skip sleep sort split spoil stack start state stop store stream strip subtract sum
summarize swap sync tabulate take tell terminate test time tokenize touch trace train transform translate trim truncate try tune
unpack update upload use validate verify wait walk warn watch weigh widen wrap write yield
caption detect tidy pin repair mend reuse
reconcile adapt execute monitor redirect commit complete enclose exchange feed mask migrate poll post quote refresh scrub shrink submit work retrieve hang quantize examine doctor
init upgrade activate
"""
VERBS = frozenset(VERB_TEXT.split())
PREDICATES = frozenset({"is", "has", "can", "may", "was", "are", "does", "should", "must", "needs"})
CONSTRUCTORS = frozenset({"from", "as", "to"})  # from_pretrained, as_dict: conventions of Python's libraries
# names that others call; full is the flow of existing deployments
HOOKS = frozenset(
    {
        "backward",
        "forward",
        "main",
        "emit",
        "default",
        "load_context",
        "full",
        "repr_html_",  # Jupyter calls it, with an underscore in front
        "pytest_addoption",
        "pytest_configure",
        "pytest_terminal_summary",
        "do_GET",
        "do_POST",
        "connection_made",
        "data_received",
        "connection_lost",
        "startup",
    }
)

Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
Function = ast.FunctionDef | ast.AsyncFunctionDef


def list_modules(package: str) -> list[Path]:
    """Return the Python files of a package; those of its subpackages belong to it unless they are measured alone."""
    folder = ROOT / package
    paths = folder.glob("*.py") if package in ("cotpd", "tests") else folder.rglob("*.py")
    return sorted(paths)


def list_packages() -> list[str]:
    """Return every folder that is measured."""
    below = chain.from_iterable((ROOT / top).iterdir() for top in ("cotpd", "tests"))
    tops = (ROOT / top for top in ("cotpd", "tests", "flows", "steps", "benchmarks"))
    folders = [*(path for path in below if any(path.glob("*.py"))), *tops]
    return sorted(folder.relative_to(ROOT).as_posix() for folder in folders)


def iterate_functions(modules: list[Path]) -> Iterator[tuple[Path, Function]]:
    """Yield every function of some files, nested ones included."""
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, Function):
                yield path, node


def list_bound_names(function: Function) -> set[str]:
    """Return the parameters and locals of a function, those of functions inside it left out."""
    arguments = function.args
    parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    names = {parameter.arg for parameter in parameters}
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop()
        if isinstance(node, Function | ast.ClassDef):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        if isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
        if isinstance(node, ast.Lambda):
            names |= {parameter.arg for parameter in node.args.args}
        pending.extend(ast.iter_child_nodes(node))
    return names


def list_vague_locals(package: str) -> list[str]:
    """Return each vague local of a package, as file:line: function: name."""
    findings = []
    for path, function in iterate_functions(list_modules(package)):
        names = sorted(list_bound_names(function) & VAGUE)
        findings += [f"{path.relative_to(ROOT)}:{function.lineno}: {function.name}: {name}" for name in names]
    return findings


def is_well_named(function: Function) -> bool:
    """Whether a name begins with a verb, asks a question, or is Python's, a framework's or a property's."""
    name = function.name.lstrip("_")
    if function.name.startswith("__") and function.name.endswith("__"):
        return True
    decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
    if any(
        "property" in text or "fixture" in text or text.endswith(("composite", "validator")) for text in decorators
    ):
        return True
    first = name.split("_")[0]
    return name in HOOKS or first in VERBS | PREDICATES | CONSTRUCTORS


def list_ill_named(package: str) -> list[str]:
    """Return each function of a package whose name does not begin with a verb, as file:line: name."""
    return [
        f"{path.relative_to(ROOT)}:{function.lineno}: {function.name}"
        for path, function in iterate_functions(list_modules(package))
        if not is_well_named(function)
    ]


def list_files() -> list[Path]:
    """Return every Python file of the repository's own code, tests included."""
    folders = ("cotpd", "flows", "steps", "benchmarks", "tests")
    return sorted(chain.from_iterable((ROOT / folder).rglob("*.py") for folder in folders))


def get_body(function: Function) -> list[ast.stmt]:
    """Return the statements of a function, its docstring left out."""
    return function.body[1:] if ast.get_docstring(function) is not None else function.body


def list_long_bodies(path: Path) -> list[str]:
    """Return each function of a file whose body is too long, as line: name: lines."""
    findings = []
    for _, function in iterate_functions([path]):
        body = get_body(function)
        length = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
        if length > LONGEST_BODY:
            findings.append(f"{function.lineno}: {function.name}: {length} lines")
    return findings


def list_test_imports(path: Path) -> list[str]:
    """Return each import from a test module or a conftest in a file, as line: import."""
    findings = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        modules = [alias.name for alias in node.names]
        modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        parts = list(chain.from_iterable(module.split(".") for module in modules))
        if any(part == "conftest" or part.startswith("test_") for part in parts):
            findings.append(f"{node.lineno}: {ast.unparse(node)}")
    return findings


def list_dense_lines(path: Path) -> list[str]:
    """Return each line of a file that holds two nested levels of comprehension, as line: comprehension."""
    findings = []
    for outer in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(outer, Comprehension):
            continue
        inner = [node for node in ast.walk(outer) if isinstance(node, Comprehension)]
        generators = [node.generators for node in inner]
        own_lines = [generator.target.lineno for generator in outer.generators]
        lines = [generator.target.lineno for generator in chain.from_iterable(generators)]
        if any(lines.count(line) > 1 for line in own_lines):
            findings.append(f"{outer.lineno}: {ast.unparse(outer)}")
    return findings


def check_files(list_findings: Callable[[Path], list[str]]) -> list[str]:
    """Return what a check finds in the repository's own files, as file:line: finding."""
    complaints = []
    for path in list_files():
        complaints += [f"{path.relative_to(ROOT).as_posix()}:{finding}" for finding in list_findings(path)]
    return complaints


@pytest.mark.parametrize("package", list_packages())
def test_locals_name_their_thing(package: str) -> None:
    count = sum(1 for _ in iterate_functions(list_modules(package)))

    findings = list_vague_locals(package)

    assert 100 * len(findings) / max(count, 1) <= LIMIT, "\n".join(findings)


@pytest.mark.parametrize("package", list_packages())
def test_functions_begin_with_a_verb(package: str) -> None:
    findings = list_ill_named(package)

    assert findings == [], "\n".join(findings)


def test_bodies_fit_on_a_screen() -> None:
    complaints = check_files(list_long_bodies)

    assert complaints == [], "\n".join(complaints)


def test_no_test_module_or_conftest_is_imported() -> None:
    complaints = check_files(list_test_imports)

    assert complaints == [], "\n".join(complaints)


def test_a_line_holds_one_level_of_comprehension() -> None:
    complaints = check_files(list_dense_lines)

    assert complaints == [], "\n".join(complaints)


def format_figures() -> str:
    """Return the figures of every package as a table: `python -m tests.test_style`."""
    lines = [
        "| package | functions | vague locals | per 100 | names without a verb |",
        "|---|---:|---:|---:|---:|",
    ]
    totals = [0, 0, 0]
    for package in list_packages():
        count = sum(1 for _ in iterate_functions(list_modules(package)))
        row = [count, len(list_vague_locals(package)), len(list_ill_named(package))]
        totals = [total + figure for total, figure in zip(totals, row, strict=True)]
        lines.append(f"| {package} | {row[0]} | {row[1]} | {100 * row[1] / max(count, 1):.1f} | {row[2]} |")
    lines.append(f"| all | {totals[0]} | {totals[1]} | {100 * totals[1] / totals[0]:.1f} | {totals[2]} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(format_figures() + "\n")
