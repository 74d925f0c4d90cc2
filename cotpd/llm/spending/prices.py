"""What a model's tokens cost, from a table in a file that names its source and the day it was checked.

Trade-off: a table that somebody keeps is sometimes old, and says how old; one that is fetched needs the network
and is wrong without a word when a page changes. A model that is not in it has no price, which is not a price of
zero; on this machine it costs nothing, unless the table has it: a gateway may be what answers there.
"""

import re
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cotpd.errors import ConfigError
from cotpd.llm.chat_request import check_address
from cotpd.llm.params import LlmParams
from cotpd.llm.transports.proxies import is_loopback
from cotpd.yaml_files import parse_yaml

SHIPPED = Path(__file__).with_name("prices.yaml")
_RELEASE = re.compile(r"-\d{4}-\d{2}-\d{2}$")


class Price(BaseModel):
    """Dollars per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(ge=0, allow_inf_nan=False, strict=True)
    output: float = Field(ge=0, allow_inf_nan=False, strict=True)

    def compute_cost(self, prompt_tokens: float, completion_tokens: float) -> float:
        """Dollars for so many tokens read and written."""
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
            ConfigError: It is missing, or holds what is not understood; names file and key.
        """
        try:
            values = parse_yaml(path.read_text("utf-8-sig")).value
            if not isinstance(values, dict):
                held = "nothing" if values is None else type(values).__name__
                raise ConfigError(f"{path}: holds {held}, not source, checked and models", f"See {SHIPPED}.")
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

    def price(self, model: str) -> Price | None:
        """The price of a model or of one of its dated releases; None where the table does not have it."""
        return self.models.get(model) or self.models.get(_RELEASE.sub("", model))


def find_price(params: LlmParams) -> Price | None:
    """What the configured model costs; where the table lacks it, nothing on this machine and None elsewhere.

    A gateway on this machine passes requests on to a service that is paid. Batch mode costs half.

    Raises:
        ConfigError: The price file cannot be used.
    """
    price = read_price_table(params).price(params.model)
    if price is None and is_loopback(urlsplit(check_address(params.base_url)).hostname or ""):
        return Price(input=0, output=0)
    if price and params.mode == "batch":
        return Price(input=price.input / 2, output=price.output / 2)
    return price


def read_price_table(params: LlmParams) -> PriceTable:
    """The configured price file; raises ConfigError where it cannot be used."""
    return PriceTable.read(Path(params.prices) if params.prices else SHIPPED)
