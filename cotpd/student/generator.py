"""The conditional prompt generator G: m vectors made from the post, put in front of it (arXiv 2306.14122).

Trade-off: it attends to the encoder's word embeddings, not to contextual states, which would cost a second encoder
pass at inference. Its output is added, through a small gate, to the embedding of a neutral token, so that at first
the encoder reads vectors like those of its own vocabulary.
"""

import torch
from torch import Tensor, nn


class PromptGenerator(nn.Module):
    """A Transformer decoder whose m learnable queries attend to the post's word embeddings.

    Args:
        length: m, the number of prompt vectors.
        width: d, the width of the word embeddings.
        layers, heads: Their numbers in the decoder; heads is lowered to a divisor of the width.
        neutral: (d,), the embedding that prompts start from.
        dropout: In the decoder.
    """

    scale: Tensor  # (): the neutral embedding's length per dimension

    def __init__(self, length: int, width: int, layers: int, heads: int, neutral: Tensor, dropout: float) -> None:
        super().__init__()
        heads = next(n for n in range(min(heads, width), 0, -1) if width % n == 0)
        self.queries = nn.Parameter(torch.randn(length, width))
        self.base = nn.Parameter(neutral.detach().clone().repeat(length, 1))
        self.gate = nn.Parameter(torch.tensor(0.1))
        self.read = nn.LayerNorm(width)  # word embeddings differ in scale from encoder to encoder
        self.layers = nn.ModuleList(_Layer(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.register_buffer("scale", neutral.norm() / width**0.5)

    def forward(
        self, embedded: Tensor, mask: Tensor, with_attention: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Return prompt vectors (batch, m, d), and the last layer's attention to x (batch, m, L) or None.

        Args:
            embedded: Word embeddings of x, (batch, L, d).
            mask: (batch, L), true where there is a sub-word.
            with_attention: Whether to return the attention, which costs time.
        """
        memory = self.read(embedded)
        state = self.queries.expand(len(embedded), -1, -1)
        attention = None
        for layer in self.layers:
            state, attention = layer(state, memory, mask, with_attention)
        return self.base + self.gate * self.scale * self.norm(state), attention


class _Layer(nn.Module):
    """One pre-norm decoder layer: queries attend among themselves, then across to the post."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.among = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.across = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.feed = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )

    def forward(
        self, state: Tensor, memory: Tensor, mask: Tensor, with_attention: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Return the state (batch, m, d) after the layer, and its attention to the post (batch, m, L) or None."""
        query = self.norms[0](state)
        state = state + self.among(query, query, query, need_weights=False)[0]
        query = self.norms[1](state)
        # as key_padding_mask, torch would import sympy to check its shape, which takes as long as the prediction
        padding = (~mask).repeat_interleave(self.across.num_heads, 0)[:, None].expand(-1, query.shape[1], -1)
        read, attention = self.across(query, memory, memory, attn_mask=padding, need_weights=with_attention)
        state = state + read
        return state + self.feed(self.norms[2](state)), attention
