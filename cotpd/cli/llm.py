"""`cotpd llm`: a local model to ask, and a single question to try prompts with."""

from pathlib import Path
from typing import Annotated

import typer

from cotpd.cli.output import show
from cotpd.data.records import AUGMENT_KINDS, Kind
from cotpd.errors import LlmError

DEFAULT_MODEL = "qwen2.5-coder-1.5b-instruct"

app = typer.Typer(
    help="Serve a language model here, or ask one a single question.", no_args_is_help=True, add_completion=False
)


@app.command()
def serve(
    model: Annotated[str, typer.Option(help="A catalogued chat model, or a .gguf file.")] = DEFAULT_MODEL,
    port: Annotated[int, typer.Option(help="Where it listens, on this machine only.", min=0, max=65535)] = 8993,
    parallel: Annotated[int, typer.Option(help="Requests answered at the same time.", min=1)] = 8,
    threads: Annotated[
        int | None, typer.Option(help="Threads that compute; one a core if not given.", min=1)
    ] = None,
) -> None:
    """Serve a chat model at an OpenAI-compatible address, until Ctrl-C."""
    from cotpd.llm.local_server import LocalServer

    server = LocalServer(model, port=port, parallel=parallel, threads=threads)
    show(f"{server.name} answers at {server.base_url}  (Ctrl-C stops it)")
    server.serve_forever()


@app.command()
def ask(
    text: Annotated[str, typer.Argument(help="The post.")],
    kind: Annotated[Kind, typer.Option(help="Which question.")] = Kind.SENTENCE,
    caption: Annotated[str | None, typer.Option(help="What the picture shows (multimodality).")] = None,
    mention: Annotated[list[str] | None, typer.Option(help="A mention to keep (style); repeat it.")] = None,
    swap: Annotated[
        tuple[str, str, str] | None, typer.Option(help="Old mention, new mention, type (entity).")
    ] = None,
    prompts: Annotated[str | None, typer.Option(help="Prompt set; that of params.yaml if not given.")] = None,
    params: Annotated[Path, typer.Option(help="The parameter file.")] = Path("params.yaml"),
) -> None:
    """Ask one question about one post, and show prompt and answer. Answers are kept in the ledger."""
    from cotpd.config import load_params
    from cotpd.llm.ask import ask_all
    from cotpd.llm.prompts import FIELDS, PromptSet
    from cotpd.llm.question import Question

    settings = load_params(params)
    old, new, type_ = swap or (None, None, None)
    given = {"text": text, "caption": caption, "mentions": mention or [], "old": old, "new": new, "type": type_}
    fields = {name: given[name] for name in FIELDS[kind]}
    prompt = PromptSet.load(prompts or settings.ask.prompts).render(kind, **fields)
    for message in prompt.messages:
        show(f"{message['role']}: ", fg="blue", end="")
        show(message["content"])
    if kind in AUGMENT_KINDS:
        most, limit = prompt.limit(*settings.augment.find_limit(kind))
    else:
        most, limit = prompt.limit(settings.ask.max_tokens, "ask.max_tokens")
    question = Question("-", kind, prompt.messages, prompt.schema, most, limit)
    result = ask_all([question], settings.llm, progress=False)
    if result.failed:
        raise LlmError(result.failed[0].reason, result.failed[0].remedy)
    answer = result.answers[0]
    show("answer: ", fg="green", end="")
    show(answer.text or f"none: {answer.problem}")
    source = "from the ledger" if result.from_ledger else "asked"
    show(f"({prompt.version}, {answer.model}, {answer.finish_reason}, {source}, key {answer.key[:12]})")
