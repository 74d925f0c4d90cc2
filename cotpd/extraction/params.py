"""The section `llm_row` of params.yaml: what the language model alone scores."""

from typing import Literal

from pydantic import Field

from cotpd.data.records import FEW_SHOT, ZERO_SHOT
from cotpd.section import Section


class LlmRowParams(Section):
    """What the language model alone scores on the held-out posts."""

    enabled: bool | Literal["recorded"] = False
    """true also asks the model for the labels of the posts to score: a request a post (or pair) for each of its
    rows. recorded asks nothing: it scores the rows that the ledger answers wholly, and leaves out the others."""
    zero_shot: bool = True
    """A row without examples, beside the one with them."""
    shots: int = Field(default=8, ge=0, le=100)
    """Training posts shown as examples; 0 leaves that row out."""
    choose: Literal["drawn", "similar"] = "drawn"
    """drawn: the same for every post, which servers cache. similar: the nearest in characters to each post."""
    seed: int = 13
    """Of the draw. Not the seed of the trainings, which would buy the answers anew for each."""
    caption: bool = False
    """Show the picture's caption, as a teacher sees it; false shows the text alone, as a student sees it."""
    prompts: str = "default"
    """Prompt set with extract-TASK.txt: default, or a path."""
    max_tokens: int = Field(default=160, ge=1)
    """Longest answer, in the model's tokens; a reasoning model needs thousands."""
    max_failed_share: float = Field(default=0.5, ge=0, le=1)
    """The step fails if more than this share of a row's answers cannot be used. The others score as no label."""

    def list_rows(self) -> dict[str, int]:
        """Return the number of shots of each row to ask for, by the name of the row."""
        if not self.enabled:
            return {}
        rows = {ZERO_SHOT: 0} if self.zero_shot else {}
        return rows | ({FEW_SHOT: self.shots} if self.shots else {})
