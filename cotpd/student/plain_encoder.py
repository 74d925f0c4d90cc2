"""Encoders of the BERT family in torch alone, for prediction.

Trade-off: a forward pass that transformers has is written a second time, for the few families that share it. The
modelling files of transformers import torch's compiler, torch.distributed, scipy, and code for generation and
losses, which takes longer than all else that a single prediction needs. Training and other families use them.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

FAMILIES = {"bert": False, "roberta": True, "xlm-roberta": True, "camembert": True, "mpnet": True}
"""Those that are computed here, and whether they number positions from behind the padding token's id."""
_BUCKETS, _FARTHEST = 32, 128  # MPNet's distances between two positions share 32 biases, those from 128 on one
_MPNET_NAMES = {
    ".attention.attn.q.": ".attention.self.query.",
    ".attention.attn.k.": ".attention.self.key.",
    ".attention.attn.v.": ".attention.self.value.",
    ".attention.attn.o.": ".attention.output.dense.",
    ".attention.LayerNorm.": ".attention.output.LayerNorm.",
}


class EncoderConfig(NamedTuple):
    """The values of an encoder's config.json that are read, by their names there."""

    model_type: str
    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float
    pad_token_id: int


class States(NamedTuple):
    """The output of an encoder: states (N, L, d), by the name that transformers has for them."""

    last_hidden_state: Tensor


def read_config(values: Mapping[str, Any]) -> EncoderConfig | None:
    """Return the configuration of an encoder that is computed here; None for any other."""
    fields: dict[str, Any] = {name: values.get(name) for name in EncoderConfig._fields}
    if fields["model_type"] == "mpnet":
        fields["type_vocab_size"] = 1  # it has no kinds of sub-words
    is_plain = not values.get("is_decoder") and values.get("hidden_act") == "gelu"
    is_absolute = values.get("position_embedding_type") in (None, "absolute")
    is_usual = values.get("relative_attention_num_buckets") in (None, _BUCKETS)
    if fields["model_type"] not in FAMILIES or not (is_plain and is_absolute and is_usual):
        return None
    if not all(type(fields[name]) is kind for name, kind in EncoderConfig.__annotations__.items()):
        return None
    config = EncoderConfig(**fields)
    are_sizes = min(config[1:8]) > 0 and config.pad_token_id >= 0
    return config if are_sizes and config.hidden_size % config.num_attention_heads == 0 else None


def rename_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights by the names that BERT has for them; MPNet's have names of their own."""
    renamed = {}
    for name, weight in weights.items():
        for own, common in _MPNET_NAMES.items():
            name = name.replace(own, common)
        renamed[name] = weight
    return renamed


class PlainEncoder(nn.Module):
    """An encoder over embeddings, with the names of BERT's weights, which are to be loaded: none is initialised.

    Args:
        config: The configuration of an encoder of a family in :data:`FAMILIES`.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = _Embeddings(config)
        self.encoder = _Layers(config)

    def get_input_embeddings(self) -> nn.Embedding:
        """Return the embeddings of sub-words."""
        return self.embeddings.word_embeddings

    def forward(self, inputs_embeds: Tensor, attention_mask: Tensor) -> States:
        """Return the states (N, L, d) of embeddings (N, L, d); the mask (N, L) is 1 where there is a sub-word."""
        is_read = attention_mask.bool()
        mask = None if is_read.all() else is_read[:, None, None, :]  # without one, torch has a faster kernel
        return States(self.encoder(self.embeddings(inputs_embeds), mask))


class _Linear(nn.Linear):
    def reset_parameters(self) -> None:
        """Leave the weights as memory holds them: they are read from a file, and random ones take longer."""


class _Embedding(nn.Embedding):
    def reset_parameters(self) -> None:
        """As for :class:`_Linear`."""


class _Embeddings(nn.Module):
    """Adds to the embeddings of sub-words those of their positions, and of kind 0, which every sub-word has."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.first = config.pad_token_id + 1 if FAMILIES[config.model_type] else 0
        self.word_embeddings = _Embedding(config.vocab_size, width)
        self.position_embeddings = _Embedding(config.max_position_embeddings, width)
        self.token_type_embeddings: nn.Embedding | None = None
        if config.model_type != "mpnet":
            self.token_type_embeddings = _Embedding(config.type_vocab_size, width)
        self.LayerNorm = nn.LayerNorm(width, eps=config.layer_norm_eps)

    def forward(self, embedded: Tensor) -> Tensor:
        if self.token_type_embeddings is not None:
            embedded = embedded + self.token_type_embeddings.weight[0]
        positions = self.position_embeddings.weight[self.first : self.first + embedded.shape[1]]
        states: Tensor = self.LayerNorm(embedded + positions)
        return states


class _Layers(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(_Layer(config) for _ in range(config.num_hidden_layers))
        self.relative_attention_bias: nn.Embedding | None = None
        if config.model_type == "mpnet":
            self.relative_attention_bias = _Embedding(_BUCKETS, config.num_attention_heads)

    def forward(self, states: Tensor, mask: Tensor | None) -> Tensor:
        if self.relative_attention_bias is not None:
            mask = self._compute_bias(states.shape[1], mask)
        for layer in self.layer:
            states = layer(states, mask)
        return states

    def _compute_bias(self, length: int, mask: Tensor | None) -> Tensor:
        """Return what is added to the attention, (1 or N, heads, L, L): a bias for each distance."""
        assert self.relative_attention_bias is not None
        table = self.relative_attention_bias.weight
        position = torch.arange(length, device=table.device)
        buckets = _find_buckets(position[:, None] - position[None, :])
        bias = table[buckets].permute(2, 0, 1)[None]
        return bias if mask is None else bias.masked_fill(~mask, torch.finfo(bias.dtype).min)


def _find_buckets(distances: Tensor) -> Tensor:
    """Return the bucket of each distance: of its own when near, shared by more and more when far, as in T5."""
    half, near = _BUCKETS // 2, _BUCKETS // 4
    sizes = distances.abs()
    ratio = torch.log(sizes.float() / near) / math.log(_FARTHEST / near)
    far = (near + (ratio * (half - near)).long()).clamp(max=half - 1)
    return (distances < 0).long() * half + torch.where(sizes < near, sizes, far)


class _Layer(nn.Module):
    """One post-norm layer."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width, wide = config.hidden_size, config.intermediate_size
        self.attention = nn.ModuleDict({"self": _Attention(config), "output": _Output(config, width)})
        self.intermediate = nn.ModuleDict({"dense": _Linear(width, wide)})
        self.output = _Output(config, wide)

    def forward(self, states: Tensor, mask: Tensor | None) -> Tensor:
        states = self.attention["output"](self.attention["self"](states, mask), states)
        output: Tensor = self.output(functional.gelu(self.intermediate["dense"](states)), states)
        return output


class _Attention(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads = config.num_attention_heads
        self.query, self.key, self.value = (_Linear(width, width) for _ in range(3))

    def forward(self, states: Tensor, mask: Tensor | None) -> Tensor:
        parts = [self._split(project(states)) for project in (self.query, self.key, self.value)]
        attended = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2], mask)  # (N, H, L, d/H)
        return attended.transpose(1, 2).flatten(2)

    def _split(self, states: Tensor) -> Tensor:
        """Return states (N, L, d) by head, (N, H, L, d/H)."""
        return states.reshape(*states.shape[:2], self.heads, -1).transpose(1, 2)


class _Output(nn.Module):
    """A product, added to the residual and normalised."""

    def __init__(self, config: EncoderConfig, inputs: int) -> None:
        super().__init__()
        self.dense = _Linear(inputs, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, states: Tensor, residual: Tensor) -> Tensor:
        output: Tensor = self.LayerNorm(self.dense(states) + residual)
        return output
