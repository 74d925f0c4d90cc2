"""What of a model learns, by AdamW with two rates, and their rise and fall.

Trade-off: no scheduler object; the rate is a function of the step, so that a resumed run needs nothing but the
step's number.
"""

from collections.abc import Iterator
from functools import partial

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from cotpd.config import TrainParams
from cotpd.errors import ConfigError
from cotpd.student.model import StudentModel


def prepare(model: StudentModel, params: TrainParams) -> None:
    """Freeze the word embeddings, and compute the encoder's layers anew in the backward pass, if that is wanted.

    Where transformers has no checkpointing for a family (MPNet, ALBERT), its layers are wrapped here.

    Raises:
        ConfigError: The encoder has no list of layers to compute anew.
    """
    encoder = model.encoder
    if params.freeze_embeddings:
        encoder.get_input_embeddings().weight.requires_grad_(False)
    if params.checkpointing and encoder.supports_gradient_checkpointing:
        encoder.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    elif params.checkpointing:
        if not (layers := list(_layers(encoder))):
            raise ConfigError(
                f"checkpointing: {type(encoder).__name__} has no layers that could be computed anew",
                "Set it to false, and raise accumulate.",
            )
        for layer in layers:
            layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)


def _layers(module: nn.Module) -> Iterator[nn.Module]:
    """The members of the outermost lists of modules: the layers of a transformer, or groups of them."""
    for child in module.children():
        yield from child if isinstance(child, nn.ModuleList) else _layers(child)


def make_optimizer(model: nn.Module, params: TrainParams) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019): one rate for the encoder, one for what starts from nothing.

    Biases, norms and single numbers do not decay.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        if not weight.requires_grad:
            continue
        rate = params.learning_rate if name.startswith("encoder.") else params.head_learning_rate
        groups.setdefault((rate, params.weight_decay if weight.ndim > 1 else 0.0), []).append(weight)
    return torch.optim.AdamW(
        [
            {"params": weights, "lr": rate, "peak": rate, "weight_decay": decay}
            for (rate, decay), weights in groups.items()
        ],
        fused=True,
    )


def set_rates(optimizer: torch.optim.Optimizer, step: int, steps: int, warmup: float) -> None:
    """Set every group's rate for a step, counted from 0."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * rate_factor(step, steps, warmup)


def rate_factor(step: int, steps: int, warmup: float) -> float:
    """Share of the peak rate at a step: a linear rise over the warm-up, then a linear fall to zero."""
    rise = warmup * steps
    if step < rise:
        return (step + 1) / (rise + 1)
    return (steps - step) / max(1.0, steps - rise)
