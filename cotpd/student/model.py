"""The student network: one encoder, a prompt generator and a head, read through several views.

Trade-off: everything enters the encoder as embeddings, which any encoder family accepts, at the price of not
using special input arguments that single families have.
"""

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from cotpd.student.batches import Batch
from cotpd.student.generator import PromptGenerator
from cotpd.student.heads import Head
from cotpd.student.labels import LabelSet
from cotpd.student.params import StudentParams
from cotpd.student.views import MARKERS, View

_SUBWORDS = 16_384  # read at a time in prediction: a long post has any number of windows, and memory has an end
_FLOAT32_ONLY = {"deberta"}  # v1 fills masks with float32's least number, which overflows in half precision


class StudentModel(nn.Module):
    """Encoder, generator and head.

    Args:
        encoder: A bare Hugging Face encoder.
        params: The architecture; prompt_length 0 leaves the generator out.
        labels: The inventory.
        neutral: Id of the token whose embedding prompts and markers start from (the mask token).
    """

    def __init__(self, encoder: Any, params: StudentParams, labels: LabelSet, neutral: int) -> None:
        super().__init__()
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None  # a sentence vector that no view reads
        self.encoder, self.labels = encoder, labels
        self.float32_only = encoder.config.model_type in _FLOAT32_ONLY
        table = encoder.get_input_embeddings().weight
        start = table[neutral].detach()
        self.vocabulary, width = table.shape

        self.generator: PromptGenerator | None = None
        if params.own_view == "prompt":
            size = (params.prompt_length, width, params.generator_layers, params.generator_heads)
            self.generator = PromptGenerator(*size, neutral=start, dropout=params.dropout)
        self.markers: nn.Parameter | None = None
        if labels.definition.reads_pair:
            noise = torch.randn(MARKERS, width) * start.std()
            self.markers = nn.Parameter(start.repeat(MARKERS, 1) + noise)
        self.head: Head = labels.definition.build_head(
            encoder.config.hidden_size, labels, params.constrained, params.dropout
        )

    def forward(self, batch: Batch, view: View) -> Tensor:
        """Return the scores of one view, always float32: of words (B, T, K) or logits (B, K)."""
        scores: Tensor = self.head(self.compute_states(batch, view))
        return scores

    def compute_states(self, batch: Batch, view: View) -> Tensor:
        """Return the states that the head reads: of first sub-words (B, T, d) or opening markers (B, 2, d)."""
        embedded, attention, shift = self.embed(batch.ids), batch.attention, 0
        if view == "prompt" and self.generator is not None:
            prompt, _ = self.generator(embedded, attention)  # (N, m, d)
            shift = prompt.shape[1]
            embedded = torch.cat([embedded[:, :1], prompt, embedded[:, 1:]], 1)  # behind cls
            attention = torch.cat([attention.new_ones(len(prompt), shift), attention], 1)
        states = self._encode(embedded, attention.long())
        return states[batch.window_of_state, batch.position_of_state + shift]

    def _encode(self, embedded: Tensor, attention: Tensor) -> Tensor:
        """Return the encoder's states (N, L, d); without gradient, a few windows at a time."""
        count = len(embedded) if torch.is_grad_enabled() else max(1, _SUBWORDS // embedded.shape[1])
        chunks = zip(torch.split(embedded, count), torch.split(attention, count), strict=True)
        with torch.autocast(embedded.device.type, enabled=False) if self.float32_only else nullcontext():
            outputs = [self.encoder(inputs_embeds=inputs, attention_mask=mask) for inputs, mask in chunks]
        states: list[Tensor] = [output.last_hidden_state for output in outputs]
        return states[0] if len(states) == 1 else torch.cat(states)

    def compute_prompt_attention(self, batch: Batch) -> Tensor | None:
        """Return each prompt query's attention to the sub-words, (N, m, L), rows that sum to 1.

        None if the model has no prompt generator.
        """
        if self.generator is None:
            return None
        attention: Tensor = self.generator(self.embed(batch.ids), batch.attention, with_attention=True)[1]
        return attention

    def embed(self, ids: Tensor) -> Tensor:
        """Return the embeddings of sub-words and markers, (N, L, d)."""
        table = self.encoder.get_input_embeddings()
        if self.markers is None:
            embedded: Tensor = table(ids)
            return embedded
        words: Tensor = table(ids.clamp(max=self.vocabulary - 1))
        markers = self.markers[(ids - self.vocabulary).clamp(min=0)].to(words.dtype)
        return torch.where((ids >= self.vocabulary).unsqueeze(-1), markers, words)
