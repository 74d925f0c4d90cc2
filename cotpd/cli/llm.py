"""`cotpd llm`: a local model to ask, and a single question to try prompts with."""

from pathlib import Path
from typing import Annotated

import typer

from cotpd.cli.output import show
from cotpd.config import Params, load_params
from cotpd.data.records import AUGMENT_KINDS, Kind
from cotpd.errors import LlmError
from cotpd.llm.ask import ask_all
from cotpd.llm.local_server import LocalServer
from cotpd.llm.prompts import FIELDS, PromptSet, Rendered
from cotpd.llm.question import Question

Swap = tuple[str, str, str]
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
    server = LocalServer(model, port=port, parallel=parallel, threads=threads)
    show(f"{server.name} answers at {server.base_url}  (Ctrl-C stops it)")
    server.serve_forever()


@app.command()
def ask(
    text: Annotated[str, typer.Argument(help="The post.")],
    kind: Annotated[Kind, typer.Option(help="Which question.")] = Kind.SENTENCE,
    caption: Annotated[str | None, typer.Option(help="What the picture shows (multimodality).")] = None,
    mention: Annotated[list[str] | None, typer.Option(help="A mention to keep (style); repeat it.")] = None,
    swap: Annotated[Swap | None, typer.Option(help="Old mention, new mention, type (entity).")] = None,
    prompts: Annotated[str | None, typer.Option(help="Prompt set; that of params.yaml if not given.")] = None,
    params: Annotated[Path, typer.Option(help="The parameter file.")] = Path("params.yaml"),
) -> None:
    """Ask one question about one post, and show prompt and answer. Answers are kept in the ledger."""
    settings = load_params(params)
    prompt = _render_prompt(prompts or settings.ask.prompts, kind, text, caption, mention or [], swap)
    for message in prompt.messages:
        show(f"{message['role']}: ", fg="blue", end="")
        show(message["content"])

    question = _build_question(prompt, kind, settings)
    outcome = ask_all([question], settings.llm, progress=False)
    if outcome.failed:
        raise LlmError(outcome.failed[0].reason, outcome.failed[0].remedy)

    answer = outcome.answers[0]
    show("answer: ", fg="green", end="")
    show(answer.text or f"none: {answer.problem}")
    source = "from the ledger" if outcome.from_ledger else "asked"
    show(f"({prompt.version}, {answer.model}, {answer.finish_reason}, {source}, key {answer.key[:12]})")


def _render_prompt(
    prompt_set: str, kind: Kind, text: str, caption: str | None, mentions: list[str], swap: Swap | None
) -> Rendered:
    """Fill the prompt of a kind with those values that its kind has fields for.

    Raises:
        ConfigError: There is no such prompt set, or a field of the kind has no value.
    """
    old, new, type_ = swap or (None, None, None)
    values = {"text": text, "caption": caption, "mentions": mentions, "old": old, "new": new, "type": type_}
    fields = {name: values[name] for name in FIELDS[kind]}
    return PromptSet.load(prompt_set).render(kind, **fields)


def _build_question(prompt: Rendered, kind: Kind, params: Params) -> Question:
    """Build the question as its step would ask it, so that both share the answer in the ledger."""
    if kind in AUGMENT_KINDS:
        limit, parameter = prompt.limit(*params.augment.find_limit(kind))
    else:
        limit, parameter = prompt.limit(params.ask.max_tokens, "ask.max_tokens")
    return Question("-", kind, prompt.messages, prompt.schema, limit, parameter)
