"""`python -m steps`: check parameters and links before the first step; DVC's own words on bad ones say less.

It also mends what a kill or a full disk may leave of DVC's own files, without which DVC does nothing.
"""

from pathlib import Path

from cotpd.config import Params
from cotpd.data.picture_files import PictureFolder, refuse_broken_links
from steps.common import main, say
from steps.dvc_repair import repair_dvc_files


def run(params: Params) -> None:
    """Mend DVC's files, and check what params.yaml names, as far as DVC fails before the steps can do it."""
    for repair in repair_dvc_files():
        say(repair)
    if Path(params.data.path).exists():  # the first step says it better
        refuse_broken_links(PictureFolder(Path(params.data.path), params.data.pictures))


if __name__ == "__main__":
    main(run)
