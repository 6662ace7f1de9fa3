"""A small multilayer perceptron that needs nothing but numpy to run."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from active_matting.errors import FileError

Matrix = NDArray[np.float32]

_MOST_PRODUCTS = 2**18
"""Of a matrix product that OpenBLAS makes on one thread. The others of its threads wait actively for some 30 ms after a
larger one, and take the cores from torch's and numba's: what follows, such as a network, took up to four times as long.
"""

_AT_ONCE = 48  # such products, so that a layer's output stays in the cache


@dataclass(frozen=True)
class Perceptron:
    """Layers of weights (outputs, inputs) and biases (outputs,), rectified in between, logistic at the end."""

    weights: tuple[Matrix, ...]
    biases: tuple[Matrix, ...]

    def __call__(self, features: Matrix) -> Matrix:
        """Outputs in (0, 1), float32 (outputs, h, w), from features float32 (inputs, h, w)."""
        inputs, h, w = features.shape
        flat = features.reshape(inputs, h * w)
        result = np.empty((len(self.biases[-1]), h * w), dtype=np.float32)
        few = max(1, _MOST_PRODUCTS // max(weight.size for weight in self.weights))
        whole = h * w - h * w % few
        for start in range(0, whole, few * _AT_ONCE):
            end = min(whole, start + few * _AT_ONCE)
            pieces = flat[:, start:end].reshape(inputs, -1, few).swapaxes(0, 1)
            result[:, start:end] = self._said(pieces).swapaxes(0, 1).reshape(len(result), -1)
        result[:, whole:] = self._said(flat[:, whole:])
        return result.reshape(-1, h, w)

    def _said(self, pixels: Matrix) -> Matrix:
        """Outputs (..., outputs, n) for inputs (..., inputs, n)."""
        last = len(self.weights) - 1
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            pixels = weight @ pixels + bias[:, None]
            if i < last:
                np.maximum(pixels, 0, out=pixels)
        return np.asarray(1 / (1 + np.exp(-np.clip(pixels, -30, 30))))


@cache
def read_perceptron(path: Path, features: tuple[str, ...]) -> Perceptron:
    """Read `layer.<i>.weight` and `layer.<i>.bias` of a safetensors file whose inputs are to be `features`.

    Raises `FileError` where the file cannot be read or was made for other features.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            told = tuple((file.metadata() or {}).get("features", "").split())
            count = sum(name.endswith(".weight") for name in file.keys())  # noqa: SIM118  (not a dictionary)
            weights = tuple(file.get_tensor(f"layer.{i}.weight") for i in range(count))
            biases = tuple(file.get_tensor(f"layer.{i}.bias") for i in range(count))
    except (OSError, SafetensorError) as error:
        raise FileError(f"cannot read the weights {path}: {error}") from error
    if told != features:
        raise FileError(f"{path} was made for the features {told}, not {features}")
    return Perceptron(weights, biases)


def write_perceptron(path: Path, perceptron: Perceptron, features: tuple[str, ...]) -> None:
    """Write what `read_perceptron` reads."""
    from safetensors.numpy import save

    from active_matting.files import written_whole

    tensors: dict[str, Matrix] = {}
    for i, (weight, bias) in enumerate(zip(perceptron.weights, perceptron.biases, strict=True)):
        tensors |= {f"layer.{i}.weight": weight, f"layer.{i}.bias": bias}
    with written_whole(path) as temporary:
        temporary.write_bytes(save(tensors, metadata={"features": " ".join(features)}))
