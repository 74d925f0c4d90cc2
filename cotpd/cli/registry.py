"""`cotpd registry`: the versions of the student, which of them is champion, and the way back."""

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cotpd.cli.output import build_console, show
from cotpd.config import load_params
from cotpd.registry.aliases import promote, roll_back
from cotpd.registry.relocation import repair_paths
from cotpd.registry.tracking_store import connect, find_database
from cotpd.registry.versions import list_versions

if TYPE_CHECKING:
    from cotpd.registry.tracking_store import MlflowClient

app = typer.Typer(
    help="List, promote and roll back registered students.", no_args_is_help=True, add_completion=False
)
Name = Annotated[str | None, typer.Option(help="Registered name; null takes the one of params.yaml.")]


@app.command("list")
def show_versions(name: Name = None) -> None:
    """List the versions, the oldest first, with their aliases and scores.

    Example: cotpd registry list
    """
    client, name = _open_registry(name)
    listed = list_versions(client, name)
    tags = chain.from_iterable(version.tags for version in listed)
    scores = sorted({tag for tag in tags if tag.startswith(("f1.", "gain."))})
    table = Table("version", "aliases", *scores, "commit", title=name, title_justify="left")
    for version in listed:
        mark = "+" if version.tags.get("git.dirty") == "true" else ""
        commit = version.tags.get("git.commit", "")[:10] + mark
        figures = (version.tags.get(score, "") for score in scores)
        table.add_row(str(version.number), ", ".join(version.aliases), *figures, commit)
    build_console().print(table)


@app.command("promote")
def make_champion(
    version: Annotated[str, typer.Argument(help="A version's number or alias.")] = "challenger",
    name: Name = None,
) -> None:
    """Make a version the champion; the former champion becomes `previous`.

    Example: cotpd registry promote 3
    """
    client, name = _open_registry(name, writes=True)
    champion, former = promote(client, name, version)
    after = f", after version {former.number}" if former else ""
    show(f"models:/{name}@champion is version {champion.number}{after}")


@app.command("rollback")
def roll_back_version(name: Name = None) -> None:
    """Put the previous champion back; once more brings the later one back.

    Example: cotpd registry rollback
    """
    client, name = _open_registry(name, writes=True)
    champion, former = roll_back(client, name)
    show(f"models:/{name}@champion is version {champion.number} again, instead of {former.number}")


def _open_registry(name: str | None, *, writes: bool = False) -> tuple["MlflowClient", str]:
    """Connect to the registry of params.yaml.

    Args:
        name: A registered name; None takes that of params.yaml.
        writes: Whether an alias will be moved. The paths of a moved project are then repaired: MLflow alone may
            serve the version, and it knows no other folder than the one in the database.

    Returns:
        The client, and the registered name.
    """
    params = load_params()
    client = connect(params.register_, Path())
    if writes:
        repair_paths(find_database(client.tracking_uri))
    return client, name or params.registered_name
