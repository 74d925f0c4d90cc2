"""`cotpd models`: the catalogue of weights, and fetching them."""

from typing import Annotated

import typer
from rich.table import Table

from cotpd.cli.options import AsJson
from cotpd.cli.output import build_console, format_json, show
from cotpd.weights import fetch, find_cache_folder, find_cached, get_model, read_catalogue

app = typer.Typer(help="List the catalogued weights, and fetch them.", no_args_is_help=True, add_completion=False)


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """Show the catalogued models and which of them are in the cache."""
    if as_json:
        models = [
            {
                "name": model.name,
                "about": model.about,
                "bytes": model.size,
                "licence": model.licence,
                "path": None if (path := find_cached(model)) is None else str(path),
            }
            for model in read_catalogue().values()
        ]
        show(format_json({"cache": str(find_cache_folder()), "models": models}))
        return

    table = Table("name", "what", "MB", "licence", "in the cache", box=None)
    table.columns[0].no_wrap = True  # a wrapped name cannot be copied into `cotpd models fetch`
    for model in read_catalogue().values():
        is_cached = "yes" if find_cached(model) else "no"
        table.add_row(model.name, model.about, f"{model.size / 1e6:,.0f}", model.licence, is_cached)
    build_console().print(table)
    show(f"cache: {find_cache_folder()}")


@app.command("fetch")
def fetch_models(names: Annotated[list[str], typer.Argument(help="Catalogued names.")]) -> None:
    """Fetch models into the cache and check every byte; models that are in it already are left alone."""
    for model in [get_model(name) for name in names]:
        show(f"{model.name}: {fetch(model)}")
