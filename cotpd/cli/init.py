"""`cotpd init`: a project of one's own, outside of CoTPD's repository."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from cotpd.cli.data_options import Annotators, Nested, Offsets, TagColumn, TagNames, validate_reading
from cotpd.cli.output import show
from cotpd.cli.shell import activate_first
from cotpd.counts import format_count
from cotpd.data.params import DataParams, FormatName
from cotpd.errors import ConfigError, DataError


def init(
    folder: Annotated[Path | None, typer.Argument(help="The project's folder: a new or an empty one.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder or file of annotated posts; it stays where it is.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="ner, re or sentiment; left out, what the posts say.")] = None,
    format_: Annotated[
        FormatName, typer.Option("--format", help="The format of the posts, or auto.", show_choices=False)
    ] = "auto",
    offsets: Offsets = None,
    tag_column: TagColumn = None,
    tag_names: TagNames = None,
    annotators: Annotators = None,
    nested: Nested = None,
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Bring the project of this folder to the installed version.")
    ] = False,
) -> None:
    """Make a project of your own, with a pipeline for your data.

    It is a folder with dvc.yaml, params.yaml, prompts, expectation suites, deployments, the gate's rules, a
    workflow for GitHub and a page that explains them. Format, splits, task, words and pictures are seen in the
    data. The project asks no language model until its parameters say so.

    \b
    Example:
      cotpd init my-project --data exports/project-1.jsonl
      cotpd init --upgrade
    """
    options = {"offsets": offsets, "tag_column": tag_column, "tag_names": tag_names}
    reading = {**options, "annotators": annotators, "nested": nested, "format": format_}
    if upgrade:
        if data or task:
            raise typer.BadParameter("--upgrade changes neither data nor task; params.yaml does.")
        _upgrade(folder or Path())
    elif folder is None:
        raise typer.BadParameter("name the project's folder")
    else:
        _create(folder, data, task, {name: value for name, value in reading.items() if value is not None})


def _create(folder: Path, data: Path | None, task: str | None, reading: dict[str, str | int]) -> None:
    """Make a project, and print what was seen and the next command; ``reading`` is how the data are read."""
    from cotpd.scaffold.creation import POSTS, create_project  # noqa: PLC0415  --help needs none of its packages

    try:
        project = create_project(folder, data, task, build_reading(data, reading))
    except DataError as error:
        remedy = error.remedy.replace("Name one of them in data.format", "Name one of them with --format")
        remedy = remedy.replace("`cotpd data check` lists them", f"`cotpd data check {data}` lists them")
        raise DataError(error.problem, remedy) from None
    show(f"{folder}: {format_count(len(project.files), 'file')}; {project.repository}")
    for name, fact in project.look.facts.items():
        show(f"  {name:9} {fact}")
    for note in project.look.notes:
        show(f"  note      {note}")
    if data is None:
        show(
            f"Put your posts into {folder / POSTS} (train, valid and test, in any of `cotpd data formats`). Then:"
        )
    else:
        show("Next, which trains and scores a student and asks no language model:")
    show(f"  {_name_next_command(folder, has_data=data is not None)}")


def build_reading(data: Path | None, reading: dict[str, str | int]) -> DataParams:
    """Return the data section in which the data set is read.

    Raises:
        ConfigError: An option has a value that the section does not allow, or there is no data set to read so.
    """
    named = [name for name in reading if (name, reading[name]) != ("format", "auto")]
    if data is None and named:
        raise ConfigError(f"--{named[0].replace('_', '-')} says how posts are read", "Name them with --data.")
    return validate_reading({"path": str(data or ""), **reading})


def _name_next_command(folder: Path, *, has_data: bool) -> str:
    """Return the next command, to be pasted: it goes into the project's folder, and runs the pipeline."""
    commands = [] if folder.resolve() == Path.cwd() else [f"cd {shlex.quote(str(folder))}"]
    commands += [] if has_data else ["cotpd data check"]
    return activate_first(" && ".join([*commands, "dvc repro", "cotpd show"]))


def _upgrade(root: Path) -> None:
    """Upgrade a project, and print what follows from it."""
    from cotpd.cli.params_editor import write_values  # noqa: PLC0415  needs the extra pipeline
    from cotpd.scaffold.upgrade import (  # noqa: PLC0415  likewise
        NEW_GRAPH,
        list_new_parameters,
        require_project,
        upgrade_project,
    )

    require_project(root)
    params = root / "params.yaml"
    added = write_values(params, list_new_parameters(params))
    upgraded = upgrade_project(root)
    for key, value in added.items():
        show(f"params.yaml: {key}: {'null' if value is None else value}, which is new")
    if upgraded.is_graph_kept:
        show(f"dvc.yaml holds edits of yours and stays; take over what differs in {NEW_GRAPH}, and remove that.")
    stages = ", ".join(upgraded.stages) or "none: nothing runs again"
    show(f"from cotpd {upgraded.former}; stages whose code has changed: {stages}")
