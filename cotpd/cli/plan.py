"""`cotpd plan`: what a run would ask and cost, before a token is spent."""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cotpd.cli.output import format_json, show
from cotpd.config import Params, load_params
from cotpd.counts import format_count
from cotpd.data.records import Kind
from cotpd.llm.backends import list_backends
from cotpd.llm.params import LlmParams
from cotpd.llm.spending.prices import read_price_table

if TYPE_CHECKING:
    from cotpd.llm.question import Question
    from cotpd.pipeline.plan import KindPlan, Plan

HEADINGS = ("kind", "requests", "in ledger", "to ask", "tokens in", "tokens out", "at most")


def plan(
    kinds: Annotated[
        list[Kind] | None,
        typer.Option("--kind", help="Only this kind (repeatable), whether or not params.yaml asks for it."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All seven kinds.")] = False,
    model: Annotated[str | None, typer.Option(help="One of llm.others instead of llm.model.")] = None,
    prompts: Annotated[bool, typer.Option(help="Show one full prompt of each kind first.")] = True,
    data: Annotated[Path | None, typer.Option(help="Another data set than data.path.", exists=True)] = None,
    params_file: Annotated[Path, typer.Option("--params", help="The parameter file.")] = Path("params.yaml"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Count requests, tokens, cost and time before anything is asked.

    Nothing is sent. Tokens are those of requests that neither the ledger answers nor a batch holds. Prices are
    those of llm.prices; a model that is not in the table has none.

    \b
    Example:
      cotpd plan
      cotpd plan --data my-posts --all --no-prompts
      cotpd plan --all --json
    """
    from cotpd.pipeline.plan import make_plan  # noqa: PLC0415  needs the extra llm, and --help does not

    params = load_params(params_file)
    if model is not None:
        params = params.model_copy(update={"llm": list_backends(params.llm, [model])[0]})
    if data is not None:
        named = {"path": str(data), "format": "auto"}  # another data set need not have the format of data.path
        params = params.model_copy(update={"data": params.data.model_copy(update=named)})
    estimate = make_plan(params, list(Kind) if everything else kinds)
    if as_json:
        show(format_json(_build_json(estimate, params)))
        return

    if prompts:
        for kind, row in estimate.kinds.items():
            if row.example:
                show(f"--- {kind}\n{_format_prompt(row.example)}\n")
    for line in (*_format_table(estimate), *_format_notes(estimate, params)):
        show(line)


def _format_table(estimate: "Plan") -> list[str]:
    """Return a line of headings, one for each kind and one of sums, in aligned columns."""
    counts = {kind.value: _list_counts(row) for kind, row in estimate.kinds.items()}
    counts["all"] = [sum(column) for column in zip(*counts.values(), strict=True)] or [0] * (len(HEADINGS) - 1)
    rows = [[name, *map("{:,}".format, row)] for name, row in counts.items()]
    cells = [HEADINGS, *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [_align(row, widths) for row in cells]


def _list_counts(row: "KindPlan") -> list[int]:
    return [row.requests, row.answered, row.asked, round(row.prompt_tokens), round(row.expected), row.most]


def _align(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Join cells to a line: the first is a name, to the left; the others are figures, to the right."""
    figures = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "  ".join([cells[0].ljust(widths[0]), *figures])


def _format_notes(estimate: "Plan", params: Params) -> list[str]:
    """Return the lines below the table: model, assumptions, cost, duration and limits."""
    llm, rates = params.llm, estimate.rates
    answers = format_count(rates.answers, "answer")
    source = f"{answers} of this model so far" if rates.answers else "no answer yet: a guess"
    return [
        f"\ndata      {params.data.path}",
        f"model     {llm.model} at {llm.base_url}",
        f"estimate  {rates.characters:.1f} characters a token, answers {rates.used:.0%} of their room ({source})",
        *_format_counts(estimate, params),
        f"cost      {_format_cost(estimate, llm)}",
        f"duration  {_format_duration(estimate, params)}",
        f"limits    {_format_limit('max_cost', llm.max_cost)}, {_format_limit('max_tokens', llm.max_tokens)}",
        *_format_trainings(params),
    ]


def _format_trainings(params: Params) -> list[str]:
    """Return a line on what cross-fitted teachers cost, if the parameters ask for them."""
    folds = params.teach.trainings_each
    if params.distil.way != "frozen" or folds == 1:
        return []
    trainings = _count_teacher_trainings(params)
    control = ", those of the control included" if params.control.enabled else ""
    count = format_count(trainings, "training")
    return [
        f"teachers  {count} on {folds - 1} of {folds} folds each (teach.folds){control}: "
        f"as long as {trainings // folds * (folds - 1)} teachers of all posts"
    ]


def _count_teacher_trainings(params: Params) -> int:
    """Return how many teachers are trained, those of the control included."""
    if params.distil.way != "frozen":
        return 0
    teachers = len(params.teach.list_teachers(params.student.encoder))
    return teachers * params.teach.trainings_each * (1 + params.control.enabled)


def _format_counts(estimate: "Plan", params: Params) -> list[str]:
    """Return a line each for requests in a batch job, retries, pictures and missing captions, if there are any."""
    rows, llm = estimate.kinds.values(), params.llm
    retries = sum(row.retries for row in rows)
    batched = sum(row.batched for row in rows)
    pictures = sum(row.pictures for row in rows)
    guessed = sum(row.guessed for row in rows)
    batch_requests = format_count(batched, "request is in a job, and is", "requests are in a job, and are")
    guesses = format_count(guessed, "is", "are")
    lines = {
        f"batches   {batch_requests} not asked again": batched,
        f"retries   {retries:,} more at most, if every answer fails its checks (validate.reask)": retries,
        f"pictures  {pictures:,} of {llm.picture_tokens:,} tokens each (llm.picture_tokens)": pictures,
        f"captions  {guesses} still to be made; a dozen words stand in for each": guessed,
    }
    return [line for line, count in lines.items() if count]


def _format_cost(estimate: "Plan", llm: LlmParams) -> str:
    likely, most = estimate.estimate_cost(), estimate.estimate_cost(at_most=True)
    if likely is None or most is None:
        return f"no price is known for {llm.model}: add it to a file that llm.prices names"
    return f"${likely:,.2f}, at most ${most:,.2f}{_format_source(estimate, llm)}"


def _format_source(estimate: "Plan", llm: LlmParams) -> str:
    """Say where the price comes from; empty for a model without one."""
    if not estimate.price:
        return ""
    table = read_price_table(llm)
    if table.find_price(llm.model) is None:
        return " (no price is known; the server is on this machine, which costs nothing)"
    halved = ", halved for batch mode" if llm.mode == "batch" else ""
    return f" (prices of {table.checked}{halved}: {table.source})"


def _format_duration(estimate: "Plan", params: Params) -> str:
    if params.llm.mode == "batch":
        return "within a day of submitting (llm.mode: batch)"
    seconds = estimate.estimate_seconds(params.llm)
    duration = f"{seconds:.0f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))
    return f"about {duration} with {format_count(params.llm.concurrency, 'request')} at once"


def _format_limit(name: str, value: float | None) -> str:
    return f"llm.{name} is not set" if value is None else f"llm.{name} stops at {value:,}"


def _format_prompt(question: "Question") -> str:
    """Return the messages of a question, each below its role, and the JSON schema of the answer if it has one."""
    messages = [f"[{message['role']}]\n{_format_content(message['content'])}" for message in question.messages]
    schema = f"\n[schema]\n{json.dumps(question.schema, ensure_ascii=False)}" if question.schema else ""
    return "\n".join(messages) + schema


def _format_content(content: object) -> str:
    """Return a message's text; of a list of parts each text, and ``[picture]`` for a part without one."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(part.get("text", "[picture]") for part in parts)


def _build_json(estimate: "Plan", params: Params) -> dict[str, object]:
    """Return what `--json` prints; cost in dollars, null without a price."""
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
            "retries_at_most": row.retries,
        }
        for kind, row in estimate.kinds.items()
    }
    return {
        "data": params.data.path,
        "model": params.llm.model,
        "kinds": kinds,
        "cost": estimate.estimate_cost(),
        "cost_at_most": estimate.estimate_cost(at_most=True),
        "seconds": round(estimate.estimate_seconds(params.llm), 1),
        "learnt_from_answers": estimate.rates.answers,
        "teacher_trainings": _count_teacher_trainings(params),
    }
