"""Discs and blobs."""

import numpy as np

from active_matting.data.backgrounds import Palette, texture
from active_matting.data.drawing import Layer, Placement, Sheet, blob, polar


def discs(size: int, rng: np.random.Generator, palette: Palette, placement: Placement) -> Layer:
    """A solid disc or blob, perhaps with holes, perhaps out of focus."""
    sheet = Sheet.blank(size)
    outline = blob(rng, 0.75, rng.choice([0.0, 0.15, 0.3])) * [rng.uniform(0.75, 1), 1]
    sheet.fill_textured(placement.to_frame(outline), texture(size, rng, palette))
    for angle in rng.uniform(0, 2 * np.pi, int(rng.choice([0, 0, 1, 3]))):
        hole = 0.35 * polar(1.0, np.array([angle])) + blob(rng, 0.13, 0.2)
        sheet.cut(placement.to_frame(hole))
    return sheet.layer().shaded(placement, rng, 0.4).blurred(float(rng.choice([0.0, 0.0, 0.003, 0.008])))
