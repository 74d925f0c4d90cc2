"""`python -m steps`: check parameters and links before the first step; DVC's own words on bad ones say less."""

from pathlib import Path

from cotpd.config import Params
from cotpd.data.picture_files import PictureFolder, refuse_broken_links
from steps.common import main


def run(params: Params) -> None:
    """Check what params.yaml names, as far as the steps cannot do it because DVC fails before them."""
    if Path(params.data.path).exists():  # the first step says it better
        refuse_broken_links(PictureFolder(Path(params.data.path), params.data.pictures))


if __name__ == "__main__":
    main(run)
