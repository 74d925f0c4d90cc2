"""Which device computes, and where mixed precision is worth it."""

import pytest
import torch

from cotpd.devices import make_autocast, pick_device
from cotpd.errors import ConfigError

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("units", "on"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_bf16": False, "amx_bf16": True}, True),
        ({"avx512_f": True, "avx512_bf16": False}, False),
        ({"bf16": True}, False),  # ARM
        ({}, False),
    ],
)
def test_auto_mixes_precisions_where_a_cpu_has_units_for_it(units, on, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units)
    for bf16, mixes in (("auto", on), ("on", True), ("off", False)):
        with make_autocast(CPU, bf16):
            assert torch.is_autocast_enabled("cpu") == mixes
            assert not mixes or torch.get_autocast_dtype("cpu") == torch.bfloat16


@pytest.mark.parametrize("name", ["cpu:1", "cuda:99", "tpu", "meta", ""])
def test_a_device_that_is_not_there_is_named(name):
    with pytest.raises(ConfigError, match=f"device '{name}' is not there"):
        pick_device(name)


def test_cpu_and_its_only_number_are_the_same():
    assert pick_device("cpu").type == pick_device("cpu:0").type == "cpu"
