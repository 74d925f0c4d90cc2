"""The network of a student as it is written to ONNX: windows of sub-words in, the head's scores out.

Trade-off: prompts, encoder and head are in the graph, decoding is not. NumPy decodes in a hundredth of the time
that the scores take; a graph's loop over words would be slower, and would hold the temperature, which may change.
Of the last layer only the states that the head reads are computed.

The encoder of a family that :mod:`cotpd.export.fused_encoder` does not know is traced as transformers has it.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cotpd.errors import ModelError
from cotpd.export.fused_encoder import FusedEncoder, attend
from cotpd.student.generator import PromptGenerator
from cotpd.student.model import StudentModel

_OPTIONS: dict[str, Any] = {"opset_version": 20, "dynamo": True, "verbose": False}
INPUTS = ("ids", "lengths", "positions")


class WindowScorer(nn.Module):
    """A student in its own view, over windows instead of posts.

    N is the number of windows, L that of their sub-words (cls and sep included), S that of the states read there.
    """

    def __init__(self, model: StudentModel) -> None:
        super().__init__()
        self.model = model
        self.encoder = FusedEncoder(model.encoder) if FusedEncoder.can_read(model.encoder) else None

    def forward(self, ids: Tensor, lengths: Tensor, positions: Tensor) -> Tensor:
        """Return scores of words (N, S, K), or logits (N, K) of pairs.

        Args:
            ids: (N, L) int64.
            lengths: (N,) int32: sub-words of each window, padding behind them.
            positions: (N, S) int64: the state's sub-words, cls counted; padding may be any.
        """
        embedded = self.model.embed(ids)
        if self.model.generator is not None:
            prompt = _generate(self.model.generator, embedded, lengths)  # (N, m, d)
            embedded = torch.cat([embedded[:, :1], prompt, embedded[:, 1:]], 1)  # behind cls
            lengths, positions = lengths + prompt.shape[1], positions + prompt.shape[1]
        scores: Tensor = self.model.head(self._encode(embedded, lengths, positions))
        return scores

    def _encode(self, embedded: Tensor, lengths: Tensor, positions: Tensor) -> Tensor:
        """Return the states at some positions, (N, S, d)."""
        if self.encoder is not None:
            states: Tensor = self.encoder(embedded, lengths, positions)
            return states
        attention = torch.arange(embedded.shape[1], device=embedded.device) < lengths.unsqueeze(1)
        output = self.model.encoder(inputs_embeds=embedded, attention_mask=attention.long())
        return select_states(output.last_hidden_state, positions)


def select_states(states: Tensor, positions: Tensor) -> Tensor:
    """Return states (N, L, d) at positions (N, S), as (N, S, d)."""
    return states.gather(1, positions.unsqueeze(-1).expand(-1, -1, states.shape[-1]))


def _generate(generator: PromptGenerator, embedded: Tensor, lengths: Tensor) -> Tensor:
    """Return the prompt vectors (N, m, d), with one operator for the attention to the post."""
    memory = generator.read(embedded)
    state = generator.queries.unsqueeze(0)
    layers: Any = generator.layers
    for layer in layers:
        among, across = layer.among, layer.across
        query = layer.norms[0](state)
        state = state + among(query, query, query, need_weights=False)[0]

        width = memory.shape[-1]
        weight, bias = across.in_proj_weight, across.in_proj_bias
        query = layer.norms[1](state) @ weight[:width].T + bias[:width]
        key, value = (memory @ weight[width:].T + bias[width:]).split(width, -1)
        read = attend(query.expand(memory.shape[0], -1, -1), key, value, across.num_heads, lengths)
        state = state + across.out_proj(read)
        state = state + layer.feed(layer.norms[2](state))
    prompts: Tensor = generator.base + generator.gate * generator.scale * generator.norm(state)
    return prompts


def write_graph(model: StudentModel, file: Path) -> None:
    """Write a student's network as ONNX.

    Raises:
        ModelError: The encoder cannot be traced.
    """
    dynamic = torch.export.Dim.DYNAMIC
    example = (
        torch.full((3, 12), 1),
        torch.tensor([12, 10, 11], dtype=torch.int32),
        torch.tensor([[1, 2]] * 3),
    )
    # a head that scores an example as a whole reads two states a window, always
    states = {0: dynamic, 1: dynamic} if model.labels.definition.scores_words else {0: dynamic}
    shapes = ({0: dynamic, 1: dynamic}, {0: dynamic}, states)
    names: dict[str, Any] = {"input_names": list(INPUTS), "output_names": ["scores"]}
    try:
        with torch.no_grad(), _silence_notes():
            program: Any = torch.onnx.export(
                WindowScorer(model).eval(), example, **names, **_OPTIONS, dynamic_shapes=shapes
            )
        program.save(file)
    except torch.onnx.errors.OnnxExporterError as error:
        reason = str(error).splitlines()[0]
        family = model.encoder.config.model_type
        raise ModelError(
            f"an encoder of the family {family} cannot be written as ONNX: {reason}", "Predict with torch."
        ) from None


@contextmanager
def _silence_notes() -> Iterator[None]:
    """Keep to itself what torch and onnxscript tell of every export: what they simplified, and did not find."""
    for name in ("torch.onnx", "onnxscript"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of torch, about its own tree of arguments
        yield
