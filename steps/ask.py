"""ask: put the chain-of-thought questions to the LLM, or take the answers that the ledger already holds."""

from collections.abc import Iterator

from cotpd.config import Params
from cotpd.data.records import Answer, Caption, Kind, Post
from cotpd.data.tables import read_table, write_table
from cotpd.errors import LlmError
from cotpd.llm.ask import Request, ask_all
from cotpd.llm.prompts import PromptSet
from steps.common import ANSWERS, CAPTIONS, all_posts, main, say


def run(params: Params) -> None:
    """Write data/answers.jsonl: raw Answer records, those that came with the data set first.

    Raises:
        LlmError: More than ``ask.max_failed_share`` of the requests were not answered.
    """
    posts = all_posts()
    captions = {row.id: row.caption for row in read_table(CAPTIONS, Caption)}
    brought = [
        Answer(id=post.id, kind=kind, text=text, source="dataset")
        for post in posts
        for kind, text in post.knowledge.items()
    ]
    requests = list(_requests(posts, captions, params))
    result = ask_all(requests, params.llm)
    write_table(ANSWERS, [*brought, *result.answers])
    say(
        f"ask: {len(requests)} requests: {result.from_ledger} answered from the ledger, {result.asked} asked, "
        f"{len(result.failed)} failed; {len(brought)} answers came with the data"
    )
    if len(result.failed) > params.ask.max_failed_share * len(requests):
        raise LlmError(
            f"{len(result.failed)} of {len(requests)} requests failed, first: {result.failed[0].reason}",
            "Every answer so far is in the ledger: mend the cause and run again, or raise ask.max_failed_share.",
        )


def _requests(posts: list[Post], captions: dict[str, str | None], params: Params) -> Iterator[Request]:
    prompts = PromptSet.load(params.ask.prompts)
    for post in posts:
        for kind in params.ask.kinds:
            caption = captions.get(post.id)
            if kind in post.knowledge or (kind is Kind.MULTIMODALITY and not caption):
                continue
            seen = {"caption": caption} if kind is Kind.MULTIMODALITY else {}
            prompt = prompts.render(kind, text=post.text, **seen)
            yield Request(
                id=post.id,
                kind=kind,
                messages=prompt.messages,
                schema=prompt.schema,
                max_tokens=prompt.max_tokens or params.ask.max_tokens,
            )


if __name__ == "__main__":
    main(run)
