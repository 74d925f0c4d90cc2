"""`cotpd promote`: the gate between a challenger and the champion's alias."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from cotpd.cli.options import Device
from cotpd.cli.output import build_console, format_json, show
from cotpd.cli.registry_access import open_registry
from cotpd.errors import ConfigError
from cotpd.promotion.contenders import Runner
from cotpd.promotion.gate_verdict import Verdict
from cotpd.promotion.promote import Promotion, Request, promote_version
from cotpd.promotion.verdict_text import HEADINGS, describe_comparison, list_cells
from cotpd.registry.moves import CHALLENGER, CHAMPION, PREVIOUS

REFUSED = 3  # exit status
COLOURS = {"passed": "green", "failed": "red", "skipped": "dim"}


def promote(
    name: Annotated[str | None, typer.Argument(help="Registered name; else that of params.yaml.")] = None,
    version: Annotated[str, typer.Option(help="The version's number or alias.")] = "challenger",
    to: Annotated[str, typer.Option("--to", help="The alias to move.")] = "champion",
    posts: Annotated[
        Path | None,
        typer.Option(help="Held-out posts, a prepared table or a data set; else the prepared test split."),
    ] = None,
    rules: Annotated[Path | None, typer.Option(help="Rules; else registry/gate.yaml.")] = None,
    require: Annotated[str | None, typer.Option(help="not_worse or better; outweighs the rules.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge, and move nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Move although rules fail; needs --reason.")] = False,
    reason: Annotated[str, typer.Option(help="Why; the history keeps it.")] = "",
    backend: Annotated[str, typer.Option(help="auto, torch, onnx or onnx-int8.")] = "auto",
    device: Device = "auto",
) -> None:
    """Judge a version against the champion, and promote it if it passes.

    Both predict the same held-out posts, now. The exit status is 0 after a promotion and 3 after a refusal; after
    --dry-run it is what it would be.

    \b
    Examples:
      cotpd promote --dry-run
      cotpd promote cotpd-ner --version 5 --require better
      cotpd promote --force --reason "the champion leaks a customer's name"
    """
    began = datetime.now(UTC)
    _check_arguments(name, require)
    client, registered_name = open_registry(name, writes=not dry_run)
    request = Request(
        name=registered_name,
        version=version,
        target=to,
        posts=posts,
        rules=rules,
        require=require,  # type: ignore[arg-type]  # just checked
        is_dry_run=dry_run,
        is_forced=force,
        reason=reason,
        runner=Runner(backend, device),
        began=began,
    )
    promotion = promote_version(client, request)
    if as_json:
        show(format_json(promotion.model_dump(mode="json"), indent=2))
    else:
        _show_promotion(promotion)
    if not promotion.is_accepted:
        raise typer.Exit(REFUSED)


def _check_arguments(name: str | None, require: str | None) -> None:
    if require not in (None, "not_worse", "better"):
        raise ConfigError(f"--require {require}: there is no such requirement", "Give not_worse or better.")
    if name is not None and (name.isdigit() or name in (CHALLENGER, CHAMPION, PREVIOUS)):
        raise ConfigError(f"{name} is a version, and no registered model's name", f"Write --version {name}.")


def _show_promotion(promotion: Promotion) -> None:
    if promotion.verdict is not None:
        _show_verdict(promotion.verdict)
    address, version = f"models:/{promotion.name}@champion", promotion.version
    after = f", after version {promotion.champion}" if promotion.champion is not None else ""
    lines = {
        "promoted": f"{address} is version {version}{after}",
        "forced": f"{address} is version {version}{after}, by force: {promotion.reason}",
        "refused": f"refused: {address} stays {_name_champion(promotion)}",
        "would promote": f"version {version} would become champion",
        "would refuse": f"version {version} would be refused",
        "unchanged": f"version {version} is champion already; nothing was changed",
    }
    show(lines[promotion.outcome])


def _name_champion(promotion: Promotion) -> str:
    return "without a version" if promotion.champion is None else f"version {promotion.champion}"


def _show_verdict(verdict: Verdict) -> None:
    """Print what was compared, the table of the rules, and a line for each failed rule and each note."""
    console = build_console(width=120)
    console.print(describe_comparison(verdict), soft_wrap=True)
    columns = [Column(heading, justify="right" if index > 1 else "left") for index, heading in enumerate(HEADINGS)]
    table = Table(*columns)
    for result, cells in list_cells(verdict):
        table.add_row(*cells, style=COLOURS[result.status])
    console.print(table)
    for result in verdict.list_failures():
        console.print(f"failed: {result.title}: {result.explanation}", soft_wrap=True)
    for note in verdict.notes:
        console.print(f"note: {note}", soft_wrap=True)
