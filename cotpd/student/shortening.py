"""An encoder with fewer layers: evenly spaced ones of the pretrained encoder, in a network of its own.

The first and the last layer are always among them. DistilBERT keeps the same ones, 0, 2, 4, 7, 9 and 11 of twelve
(Sanh et al. 2019, arXiv 1910.01108), and so do the summarisation students of Shleifer and Rush (2020, arXiv
2010.13002). Keeping the lowest ones instead serves an encoder that is merely fine-tuned (Sajjad et al. 2023, arXiv
2004.03844). But a student begins with its teacher's weights, whose last layer is the one that the head reads.

Trade-off: the smaller network is built from its configuration and then given the weights, instead of deleting
modules of the large one. Both are in memory for a moment; in exchange the configuration beside a saved student's
weights describes it exactly, also where a family alternates its attention from layer to layer.
"""

import copy
import re
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from cotpd.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_LISTS_BY_LAYER = ("layer_types", "attention_window")  # settings with one entry a layer (ModernBERT, Longformer)


def choose_layers(total: int, count: int) -> list[int]:
    """Return the indices of ``count`` evenly spaced layers out of ``total``, the first and the last among them."""
    if count == 1:
        return [0]
    return [round(index * (total - 1) / (count - 1)) for index in range(count)]


def shorten_encoder(encoder: Any, count: int | None, name: str) -> Any:
    """Return an encoder of ``count`` layers with the weights of evenly spaced layers; None leaves it whole.

    Args:
        encoder: A bare Hugging Face encoder.
        count: Layers to keep.
        name: The name of the encoder, for messages.

    Raises:
        ConfigError: The encoder has fewer layers, or its family does not say how many it has.
    """
    if count is None:
        return encoder
    total = getattr(encoder.config, "num_hidden_layers", None)
    if total is None or count > total:
        raise ConfigError(
            f"student.layers is {count}, but {name} has {total or 'no layers that could be counted'}",
            "Lower it, or set it to null, which keeps all layers.",
        )
    return encoder if count == total else _build_shortened(encoder, choose_layers(total, count), name)


def _build_shortened(encoder: Any, layers: list[int], name: str) -> Any:
    """Return a network of the given layers of an encoder.

    Raises:
        ConfigError: Its family does not build what its configuration says.
    """
    from transformers import AutoModel  # noqa: PLC0415  takes seconds to import

    config = _shorten_config(encoder.config, layers)
    shortened: Any = AutoModel.from_config(config, dtype=torch.float32, trust_remote_code=False)
    if getattr(encoder, "pooler", None) is None and hasattr(shortened, "pooler"):
        shortened.pooler = None  # a trained model has dropped it, and its weights are not there
    try:
        shortened.load_state_dict(_select_weights(encoder, layers))
    except RuntimeError:
        raise ConfigError(
            f"student.layers: {type(encoder).__name__} ({name}) cannot be shortened",
            "Set it to null, or use an encoder of another family.",
        ) from None
    return shortened.eval()


def _shorten_config(config: "PretrainedConfig", layers: list[int]) -> "PretrainedConfig":
    """Return the configuration of an encoder of the given layers."""
    shortened = copy.deepcopy(config)
    shortened.num_hidden_layers = len(layers)
    for key in _LISTS_BY_LAYER:
        values = getattr(config, key, None)
        if isinstance(values, list):
            setattr(shortened, key, [values[layer] for layer in layers])
    return shortened


def _select_weights(encoder: Any, layers: list[int]) -> dict[str, Tensor]:
    """Return the encoder's weights with the given layers renumbered from 0, and without the others.

    A family that uses one layer again and again (ALBERT) has no list of layers and keeps all its weights.
    """
    total = encoder.config.num_hidden_layers
    lists = [
        re.escape(name)
        for name, module in encoder.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == total
    ]
    weights: dict[str, Tensor] = encoder.state_dict()
    if not lists:
        return weights

    pattern = re.compile(rf"({'|'.join(lists)})\.(\d+)\.")
    numbers = {str(layer): str(number) for number, layer in enumerate(layers)}
    selected = {}
    for key, value in weights.items():
        match = pattern.match(key)
        if match is None:
            selected[key] = value
        elif match[2] in numbers:
            selected[f"{match[1]}.{numbers[match[2]]}.{key[match.end() :]}"] = value
    return selected
