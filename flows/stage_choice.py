"""Which stages of the graph a run brings up to date."""

import difflib
from collections.abc import Sequence

from cotpd.errors import ConfigError
from steps.graph import Step


def choose_steps(steps: Sequence[Step], names: Sequence[str]) -> list[Step]:
    """Return the named steps and all that they need, as `dvc repro NAME` does; every step if none is named.

    Args:
        steps: The graph's, each after those that it waits for.
        names: Names of stages.

    Raises:
        ConfigError: There is no such stage; the message names the one that was probably meant.
    """
    known_names = [step.name for step in steps]
    for name in names:
        if name not in known_names:
            nearest = difflib.get_close_matches(name, known_names, 1)
            meant = f"; did you mean {nearest[0]}?" if nearest else ""
            raise ConfigError(
                f"stages: dvc.yaml has no stage {name!r}{meant}", f"It has {', '.join(known_names)}."
            )
    if not names:
        return list(steps)
    needed = set(names)
    for step in reversed(steps):
        if step.name in needed:
            needed |= set(step.after)
    return [step for step in steps if step.name in needed]
