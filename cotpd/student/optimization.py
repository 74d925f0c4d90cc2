"""Which weights of a model learn, by AdamW with two rates, and how the rates rise and fall.

Trade-off: no scheduler object; the rate is a function of the step, so that a resumed run needs nothing but the
step's number.
"""

from collections.abc import Iterator
from functools import partial

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from cotpd.errors import ConfigError
from cotpd.student.model import StudentModel
from cotpd.student.params import TrainParams


def prepare_for_training(model: StudentModel, params: TrainParams) -> None:
    """Freeze the word embeddings and switch activation checkpointing on, each where ``params`` asks for it.

    transformers has no checkpointing for some families (MPNet, ALBERT); their layers are wrapped here.

    Raises:
        ConfigError: Checkpointing is asked for, and the encoder has no list of layers to wrap.
    """
    encoder = model.encoder
    if params.freeze_embeddings:
        encoder.get_input_embeddings().weight.requires_grad_(False)
    if not params.checkpointing:
        return

    if encoder.supports_gradient_checkpointing:
        encoder.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
        return
    layers = list(_iterate_layers(encoder))
    if not layers:
        raise ConfigError(
            f"checkpointing: {type(encoder).__name__} has no layers that could be computed anew",
            "Set it to false, and raise accumulate.",
        )
    for layer in layers:
        # set through the instance's __dict__: a forward that shadows the class's own method
        layer.__dict__["forward"] = partial(checkpoint, layer.forward, use_reentrant=False)


def _iterate_layers(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the members of the outermost module lists: the layers of a transformer, or groups of layers."""
    for child in module.children():
        yield from child if isinstance(child, nn.ModuleList) else _iterate_layers(child)


def make_optimizer(model: nn.Module, params: TrainParams) -> torch.optim.AdamW:
    """Return AdamW (Loshchilov and Hutter 2019) with one rate for the encoder and one for all new weights.

    Biases, norms and scalars get no weight decay; frozen weights are left out.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        if not weight.requires_grad:
            continue
        rate = params.learning_rate if name.startswith("encoder.") else params.head_learning_rate
        decay = params.weight_decay if weight.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(weight)

    settings = [
        {"params": weights, "lr": rate, "peak": rate, "weight_decay": decay}
        for (rate, decay), weights in groups.items()
    ]
    return torch.optim.AdamW(settings, fused=True)


def set_rates(optimizer: torch.optim.Optimizer, step: int, steps: int, warmup: float) -> None:
    """Set every group's learning rate for a step, counted from 0."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * compute_rate_factor(step, steps, warmup)


def compute_rate_factor(step: int, steps: int, warmup: float) -> float:
    """Return the share of the peak rate at a step: a linear rise over the warm-up, then a linear fall to zero.

    Args:
        step: From 0 to ``steps - 1``.
        steps: All steps of the run.
        warmup: The share of the steps in which the rate rises, 0 to 1.
    """
    warmup_steps = warmup * steps
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    return (steps - step) / max(1.0, steps - warmup_steps)
