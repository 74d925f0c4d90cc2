"""The base of every section of params.yaml; each package has its own sections in its params.py."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


def _check_variable_name(name: str) -> str:
    """Refuse a value that is no variable's name, without showing it: it may be a secret key pasted by mistake."""
    if name and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("not the name of an environment variable; a key itself belongs in none of these files")
    return name


VariableName = Annotated[str, AfterValidator(_check_variable_name)]


class Section(BaseModel):
    """Base of every section: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)
