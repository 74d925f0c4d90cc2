"""The prices of models, from a file that names its source and the day it was checked.

Trade-off: a file in the repository can be out of date, but says how old it is; a table fetched from the network
would be silently wrong when its page changes. A model that is missing from the file has no price, which is not a
price of zero. A server on this machine costs nothing, unless the file has the model: it may be a gateway to a
paid service.
"""

import re
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cotpd.errors import ConfigError
from cotpd.llm.params import LlmParams
from cotpd.llm.server_address import check_address, is_loopback
from cotpd.yaml_files import parse_yaml

SHIPPED = Path(__file__).with_name("prices.yaml")
_RELEASE = re.compile(r"-\d{4}-\d{2}-\d{2}$")


class Price(BaseModel):
    """Dollars per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(ge=0, allow_inf_nan=False, strict=True)
    output: float = Field(ge=0, allow_inf_nan=False, strict=True)

    def compute_cost(self, prompt_tokens: float, completion_tokens: float) -> float:
        """Return the dollars for tokens that the model reads and writes."""
        return (prompt_tokens * self.input + completion_tokens * self.output) / 1e6


class PriceTable(BaseModel):
    """A price file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    checked: date
    models: dict[str, Price]

    @classmethod
    def read(cls, path: Path = SHIPPED) -> "PriceTable":
        """Read and check a price file.

        Raises:
            ConfigError: It is missing or invalid; names file and key.
        """
        try:
            values = parse_yaml(path.read_text("utf-8-sig")).value
            if not isinstance(values, dict):
                content = "nothing" if values is None else type(values).__name__
                raise ConfigError(f"{path}: holds {content}, not source, checked and models", f"See {SHIPPED}.")
            return cls.model_validate(values)
        except OSError as error:
            raise ConfigError(
                f"{path}: {error.strerror}", "Name a price file, or set llm.prices to null."
            ) from None
        except ValidationError as error:  # a ValueError too
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise ConfigError(f"{path}: {key}: {first['msg']}", f"See {SHIPPED}.") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: not YAML: {error}", f"See {SHIPPED}.") from None

    def find_price(self, model: str) -> Price | None:
        """Return the price of a model or of one of its dated releases; None if the table lacks it."""
        return self.models.get(model) or self.models.get(_RELEASE.sub("", model))


def find_price(params: LlmParams) -> Price | None:
    """Return the configured model's price, in batch mode half of it.

    If the table lacks the model, it is 0 for a server on this machine and None for any other.

    Raises:
        ConfigError: The price file is missing or invalid.
    """
    price = read_price_table(params).find_price(params.model)
    if price is None and is_loopback(urlsplit(check_address(params.base_url)).hostname or ""):
        return Price(input=0, output=0)
    if price and params.mode == "batch":
        return Price(input=price.input / 2, output=price.output / 2)
    return price


def read_price_table(params: LlmParams) -> PriceTable:
    """Read the configured price file; raises ConfigError if it is missing or invalid."""
    return PriceTable.read(Path(params.prices) if params.prices else SHIPPED)
