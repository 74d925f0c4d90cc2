"""The files of a project: this repository's own, changed where a project differs, and three that only it has.

A project holds no code. Its dvc.yaml watches code.yaml in place of modules, and its deployments name modules in
place of files.
"""

import re
from importlib.metadata import PackageNotFoundError, distribution, version
from json import loads
from pathlib import Path
from typing import Any, get_args

from jinja2 import Environment, PackageLoader, StrictUndefined

from cotpd.annotation.suggestions import ToolName
from cotpd.code_record import CODE_RECORD, is_code, render_code_record
from cotpd.llm.prompt_folder import SHIPPED as SHIPPED_PROMPTS
from cotpd.pipeline.params_file import render_params
from cotpd.scaffold.first_look import FirstLook
from cotpd.shipped_files import CODE, find_shipped, read_shipped
from cotpd.student.tasks import find_task

PARAMS_HEADER = """\
# Every knob of the pipeline. `dvc repro` re-runs what depends on a changed one, and nothing else.
# Try others without editing:  dvc exp run -S train.epochs=3
# A key without a value is null. Pages that are named docs/... lie in CoTPD's repository.
"""
_GRAPH_HEADER = """\
# The pipeline's one graph: what each step reads, writes and is steered by; the flow takes its tasks from here.
# The steps are modules of the installed package cotpd, of which code.yaml keeps a digest for each stage.
"""
_AS_THEY_ARE = ("prefect.toml", "registry/gate.yaml", ".gitignore")
_PROMPTS = "cotpd/prompts"
_DEPENDENCY = re.compile(r"      - (?P<path>[^\s\"]+)")
_STAGE = re.compile(r"  (?P<name>\w+):")
_DVC_IGNORED = "/config.local\n/tmp\n/cache\n"  # as `dvc init` writes it


def build_project_files(look: FirstLook, *, name: str, has_git: bool = True) -> dict[str, str]:
    """Return the text of each file of a project, by its path.

    Args:
        look: What was seen of the data.
        name: The project's name.
        has_git: Whether git is on this machine; DVC has to be told if not.
    """
    files = {path: read_shipped(path) for path in _AS_THEY_ARE}
    graph = build_graph()
    files |= {"dvc.yaml": graph, CODE_RECORD: render_code_record(graph)}
    files["params.yaml"] = render_params(look.values, PARAMS_HEADER)
    files["prefect.yaml"] = build_deployments()
    files |= _read_folder(find_suites(), "expectations", "*.json")
    files |= _read_folder(SHIPPED_PROMPTS / "default", "prompts", "*.txt")
    files |= _read_folder(find_shipped(".dvc/plots"), ".dvc/plots", "*.json")
    files[".dvc/config"] = read_shipped(".dvc/config") + ("" if has_git else "    no_scm = true\n")
    files[".dvc/.gitignore"] = _DVC_IGNORED
    files[".dvcignore"] = read_shipped(".dvcignore").partition("#")[0]  # what follows is about the sample
    files["requirements.txt"] = build_requirements()
    return files | _render_templates(look, name)


def build_graph() -> str:
    """Return dvc.yaml for a project: of this repository's stages, with code.yaml in place of modules."""
    lines, stage = [], ""
    for line in read_shipped("dvc.yaml").splitlines():
        if named := _STAGE.fullmatch(line):
            stage = named["name"]
        dependency = _DEPENDENCY.match(line)
        path = dependency["path"] if dependency else ""
        if path == _PROMPTS:
            lines.append("      - prompts")
        elif not is_code(path):
            lines.append(_watch_code(line, stage))
    text = "\n".join(lines) + "\n"
    return _GRAPH_HEADER + text[text.index("stages:") :]


def _watch_code(line: str, stage: str) -> str:
    """Add the digest of a stage's code to the parameters that it is steered by."""
    return re.sub(r"^    params: \[(.*?)\]", rf"    params: [\1, {{{CODE_RECORD}: [{stage}]}}]", line)


def build_deployments() -> str:
    """Return prefect.yaml for a project: flows are named by their modules."""
    return re.sub(r"entrypoint: flows/(\w+)\.py:(\w+)", r"entrypoint: flows.\1.\2", read_shipped("prefect.yaml"))


def build_requirements() -> str:
    """Return requirements.txt: this version of the package, or its commit if it was installed from git."""
    return (
        "# What CI installs. Where no package index has this version, keep its wheel in the project and name it:\n"
        f"# cotpd[all] @ file:///absolute/path/cotpd-{version('cotpd')}-py3-none-any.whl\n"
        f"{_name_requirement()}\npytest\n"
    )


def _name_requirement() -> str:
    try:
        origin: dict[str, Any] = loads(distribution("cotpd").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        origin = {}
    if "vcs_info" in origin:
        source = origin["vcs_info"]
        return f"cotpd[all] @ {source['vcs']}+{origin['url']}@{source['commit_id']}"
    return f"cotpd[all]=={version('cotpd')}"


def find_suites() -> Path:
    """Return the folder of the suites that come with the package."""
    in_wheel = CODE / "cotpd" / "suites"
    return in_wheel if in_wheel.is_dir() else CODE / "expectations"


def _read_folder(folder: Path, target: str, pattern: str) -> dict[str, str]:
    return {f"{target}/{path.name}": path.read_text("utf-8") for path in sorted(folder.glob(pattern))}


def _render_templates(look: FirstLook, name: str) -> dict[str, str]:
    """Render the files that this repository has no use for itself."""
    environment = Environment(
        loader=PackageLoader("cotpd.scaffold"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    tools = get_args(ToolName)
    tool = look.facts.get("format", "")
    kinds = ["style", "entity", "image"] if find_task(look.values["task"]).labels_mentions else ["style", "image"]
    values = {
        "name": name,
        "look": look,
        "version": version("cotpd"),
        "tool": tool if tool in tools else tools[0],
        "augmentations": f"[{', '.join(kinds)}]",
    }
    targets = {
        "README.md": "README.md.j2",
        "tests/test_project.py": "test_project.py.j2",
        ".github/workflows/project.yml": "project.yml.j2",
    }
    return {target: environment.get_template(source).render(values) for target, source in targets.items()}
