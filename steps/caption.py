"""caption: put each post's picture into words."""

from pathlib import Path

from cotpd.config import Params
from cotpd.counts import format_count
from cotpd.data.picture_files import PictureFolder
from cotpd.data.tables import write_table
from cotpd.engine.ordered_map import open_engine
from cotpd.images.captioner_backends import build_captioner
from cotpd.pipeline.workspace import Workspace
from steps.common import main, say

SHOWN = 5  # problems that are printed


def run(params: Params) -> None:
    """Write data/captions.jsonl: one Caption record per post, in the order of the splits."""
    workspace = Workspace()
    folder = PictureFolder(Path(params.data.path), params.data.pictures)
    captioner = build_captioner(params.caption, params.llm)
    with open_engine(params.scale) as engine:
        captions = captioner.caption(workspace.read_all_posts(), folder, engine)
    write_table(workspace.captions, captions)
    described = sum(1 for caption in captions if caption.caption)
    posts = format_count(len(captions), "post")
    say(f"caption: {described:,} of {posts} with a caption ({params.caption.backend})")

    problems = sorted({caption.problem for caption in captions if caption.problem})
    for problem in problems[:SHOWN]:
        say(f"caption: {problem}")
    if len(problems) > SHOWN:
        hidden = format_count(len(problems) - SHOWN, "other problem")
        say(f"caption: and {hidden}: see problem in {workspace.captions}")


if __name__ == "__main__":
    main(run)
