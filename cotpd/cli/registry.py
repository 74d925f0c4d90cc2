"""`cotpd registry`: the versions of the student, which of them is champion, and the way back."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from cotpd.cli.options import AsJson
from cotpd.cli.output import build_console, format_json, show, show_row
from cotpd.cli.promote import promote
from cotpd.cli.registry_access import open_registry
from cotpd.cli.version_listing import build_json, print_versions
from cotpd.registry.aliases import read_champion, read_figures, read_history, reconcile_aliases, roll_back
from cotpd.registry.moves import Decision, MoveKind
from cotpd.registry.versions import list_versions

app = typer.Typer(
    help="List, promote and roll back registered students.", no_args_is_help=True, add_completion=False
)
Name = Annotated[str | None, typer.Option(help="Registered name; null takes the one of params.yaml.")]

Reason = Annotated[str, typer.Option(help="Your own words, for the record of moves.")]


@app.command("list")
def show_versions(name: Name = None, as_json: AsJson = False) -> None:
    """List the versions, the oldest first, with their aliases, data, scores and commit.

    Example: cotpd registry list
    """
    client, name = open_registry(name)
    versions = list_versions(client, name)
    reconcile_aliases(client, name)
    if as_json:
        show(format_json({"name": name, "versions": [build_json(version) for version in versions]}))
        return
    print_versions(build_console(), name, versions)


app.command("promote")(promote)


@app.command("rollback")
def roll_back_version(name: Name = None, reason: Reason = "") -> None:
    """Put the previous champion back; once more brings the later one back.

    Example: cotpd registry rollback
    """
    began = datetime.now(UTC)
    client, name = open_registry(name, writes=True)
    former = read_champion(client, name, began=began)
    move = roll_back(client, name, expected_champion=former, decision=Decision(MoveKind.ROLLBACK, reason))
    show(f"models:/{name}@champion is version {move.to_version} again, instead of {former}")


@app.command("history")
def show_history(
    name: Annotated[str | None, typer.Argument(help="Registered name; null takes the one of params.yaml.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Whole entries, with their figures, a line each.")
    ] = False,
) -> None:
    """Show every move of the champion: who, when, why, from which version to which.

    Example: cotpd registry history
    """
    client, name = open_registry(name)
    list_versions(client, name)  # raises for an unknown name, and lists those that there are
    moves = read_history(client, name)
    if as_json:
        for move in moves:
            show_row({**move.as_dict(), "figures": read_figures(client, name, move)}, f"move {move.number}")
        return
    table = Table("no.", "when", "champion", "previous", "kind", "who", "why", title=name, title_justify="left")
    for move in moves:
        champion = f"{_format_number(move.from_version)} → {_format_number(move.to_version)}"
        facts = (f"{key} {value}" for key, value in move.facts.items())
        rules = [f"rules {move.rules_sha256[:10]}"] if move.rules_sha256 else []
        why = "; ".join([*filter(None, [move.reason]), *facts, *rules])
        previous = _format_number(move.previous)
        table.add_row(str(move.number), move.when[:19], champion, previous, str(move.kind), move.who, why)
    build_console(width=110).print(table)


def _format_number(number: int | None) -> str:
    return "none" if number is None else str(number)
