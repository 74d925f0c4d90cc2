"""augment: further training posts from the LLM; valid and test are never read here."""

from cotpd.augment.pipeline import augment
from cotpd.config import Params
from cotpd.counts import format_count
from cotpd.data.tables import write_json, write_table
from cotpd.engine.ordered_map import open_engine
from cotpd.pipeline.workspace import BEYOND_LIMIT, QUARANTINE, Workspace
from steps.common import main, say


def run(params: Params) -> None:
    """Write data/augmented: Augmented records, what was rejected and why, and the counts."""
    workspace = Workspace()
    posts, beyond_limit = workspace.read_posts("train"), workspace.read_posts(BEYOND_LIMIT)
    with open_engine(params.scale) as engine:
        augmented, quarantine, counts = augment(
            posts,
            params.augment,
            params.llm,
            seed=params.seed,
            max_failed_share=params.validate_.max_failed_share,
            beyond_limit=beyond_limit,
            rule=workspace.read_words().text_rule,
            engine=engine,
        )

    write_table(workspace.augmented / "augmented.jsonl", augmented)
    path = workspace.augmented / QUARANTINE
    write_table(path, quarantine)
    write_json(workspace.augmented / "counts.json", counts)
    rejected = f"{len(quarantine)} rejected, see {path}" if quarantine else "none rejected"
    say(f"augment: {format_count(len(augmented), 'post')} made, {rejected}")


if __name__ == "__main__":
    main(run)
