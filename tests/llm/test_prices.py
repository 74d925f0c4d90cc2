"""Prices: read from a file that is checked, and never guessed."""

import pytest

from cotpd.errors import ConfigError
from cotpd.llm.chat_request import build_chat_request
from cotpd.llm.params import LlmParams
from cotpd.llm.spending.budget import Budget
from cotpd.llm.spending.prices import PriceTable, find_price

ABROAD = "https://api.example.org/v1"


def test_a_dated_release_costs_what_its_model_costs():
    table = PriceTable.read()
    price = table.find_price("gpt-4o-mini")

    assert price is not None
    assert table.find_price("gpt-4o-mini-2024-07-18") == price
    assert price.compute_cost(1_000_000, 0) == price.input
    assert price.compute_cost(0, 500_000) == price.output / 2


def test_an_unknown_model_has_no_price_and_a_server_here_costs_nothing():
    assert find_price(LlmParams(model="someones-own", base_url=ABROAD)) is None
    for address in ("http://127.0.0.1:8993/v1", "http://localhost:1/v1", "http://[::1]:1/v1"):
        assert find_price(LlmParams(model="someones-own", base_url=address)).compute_cost(10**9, 10**9) == 0


def test_a_file_of_ones_own_is_taken(tmp_path):
    price_file = tmp_path / "prices.yaml"
    price_file.write_text("source: a contract\nchecked: 2026-01-31\nmodels:\n  ours: {input: 1, output: 2}\n")

    price = find_price(LlmParams(model="ours", base_url=ABROAD, prices=str(price_file)))

    assert price.compute_cost(2e6, 1e6) == 4


def test_a_gateway_on_this_machine_costs_what_the_file_says_and_is_stopped(tmp_path):
    price_file = tmp_path / "prices.yaml"
    price_file.write_text("source: a contract\nchecked: 2026-01-31\nmodels:\n  ours: {input: 1, output: 2}\n")
    gateway = LlmParams(model="ours", base_url="http://localhost:4000/v1", prices=str(price_file), max_cost=0.0)

    assert find_price(gateway).compute_cost(2e6, 1e6) == 4
    assert not Budget.from_params(gateway).reserve(
        build_chat_request(gateway, [{"role": "user", "content": "x"}], max_tokens=1)
    )
    assert find_price(gateway.model_copy(update={"model": "another"})).compute_cost(1e6, 1e6) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "No such file"),
        ("models: [", "not YAML"),
        ("source: x\nchecked: 2026-01-31\nmodels:\n  ours: {input: -1, output: 2}\n", "models.ours.input"),
        ("source: x\nchecked: 2026-01-31\nmodels:\n  ours: {input: 1}\n", "models.ours.output"),
        *(
            (
                f"source: x\nchecked: 2026-01-31\nmodels:\n  ours: {{input: 1, output: {price}}}\n",
                "models.ours.output",
            )
            for price in (".inf", "-.inf", ".nan", "1e999", "-1", "true", "'2'", "null", "[1]")
        ),
        ("source: x\nmodels: {}\n", "checked"),
        ("source: x\nchecked: 2026-13-45\nmodels: {}\n", "not YAML: '2026-13-45' is no timestamp: month must be"),
        ("# nothing yet\n", "holds nothing, not source, checked and models"),
        ("- 1\n", "holds list, not source"),
        ("checked: !!timestamp x\n", "not YAML: 'x' is no timestamp"),
        ("[" * 5000, "not YAML"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_key(text, message, tmp_path):
    price_file = tmp_path / "prices.yaml"
    if text:
        price_file.write_text(text)

    with pytest.raises(ConfigError, match=message) as raised:
        find_price(LlmParams(model="ours", base_url=ABROAD, prices=str(price_file)))

    assert str(price_file) in str(raised.value)
