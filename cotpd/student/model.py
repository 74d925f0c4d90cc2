"""The student network: one encoder, a prompt generator and a head, read through several views.

Trade-off: everything enters the encoder as embeddings, which any encoder family accepts, at the price of not
using special input arguments that single families have.
"""

from contextlib import nullcontext

import torch
from torch import Tensor, nn

from cotpd.config import StudentParams
from cotpd.student.batches import Batch
from cotpd.student.generator import PromptGenerator
from cotpd.student.heads import make_head
from cotpd.student.labels import LabelSet
from cotpd.student.views import MARKERS, View

_SUBWORDS = 16_384  # that the encoder reads at a time when it only predicts
_SINGLE = {"deberta"}  # families whose code cannot mix: v1 fills half precision with float32's least number


class StudentModel(nn.Module):
    """Encoder, generator and head.

    Args:
        encoder: A bare Hugging Face encoder.
        params: The architecture; prompt_length 0 leaves the generator out.
        labels: The inventory.
        neutral: Id of the token whose embedding prompts and markers start from (the mask token).
    """

    def __init__(self, encoder: nn.Module, params: StudentParams, labels: LabelSet, neutral: int) -> None:
        super().__init__()
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None  # a sentence vector that nobody reads
        self.encoder, self.labels = encoder, labels
        self.single = encoder.config.model_type in _SINGLE
        table = encoder.get_input_embeddings().weight
        start = table[neutral].detach()
        self.vocabulary, width = table.shape
        self.generator = None
        if params.prompt_length:
            size = (params.prompt_length, width, params.generator_layers, params.generator_heads)
            self.generator = PromptGenerator(*size, neutral=start, dropout=params.dropout)
        self.markers = None
        if labels.task == "re":
            noise = torch.randn(MARKERS, width) * start.std()
            self.markers = nn.Parameter(start.repeat(MARKERS, 1) + noise)
        self.head = make_head(encoder.config.hidden_size, labels, params.constrained, params.dropout)

    def forward(self, batch: Batch, view: View) -> Tensor:
        """Scores of one view: emissions (B, T, K) or logits (B, R), always float32."""
        return self.head(self.states(batch, view))

    def states(self, batch: Batch, view: View) -> Tensor:
        """What the head reads: the encoder's states of first sub-words (B, T, d) or opening markers (B, 2, d)."""
        embedded, attention, shift = self._embed(batch.ids), batch.attention, 0
        if view == "prompt" and self.generator is not None:
            prompt, _ = self.generator(embedded, attention)
            shift = prompt.shape[1]
            embedded = torch.cat([embedded[:, :1], prompt, embedded[:, 1:]], 1)
            attention = torch.cat([attention.new_ones(len(prompt), shift), attention], 1)
        states = self._encode(embedded, attention.long())
        return states[batch.rows, batch.places + shift]

    def _encode(self, embedded: Tensor, attention: Tensor) -> Tensor:
        """States (N, L, d). Where nothing is learnt, few windows at a time: a long post has any number of them."""
        most = len(embedded) if torch.is_grad_enabled() else max(1, _SUBWORDS // embedded.shape[1])
        parts = zip(embedded.split(most), attention.split(most), strict=True)
        with torch.autocast(embedded.device.type, enabled=False) if self.single else nullcontext():
            read = [self.encoder(inputs_embeds=one, attention_mask=seen) for one, seen in parts]
        states = [one.last_hidden_state for one in read]
        return states[0] if len(states) == 1 else torch.cat(states)

    def attention(self, batch: Batch) -> Tensor | None:
        """Each prompt query's attention to the sub-words: (N, m, L), rows that sum to 1; None without prompts."""
        if self.generator is None:
            return None
        return self.generator(self._embed(batch.ids), batch.attention, weigh=True)[1]

    def _embed(self, ids: Tensor) -> Tensor:
        table = self.encoder.get_input_embeddings()
        if self.markers is None:
            return table(ids)
        words = table(ids.clamp(max=self.vocabulary - 1))
        marks = self.markers[(ids - self.vocabulary).clamp(min=0)].to(words.dtype)
        return torch.where((ids >= self.vocabulary).unsqueeze(-1), marks, words)
