"""More than one object."""

import numpy as np

from active_matting.data.backgrounds import Palette, draw_palette
from active_matting.data.drawing import Layer, Placement
from active_matting.data.foregrounds.discs import discs
from active_matting.data.foregrounds.feathers import feathers
from active_matting.data.foregrounds.fur import fur
from active_matting.data.foregrounds.holes import holes
from active_matting.data.foregrounds.leaves import leaves
from active_matting.data.foregrounds.motion import motion
from active_matting.data.foregrounds.net import net
from active_matting.data.foregrounds.smoke import smoke
from active_matting.data.foregrounds.spokes import spokes
from active_matting.data.foregrounds.veil import veil

_KINDS = (discs, feathers, fur, holes, leaves, motion, net, smoke, spokes, veil)
_SOLID_KINDS = (discs, fur)  # the first of these, so that small objects too hold whole regions


def several(size: int, rng: np.random.Generator, palette: Palette, placement: Placement) -> Layer:
    """Two to four objects of any families around the middle, apart or overlapping, each in colours of its own."""
    count = int(rng.integers(2, 5))
    angle = placement.tilt + np.arange(count) * 2 * np.pi / count + rng.normal(0, 0.2, count)
    middles = 0.5 + rng.uniform(0.26, 0.34, (count, 1)) * np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    layer: Layer | None = None
    for index, (y, x) in enumerate(middles):
        kinds = _SOLID_KINDS if index == 0 else _KINDS
        draw = kinds[rng.integers(len(kinds))]
        scale = rng.uniform(0.25, 0.3) if index == 0 else rng.uniform(0.13, 0.2)
        place = Placement((float(y), float(x)), float(scale), float(rng.uniform(-np.pi, np.pi)))
        drawn = draw(size, rng, palette if rng.random() < 0.5 else draw_palette(rng), place)
        layer = drawn if layer is None else layer.over(drawn)  # the first stays whole
    assert layer is not None
    return layer
