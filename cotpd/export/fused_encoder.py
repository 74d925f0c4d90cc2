"""Encoders of the BERT family in the operators that ONNX Runtime has for them.

Trade-off: the encoder's forward pass is written a second time, for one family. What transformers traces to has
many operators where one does here, and ONNX Runtime's own fusion finds only patterns that it has met. The graph
takes about half of torch's time; query, key and value are one product.
"""

from typing import Any

import torch
from torch import Tensor, nn

_FAMILIES = {"bert": False, "roberta": True, "xlm-roberta": True, "camembert": True}
"""Those that compute as BERT does, and whether they number positions from the padding token's id on."""
_DOMAIN = "com.microsoft"


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int, lengths: Tensor) -> Tensor:
    """Return the attention (N, S, d) of queries (N, S, d) to keys and values (N, L, d) before each length (N,)."""
    return _call("MultiHeadAttention", [query, key, value, None, lengths], query, num_heads=heads)


def _call(name: str, inputs: list[Tensor | None], like: Tensor, **attributes: Any) -> Tensor:
    """Put one of ONNX Runtime's own operators into the graph; its output has the shape of ``like``."""
    output: Tensor = torch.onnx.ops.symbolic(
        f"{_DOMAIN}::{name}", inputs, attributes, dtype=like.dtype, shape=like.shape, version=1
    )
    return output


class FusedEncoder(nn.Module):
    """A BERT-like encoder over embeddings, whose last layer computes some positions alone.

    Args:
        encoder: A bare Hugging Face encoder that :meth:`can_read` accepts.
    """

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.heads: int = encoder.config.num_attention_heads
        table, kinds = encoder.embeddings.position_embeddings, encoder.embeddings.token_type_embeddings
        first = table.padding_idx + 1 if _FAMILIES[encoder.config.model_type] else 0
        # every sub-word is of kind 0, so that the kind is added once here and not in each run
        self.positions = nn.Parameter((table.weight[first:] + kinds.weight[0]).detach())
        self.norm = encoder.embeddings.LayerNorm
        self.layers = nn.ModuleList(_FusedLayer(layer, self.heads) for layer in encoder.encoder.layer)

    @staticmethod
    def can_read(encoder: Any) -> bool:
        """Whether an encoder computes as this class does."""
        config = encoder.config
        is_plain = not getattr(config, "is_decoder", False) and config.hidden_act == "gelu"
        is_absolute = getattr(config, "position_embedding_type", None) in (None, "absolute")
        return config.model_type in _FAMILIES and is_plain and is_absolute

    def forward(self, embedded: Tensor, lengths: Tensor, positions: Tensor) -> Tensor:
        """Return the last layer's states at positions (N, S) of embeddings (N, L, d), as (N, S, d)."""
        state = self.norm(embedded + self.positions[: embedded.shape[1]])
        *layers, last = self.layers
        for layer in layers:
            state = layer(state, state, lengths)
        index = positions.unsqueeze(-1).expand(-1, -1, state.shape[-1])
        states: Tensor = last(state.gather(1, index), state, lengths)
        return states


class _FusedLayer(nn.Module):
    """One post-norm layer, with one matrix for query, key and value."""

    def __init__(self, layer: Any, heads: int) -> None:
        super().__init__()
        attention = layer.attention.self
        parts = (attention.query, attention.key, attention.value)
        self.weight = nn.Parameter(torch.cat([part.weight for part in parts]).detach().T.contiguous())  # (d, 3 d)
        self.bias = nn.Parameter(torch.cat([part.bias for part in parts]).detach())
        self.heads, self.layer = heads, layer

    def forward(self, queried: Tensor, state: Tensor, lengths: Tensor) -> Tensor:
        """Return the states (N, S, d) of the sub-words ``queried``, among all (N, L, d)."""
        query, key, value = self._project(queried, state)
        read = attend(query, key, value, self.heads, lengths)
        queried = _add_and_normalize(read, queried, self.layer.attention.output)
        feed = self.layer.intermediate.dense
        wide = queried @ feed.weight.T
        wide = _call("BiasGelu", [wide, feed.bias], wide)
        return _add_and_normalize(wide, queried, self.layer.output)

    def _project(self, queried: Tensor, state: Tensor) -> tuple[Tensor, ...]:
        """Return query, key and value, in one product if all positions are queried."""
        width = state.shape[-1]
        if queried is state:
            return torch.split(state @ self.weight + self.bias, width, -1)
        query = queried @ self.weight[:, :width] + self.bias[:width]
        return query, *torch.split(state @ self.weight[:, width:] + self.bias[width:], width, -1)


def _add_and_normalize(states: Tensor, residual: Tensor, part: Any) -> Tensor:
    """Return what a layer's output part does to states: a product, the residual, the norm."""
    product = states @ part.dense.weight.T
    norm = part.LayerNorm
    inputs = [product, residual, norm.weight, norm.bias, part.dense.bias]
    return _call("SkipLayerNormalization", inputs, residual, epsilon=norm.eps)
