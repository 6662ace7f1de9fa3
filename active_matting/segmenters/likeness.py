"""How like the labelled pixels each pixel is, in a space of colour, place or texture."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit

Array: TypeAlias = NDArray[Any]

_MOST_EXAMPLES = 200  # of each class; of more, as a trimap has, evenly spread ones are taken


def likeness(
    features: NDArray[np.float32], is_example: NDArray[np.bool_], scales: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Distance to the nearest example, then mean likeness to all examples at three scales: float32 (4, h, w).

    features: float32 (h, w, c). is_example: bool (h, w), somewhere True. Likeness is (1 + (distance / scale)²)⁻²,
    a kernel with heavy tails that costs no exponential.
    """
    h, w, channels = features.shape
    points = np.ascontiguousarray(features.reshape(-1, channels).T)
    examples = points[:, is_example.ravel()].T
    examples = np.ascontiguousarray(examples[:: -(-len(examples) // _MOST_EXAMPLES)])
    result = np.zeros((4, h * w), dtype=np.float32)
    _compare(points, examples, np.array([1 / scale**2 for scale in scales], dtype=np.float32), result)
    return result.reshape(4, h, w)


@njit(cache=True, nogil=True, error_model="numpy")  # the check for division by zero would forbid vectors
def _compare(points: Array, examples: Array, inverse: Array, result: Array) -> None:
    # In blocks of pixels that stay in the first-level cache, so that the inner loop runs along pixels.
    channels, count = points.shape
    squared = np.empty(512, dtype=np.float32)
    nearest = np.empty(512, dtype=np.float32)
    first, second, third = inverse
    share = np.float32(1) / np.float32(len(examples))
    for start in range(0, count, 512):
        n = min(512, count - start)
        near, block = nearest[:n], squared[:n]
        near[:] = np.float32(1e9)
        stop = start + n
        narrow, middle, wide = result[1, start:stop], result[2, start:stop], result[3, start:stop]
        for e in range(len(examples)):
            block[:] = 0
            for c in range(channels):
                example, channel = examples[e, c], points[c, start : start + n]
                for i in range(n):
                    difference = channel[i] - example
                    block[i] += difference * difference
            for i in range(n):
                near[i] = min(near[i], block[i])
                a, b, c2 = 1 + block[i] * first, 1 + block[i] * second, 1 + block[i] * third
                narrow[i] += share / (a * a)
                middle[i] += share / (b * b)
                wide[i] += share / (c2 * c2)
        for i in range(n):
            result[0, start + i] = np.sqrt(near[i])
