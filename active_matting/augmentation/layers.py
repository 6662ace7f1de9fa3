"""A picture as what it is made of, and how an object behind the first is added to it."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from active_matting.errors import InvalidArrayError
from active_matting.types import Alpha, Image


@dataclass(frozen=True)
class Layers:
    """A foreground, its opacity and what is behind it, all of one size; nothing here is multiplied by alpha.

    foreground, background: float32 `(H, W, 3)` in [0, 1], right everywhere, also where alpha is 0 or 1, so that they
    may be resampled; alpha: float32 `(H, W)` in [0, 1]. Raises `InvalidArrayError` where shapes differ; values are
    trusted.
    """

    foreground: Image
    alpha: Alpha
    background: Image

    def __post_init__(self) -> None:
        if self.alpha.ndim != 2:
            raise InvalidArrayError(f"alpha must have shape (H, W), got {self.alpha.shape}")
        for name, colours in (("foreground", self.foreground), ("background", self.background)):
            if colours.shape != (*self.alpha.shape, 3):
                raise InvalidArrayError(f"{name} must have shape {(*self.alpha.shape, 3)}, got {colours.shape}")

    def image(self) -> Image:
        """The composite, float32 `(H, W, 3)`: alpha · foreground + (1 − alpha) · background (thesis, eq. 1.1)."""
        return _blend(self.background, self.foreground, self.alpha)


def add_behind(layers: Layers, foreground: Image, alpha: Alpha) -> Layers:
    """The layers with a second object, between the first and the background, as part of the foreground.

    Of two opacities a₁ and a₂ comes 1 − (1 − a₁)(1 − a₂), and the colours are weighted with what is seen of each, so
    that the composite is the first over the second over the background (thesis, sec. 4.3.6, adds an object with
    probability 0.5 to have more different ones). Where neither is seen the colours are the first's, so that they jump
    at the second's outline: warp first, add then. foreground: float32 `(H, W, 3)` in [0, 1]; alpha: float32 `(H, W)`.
    Raises `InvalidArrayError` where shapes differ.
    """
    if alpha.shape != layers.alpha.shape:
        raise InvalidArrayError(f"alpha must have the layers' shape {layers.alpha.shape}, got {alpha.shape}")
    Layers(foreground, alpha, layers.background)  # for its checks
    seen = (1 - layers.alpha) * alpha  # of the second
    together = layers.alpha + seen
    share = np.divide(seen, together, out=np.zeros_like(seen), where=together > 0)
    return replace(
        layers, foreground=_blend(layers.foreground, foreground, share), alpha=np.minimum(together, 1, out=together)
    )


def _blend(below: Image, above: Image, opacity: Alpha) -> Image:
    blended = above - below
    blended *= cv2.merge([opacity] * 3)  # much faster than broadcasting over the last axis
    blended += below
    np.clip(blended, 0, 1, out=blended)  # what rounding adds
    return blended
