"""caption: put each post's picture into words."""

from pathlib import Path

from cotpd.config import Params
from cotpd.data.tables import write_table
from cotpd.images import captioner
from steps.common import CAPTIONS, all_posts, main, say


def run(params: Params) -> None:
    """Write data/captions.jsonl: one Caption record per post, in the order of the splits."""
    captions = captioner(params.caption, params.llm).caption(all_posts(), Path(params.data.path))
    write_table(CAPTIONS, captions)
    said = sum(1 for caption in captions if caption.caption)
    say(f"caption: {said} of {len(captions)} posts have a caption ({params.caption.backend})")
    for problem in sorted({caption.problem for caption in captions if caption.problem})[:5]:
        say(f"caption: {problem}")


if __name__ == "__main__":
    main(run)
