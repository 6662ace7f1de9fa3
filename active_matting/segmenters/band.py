"""From a coarse segmentation to a trimap: which pixels are surely foreground or background, and which are to be found.

The unknown band is as wide as the image asks for: thin where an edge is crisp, wide in hair, and there are islands of
it wherever a hole may be.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.models.hints import marks_of
from active_matting.registry import Registry
from active_matting.segmenters.base import (
    Probability,
    label_cores,
    log_odds,
    resize_image,
    resize_labels,
    resize_plane,
    scaled_shape,
)
from active_matting.segmenters.bilateral_grid import BilateralGrid
from active_matting.segmenters.perceptron import Perceptron, read_perceptron
from active_matting.segmenters.planes import Planes, blurred, in_threads, lab_of, local_deviation
from active_matting.types import Alpha, Image, Label, LabelMap

SIDE = 200
"""The longer side, in pixels, of the picture on which the band is drawn: what all weights were fitted at."""

_SUREST = 0.997
"""Of probabilities that weights were fitted with as log-odds."""

COARSE = 100
"""The longer side, in pixels, at which the segmentation is looked at."""

WEIGHTS = Path(__file__).parent / "weights" / "band.safetensors"

GRIDS = (BilateralGrid(1, 0.04), BilateralGrid(1, 0.1), BilateralGrid(6, 0.07), BilateralGrid(10, 0.12))
"""Neighbourhoods in which colours are compared with both classes', from the whole image to a tenth of its side."""

FEATURES = (
    "segmentation",
    *(f"around-{sigma}" for sigma in (2, 5, 12)),
    *(f"{what}-of-{side}" for side in (3, 7) for what in ("highest", "lowest")),
    *("edge-near", "edge-far"),
    *(f"grid-{i}-{what}" for i in range(len(GRIDS)) for what in ("share", "weight")),
    *("texture", "coarse-texture", "grain", "foreground-told", "background-told"),
)
"""What the perceptron is given for each pixel; probabilities as log-odds, the others near [-1, 1]."""

INPUTS = (
    *FEATURES,
    *("lightness", "green-red", "blue-yellow", "is-told-foreground", "is-told-background"),
    *("expected", "foreground", "background"),
)
"""What the network is given: the perceptron's features, what it can look at in a neighbourhood, and what the perceptron
says, as log-odds, which it corrects."""


Texture: TypeAlias = tuple[NDArray[np.float32], ...]
"""How rough the picture is around each pixel, (h, w) each."""


class Judge(Protocol):
    """What says of each pixel what it is."""

    def __call__(self, lab: Planes, texture: Texture, segmentation: Probability, labels: LabelMap) -> Planes:
        """The alpha to be expected, and the chances of being foreground alone and background alone, (3, h, w).

        lab, texture: see `band_planes`; segmentation: float32 of any size in [0, 1]; labels: int8 (h, w).
        """


class Band(Protocol):
    """A way to draw bands. Like a solver it is its parameters: small, frozen, comparable."""

    def load(self) -> Judge:
        """What judges pixels, for any picture. Raises `FileError`."""


BANDS = Registry(
    kind="band",
    group="active_matting.bands",
    table={
        "perceptron": "active_matting.segmenters.band:PerceptronBand",
        "network": "active_matting.segmenters.band_network:NetworkBand",
    },
)
"""Ways to draw bands, by name."""


def make_band(name: str, **kwargs: Any) -> Band:
    """The way called `name` to draw bands. Raises `UnknownNameError` and `InvalidArgumentError`.

    >>> make_band("perceptron")
    PerceptronBand()
    """
    return cast(Band, BANDS.make(name, **kwargs))


@dataclass(frozen=True)
class PerceptronBand:
    """Each pixel by itself, by its features. It needs nothing but numpy."""

    def load(self) -> Judge:
        """See `Band.load`."""
        return _PixelJudge(read_perceptron(WEIGHTS, FEATURES))


@dataclass(frozen=True)
class _PixelJudge:
    perceptron: Perceptron

    def __call__(self, lab: Planes, texture: Texture, segmentation: Probability, labels: LabelMap) -> Planes:
        return self.perceptron(band_features(lab, texture, segmentation, labels))


@dataclass(frozen=True)
class PreparedBand:
    """Draws bands on one image."""

    shape: tuple[int, int]
    lab: Planes
    texture: Texture
    judge: Judge

    @classmethod
    def of(cls, image: Image, band: Band) -> "PreparedBand":
        """On an image float32 (H, W, 3) in [0, 1]. Raises `FileError`."""
        shape = (image.shape[0], image.shape[1])
        return cls(shape, *band_planes(image), band.load())

    def draw(self, segmentation: Probability, label_map: LabelMap, sureness: float) -> tuple[LabelMap, Alpha]:
        """Labels int8 (H, W) for a solver: what is told, and what is pure with more than the chance `sureness`; and the
        alpha float32 (H, W) that is to be expected.

        segmentation: float32 (H, W) in [0, 1]. Told transitions stay transitions.
        """
        height, width = self.shape
        labels = resize_labels(label_map, (self.lab.shape[0], self.lab.shape[1]))
        expected, foreground, background = self.judge(self.lab, self.texture, segmentation, labels)
        drawn = np.zeros(labels.shape, dtype=np.int8)
        drawn[(foreground > sureness) | (labels == Label.FOREGROUND)] = Label.FOREGROUND
        drawn[(background > sureness) | (labels == Label.BACKGROUND)] = Label.BACKGROUND
        large = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_NEAREST)
        trimap = np.where(label_map != Label.UNLABELLED, label_map, large).astype(np.int8)
        return trimap, resize_plane(expected, self.shape)


def band_planes(image: Image) -> tuple[Planes, Texture]:
    """What the features need of the image alone: its colours (h, w, 3) at `SIDE`, and its texture in three planes."""
    shape = scaled_shape((image.shape[0], image.shape[1]), SIDE)
    lab = lab_of(resize_image(image, shape))
    height, width = shape
    grain = np.linalg.norm(local_deviation(lab_of(image), 1), axis=-1)
    grain = cv2.resize(grain, (width, height), interpolation=cv2.INTER_AREA)
    texture = [np.linalg.norm(local_deviation(lab, sigma), axis=-1) for sigma in (1, 3)]
    return lab, tuple(np.asarray(8 * plane, dtype=np.float32) for plane in (*texture, grain))


def band_features(lab: Planes, texture: Texture, segmentation: Probability, labels: LabelMap) -> Planes:
    """What is named in `FEATURES`, float32 (features, h, w), for a segmentation of any size and labels (h, w)."""
    h, w = labels.shape
    small = resize_image(segmentation, scaled_shape((h, w), COARSE))
    likely = resize_plane(small, (h, w))
    likely[labels == Label.FOREGROUND], likely[labels == Label.BACKGROUND] = 1, 0
    weights = np.where(label_cores(labels) != Label.UNLABELLED, np.float32(10), np.float32(1))
    averages = in_threads([(grid.average, (lab, likely, weights)) for grid in GRIDS])

    features = [log_odds(likely, _SUREST)]
    features += [resize_plane(blurred(small, sigma), (h, w)) - 0.5 for sigma in (2, 5, 12)]
    for side in (3, 7):
        window = np.ones((side, side), dtype=np.uint8)
        extremes = [np.asarray(extreme(small, window), dtype=np.float32) for extreme in (cv2.dilate, cv2.erode)]
        features += [resize_plane(extreme, (h, w)) - 0.5 for extreme in extremes]
    inside = (likely > 0.5).astype(np.uint8)
    depth = _to_other(inside) - _to_other(1 - inside)
    features += [np.tanh(depth / 4), np.tanh(depth / 16)]
    for share, weight in averages:
        features += [log_odds(share, _SUREST), np.log(weight + np.float32(0.01)) / 3]
    told = [(labels == label).sum() / 100 for label in (Label.FOREGROUND, Label.BACKGROUND)]
    features += [*texture, *(np.full((h, w), np.log1p(count), dtype=np.float32) for count in told)]
    return np.stack(features).astype(np.float32, copy=False)


def band_inputs(lab: Planes, texture: Texture, segmentation: Probability, labels: LabelMap) -> Planes:
    """What is named in `INPUTS`, float32 (inputs, h, w); see `band_features`."""
    features = band_features(lab, texture, segmentation, labels)
    guess = log_odds(read_perceptron(WEIGHTS, FEATURES)(features), _SUREST)
    return np.concatenate([features, lab.transpose(2, 0, 1), marks_of(labels)[::-1], guess])


def is_near_edge(features: Planes) -> NDArray[np.bool_]:
    """Where the segmentation is in doubt or near its edge, (h, w), of features as `band_features` has them."""
    highest, lowest = (features[FEATURES.index(f"{what}-of-7")] for what in ("highest", "lowest"))
    return np.asarray((highest > -0.4) & (lowest < 0.4))


def wanted_band(alpha: Alpha, shape: tuple[int, int]) -> Planes:
    """What a judge should say of a picture, float32 (3, h, w), of its alpha whose sides are the same multiple of h, w.

    The mean in each cell, and whether all of a cell and its rim of a pixel is foreground alone, or background alone.
    """
    scale = alpha.shape[0] // shape[0]
    window, anchor = np.ones((scale + 2, scale + 2), dtype=np.uint8), (1, 1)
    lowest, highest = (extreme(alpha, window, anchor=anchor)[::scale, ::scale] for extreme in (cv2.erode, cv2.dilate))
    return np.stack([resize_image(alpha, shape), lowest > 0.95, highest < 0.05]).astype(np.float32)


def _to_other(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Distance of each pixel of the mask to the nearest one outside; bounded where there is none."""
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.minimum(distance, np.float32(sum(mask.shape)))
