"""int8: the products of a graph with bytes in place of floats, statically scaled.

Trade-off: the range of each input is fixed from training posts instead of being looked up in each batch, so that a
post's predictions do not depend on which posts share its batch. Weights have a scale for each column. The products
with the largest error stay in float, as many as the accuracy asks for.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

_LEVELS = 255  # of an unsigned byte
_CLIPS = (1.0, 0.8, 0.6, 0.45, 0.3, 0.2)  # shares of the largest magnitude that are tried as a range
_SAMPLED = 600  # rows of an input that its range is chosen by
_DOMAIN = "com.microsoft"


@dataclass(frozen=True)
class Product:
    """One product of an input with constant weights, (in, out).

    Attributes:
        name: The name of its node.
        source: The name of its input.
        error: The error of its int8 output, relative to the output: which one to leave in float first.
        low, high: The range of its input.
    """

    name: str
    source: str
    error: float
    low: float
    high: float


class Quantizer:
    """An exact graph, and the products that can be computed in bytes.

    Args:
        file: The exact graph.
        feeds: Inputs of the graph, from training posts.
        largest: The largest magnitude of a weight: 127, or less where sums of two products may overflow.
    """

    def __init__(self, file: Path, feeds: Sequence[Mapping[str, np.ndarray]], largest: int = 127) -> None:
        self.largest = largest
        self.model = onnx.load(str(file))
        graph = self.model.graph
        self.constants = {constant.name: constant for constant in graph.initializer}
        self.nodes = [node for node in graph.node if self._is_product(node)]
        inputs = _sample_inputs(self.model, sorted({node.input[0] for node in self.nodes}), feeds)
        self.products = [self._measure(node, inputs[node.input[0]]) for node in self.nodes]

    def _is_product(self, node: onnx.NodeProto) -> bool:
        weights = self.constants.get(node.input[1]) if node.op_type == "MatMul" else None
        return weights is not None and len(weights.dims) == 2 and weights.data_type == TensorProto.FLOAT

    def _measure(self, node: onnx.NodeProto, sample: np.ndarray) -> Product:
        """Choose the range of a product's input that leaves the least error."""
        low, high = _choose_range(sample)
        weights = numpy_helper.to_array(self.constants[node.input[1]])
        quantized, scales = quantize_columns(weights, self.largest)
        exact = sample @ weights
        error = _round_to_levels(sample, low, high) @ (quantized * scales) - exact
        relative = float(np.square(error).sum() / max(np.square(exact).sum(), np.finfo(np.float32).tiny))
        return Product(node.name, node.input[0], relative, low, high)

    def rank(self) -> list[str]:
        """Return the names of the products, the one with the largest error first."""
        return [product.name for product in sorted(self.products, key=lambda product: -product.error)]

    def write(self, file: Path, excluded: Collection[str]) -> None:
        """Write the graph with every product in int8 but some."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        nodes, constants = [], {constant.name: constant for constant in model.graph.initializer}
        products = {product.name: product for product in self.products if product.name not in excluded}
        quantized: set[str] = set()
        for node in model.graph.node:
            product = products.get(node.name)
            if product is None:
                nodes.append(node)
                continue
            if product.source not in quantized:
                quantized.add(product.source)
                nodes.append(_quantize_input(product, constants))
            nodes.append(_quantize_product(node, constants, self.largest))

        used = set(chain.from_iterable(node.input for node in nodes))
        del model.graph.node[:], model.graph.initializer[:]
        model.graph.node.extend(nodes)
        model.graph.initializer.extend(constant for name, constant in constants.items() if name in used)
        onnx.save(model, str(file))


def quantize_columns(weights: np.ndarray, largest: int = 127) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (in, out) as signed bytes, and the scale of each column (out,)."""
    peaks = np.abs(weights).max(0)
    scales = np.where(peaks > 0, peaks / largest, 1.0).astype(np.float32)
    return np.round(weights / scales).clip(-largest, largest).astype(np.int8), scales


def _choose_range(sample: np.ndarray) -> tuple[float, float]:
    """Return the range around zero whose levels leave the least squared error on a sample (rows, in)."""
    low, high = min(float(sample.min()), 0.0), max(float(sample.max()), 1e-6)
    ranges = [(low * clip, high * clip) for clip in _CLIPS]
    errors = [float(np.square(_round_to_levels(sample, *bounds) - sample).sum()) for bounds in ranges]
    return ranges[int(np.argmin(errors))]


def _find_scale(low: float, high: float) -> tuple[np.float32, np.uint8]:
    """Return the scale and the zero point of unsigned bytes over a range."""
    scale = np.float32((high - low) / _LEVELS)
    return scale, np.uint8(round(float(np.clip(-low / scale, 0, _LEVELS))))


def _round_to_levels(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return values as unsigned bytes over a range give them back."""
    scale, zero = _find_scale(low, high)
    levels = np.clip(np.round(values / scale) + np.float32(zero), 0, _LEVELS)
    rounded: np.ndarray = (levels - np.float32(zero)) * scale
    return rounded


def _sample_inputs(
    model: onnx.ModelProto, names: Sequence[str], feeds: Sequence[Mapping[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Return rows (_SAMPLED at most, in) of some tensors of a graph, as they are when it runs."""
    tapped = onnx.ModelProto()
    tapped.CopyFrom(model)
    tapped.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(tapped.SerializeToString(), options, providers=["CPUExecutionProvider"])

    generator, each = np.random.default_rng(0), -(-_SAMPLED // len(feeds))
    rows: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for feed in feeds:
        for name, value in zip(names, session.run(list(names), feed), strict=True):
            flat = value.reshape(-1, value.shape[-1])
            rows[name].append(flat[generator.permutation(len(flat))[:each]])
    return {name: np.concatenate(parts) for name, parts in rows.items()}


def _quantize_input(product: Product, constants: dict[str, TensorProto]) -> onnx.NodeProto:
    """Return the node that turns a product's input into bytes, and add its constants."""
    source = product.source
    scale, zero = _find_scale(product.low, product.high)
    for name, value in ((f"{source}.scale", scale), (f"{source}.zero", zero)):
        constants[name] = numpy_helper.from_array(np.asarray(value), name)
    inputs = [source, f"{source}.scale", f"{source}.zero"]
    return helper.make_node("QuantizeLinear", inputs, [f"{source}.int8"], name=f"{source}.quantize")


def _quantize_product(node: onnx.NodeProto, constants: dict[str, TensorProto], largest: int) -> onnx.NodeProto:
    """Return the product in bytes, and add its weights as constants."""
    source, weights = node.input
    quantized, scales = quantize_columns(numpy_helper.to_array(constants[weights]), largest)
    for name, value in ((f"{weights}.int8", quantized), (f"{weights}.scale", scales)):
        constants[name] = numpy_helper.from_array(value, name)
    inputs = [f"{source}.int8", f"{weights}.int8", f"{source}.scale", f"{weights}.scale", f"{source}.zero"]
    return helper.make_node("MatMulIntegerToFloat", inputs, node.output, name=node.name, domain=_DOMAIN)
