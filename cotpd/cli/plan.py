"""`cotpd plan`: what a run would ask and cost, before a token is spent."""

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cotpd.cli.output import json_text, show
from cotpd.data.records import Kind

if TYPE_CHECKING:
    from cotpd.config import Params
    from cotpd.llm.params import LlmParams
    from cotpd.llm.question import Question
    from cotpd.pipeline.plan import Plan


def plan(
    kinds: Annotated[
        list[Kind] | None,
        typer.Option("--kind", help="Only this kind (repeatable), whether or not params.yaml asks for it."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All six kinds.")] = False,
    model: Annotated[str | None, typer.Option(help="One of llm.others instead of llm.model.")] = None,
    prompts: Annotated[bool, typer.Option(help="Show one full prompt of each kind first.")] = True,
    params_file: Annotated[Path, typer.Option("--params", help="The parameter file.")] = Path("params.yaml"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Count requests, tokens, cost and time before anything is asked.

    Nothing is sent. Tokens are those of requests that neither the ledger answers nor a batch holds. Prices are
    those of llm.prices; a model that is not in the table has none.

    \b
    Example:
      cotpd plan
      cotpd plan --all --no-prompts
      cotpd plan --all --json
    """
    from cotpd.config import load_params
    from cotpd.llm.backends import list_backends
    from cotpd.pipeline.plan import make_plan

    params = load_params(params_file)
    if model is not None:
        params = params.model_copy(update={"llm": list_backends(params.llm, [model])[0]})
    made = make_plan(params, list(Kind) if everything else kinds)
    if as_json:
        show(json_text(_values(made, params)))
        return
    if prompts:
        for kind, row in made.kinds.items():
            if row.example:
                show(f"--- {kind}\n{_prompt(row.example)}\n")
    for line in (*_table(made), *_below(made, params)):
        show(line)


def _table(made: "Plan") -> list[str]:
    heads = ("kind", "requests", "in ledger", "to ask", "tokens in", "tokens out", "at most")
    rows = [
        (kind, row.requests, row.answered, row.asked, round(row.prompt_tokens), round(row.expected), row.most)
        for kind, row in made.kinds.items()
    ]
    total = ("all", *(sum(int(row[at]) for row in rows) for at in range(1, len(heads))))
    written = [heads, *([str(row[0]), *(f"{int(n):,}" for n in row[1:])] for row in [*rows, total])]
    widths = [max(len(row[at]) for row in written) for at in range(len(heads))]
    return [
        "  ".join(cell.ljust(width) if at == 0 else cell.rjust(width) for at, (cell, width) in enumerate(pairs))
        for pairs in (list(zip(row, widths, strict=True)) for row in written)
    ]


def _below(made: "Plan", params: "Params") -> list[str]:
    llm, rates = params.llm, made.rates
    likely, most = made.cost(), made.cost(at_most=True)
    known = f"{rates.answers} answers of this model so far" if rates.answers else "no answer yet: a guess"
    guessed = sum(row.guessed for row in made.kinds.values())
    shown = sum(row.pictures for row in made.kinds.values())
    batched = sum(row.batched for row in made.kinds.values())
    return [
        f"\nmodel     {llm.model} at {llm.base_url}",
        f"estimate  {rates.characters:.1f} characters a token, answers {rates.used:.0%} of their room ({known})",
        *([f"batches   {batched:,} requests are in one, and are not asked again"] if batched else []),
        *([f"pictures  {shown:,} of {llm.picture_tokens:,} tokens each (llm.picture_tokens)"] if shown else []),
        *([f"captions  {guessed} are still to be made and stand in by a dozen words"] if guessed else []),
        f"cost      {_dollars(likely)}, at most {_dollars(most)}{_source(made, llm)}"
        if likely is not None
        else _no_price(llm.model),
        "duration  within a day of submitting (llm.mode: batch)"
        if llm.mode == "batch"
        else f"duration  about {_duration(made.seconds(params))} with {llm.concurrency} requests at once",
        f"limits    {_limit('llm.max_cost', llm.max_cost)}, {_limit('llm.max_tokens', llm.max_tokens)}",
    ]


def _source(made: "Plan", llm: "LlmParams") -> str:
    """Where the price is from."""
    from cotpd.llm.spending.prices import read_price_table

    if not made.price:
        return ""
    if (table := read_price_table(llm)).price(llm.model) is None:
        return " (no price is known; the server is on this machine, which costs nothing)"
    halved = ", halved for batch mode" if llm.mode == "batch" else ""
    return f" (prices of {table.checked}{halved}: {table.source})"


def _no_price(model: str) -> str:
    return f"cost      no price is known for {model}: add it to a file that llm.prices names"


def _limit(name: str, value: float | None) -> str:
    return f"{name} is not set" if value is None else f"{name} stops at {value:,}"


def _dollars(value: float | None) -> str:
    return "" if value is None else f"${value:,.2f}"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))


def _prompt(request: "Question") -> str:
    said = [f"[{message['role']}]\n{_content(message['content'])}" for message in request.messages]
    schema = f"\n[schema]\n{json.dumps(request.schema, ensure_ascii=False)}" if request.schema else ""
    return "\n".join(said) + schema


def _content(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(part.get("text", "[picture]") for part in parts)


def _values(made: "Plan", params: "Params") -> dict[str, object]:
    kinds = {
        kind.value: {
            "requests": row.requests,
            "in_ledger": row.answered,
            "in_batches": row.batched,
            "to_ask": row.asked,
            "pictures": row.pictures,
            "prompt_tokens": round(row.prompt_tokens),
            "completion_tokens": round(row.expected),
            "completion_tokens_at_most": row.most,
        }
        for kind, row in made.kinds.items()
    }
    return {
        "model": params.llm.model,
        "kinds": kinds,
        "cost": made.cost(),
        "cost_at_most": made.cost(at_most=True),
        "seconds": round(made.seconds(params), 1),
        "learnt_from_answers": made.rates.answers,
    }
