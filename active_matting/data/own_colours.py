"""A foreground's own colours, without those that shine through it."""

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.types import Alpha, Image

_REGULARISATION = np.float32(1e-5)
_SMALL = 32  # pixels of the longer side up to which a level is gone over ten times rather than twice


def own_colours(image: Image, alpha: Alpha) -> Image:
    """The foreground's colours, float32 `(H, W, 3)` in [0, 1], smooth where alpha is 0.

    Germer et al., "Fast Multi-Level Foreground Estimation", ICPR 2020, as pymatting's `estimate_foreground_ml`
    computes it with its default settings, but without threads: numba's do not survive that a process is forked,
    which is how loaders and vectorised environments make their workers. Where alpha is 1 it is the image itself.
    image: float32 `(H, W, 3)` in [0, 1], alpha: float32 `(H, W)`.
    """
    if alpha.size == 1:  # the levels begin with a pixel and need a second
        return image
    foreground, background = (_mean(image, chosen)[None, None] for chosen in (alpha > 0.9, alpha < 0.1))
    levels = int(np.ceil(np.log2(max(alpha.shape))))
    for level in range(levels + 1):
        h, w = (round(extent ** (level / levels)) for extent in alpha.shape)
        foreground, background = _sampled(foreground, h, w), _sampled(background, h, w)
        passes = 10 if max(h, w) <= _SMALL else 2
        _improve(_sampled(image, h, w), _sampled(alpha, h, w), foreground, background, passes, _REGULARISATION)
    return np.where(alpha[..., None] == 1, image, foreground)


def _mean(image: Image, is_chosen: NDArray[np.bool_]) -> NDArray[np.float32]:
    chosen = image[is_chosen]
    return np.asarray(chosen.sum(axis=0, dtype=np.float64) / (len(chosen) + 1e-5), dtype=np.float32)


def _sampled(plane: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """The nearest pixels of `(H, W, ...)`, always a copy."""
    rows = np.arange(height) * plane.shape[0] // height
    columns = np.arange(width) * plane.shape[1] // width
    return np.ascontiguousarray(plane[rows[:, None], columns], dtype=np.float32)


@njit(cache=True, nogil=True)
def _improve(
    image: NDArray[np.float32],
    alpha: NDArray[np.float32],
    foreground: NDArray[np.float32],
    background: NDArray[np.float32],
    passes: int,
    regularisation: np.float32,
) -> None:
    """Gauss-Seidel passes, in place: at each pixel F and B that make up the image and resemble their neighbours.

    The more alpha changes towards a neighbour, the more they resemble it; each pixel is a 2 × 2 system of equations.
    """
    h, w = alpha.shape
    for _ in range(passes):
        for y in range(h):
            for x in range(w):
                a = alpha[y, x]
                b = np.float32(1) - a
                aa, ab, bb = a * a, a * b, b * b
                for y2, x2 in ((y, max(0, x - 1)), (y, min(w - 1, x + 1)), (max(0, y - 1), x), (min(h - 1, y + 1), x)):
                    weight = regularisation + abs(a - alpha[y2, x2])
                    aa += weight
                    bb += weight
                scale = np.float32(1) / (aa * bb - ab * ab)
                for c in range(3):
                    f, g = a * image[y, x, c], b * image[y, x, c]
                    for y2, x2 in (
                        (y, max(0, x - 1)),
                        (y, min(w - 1, x + 1)),
                        (max(0, y - 1), x),
                        (min(h - 1, y + 1), x),
                    ):
                        weight = regularisation + abs(a - alpha[y2, x2])
                        f += weight * foreground[y2, x2, c]
                        g += weight * background[y2, x2, c]
                    foreground[y, x, c] = max(np.float32(0), min(np.float32(1), scale * (bb * f - ab * g)))
                    background[y, x, c] = max(np.float32(0), min(np.float32(1), scale * (aa * g - ab * f)))
