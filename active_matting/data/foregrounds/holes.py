"""Sheets that are full of holes."""

from itertools import pairwise

import numpy as np

from active_matting.data.backgrounds import Palette, texture
from active_matting.data.drawing import Layer, Placement, Points, Sheet, blob, ellipse, polar
from active_matting.data.foregrounds.lines import circles, radii, wires


def holes(size: int, rng: np.random.Generator, palette: Palette, placement: Placement) -> Layer:
    """A perforated sheet with a plate on it, or a lace doily; perhaps out of focus."""
    draw = (_perforated, _lace)[rng.integers(2)]
    layer = draw(size, rng, palette, placement)
    return layer.shaded(placement, rng, 0.3).blurred(float(rng.choice([0.0, 0.0, 0.0015])))


def lattice(spacing: float, is_staggered: bool) -> Points:
    """The points `(n, 2)` of a lattice within the square of half the side 1 about the origin, rows `spacing` apart.

    Square cells, or staggered ones, with each row moved by half a cell: an area of `spacing²` is each point's.
    """
    steps = int(1 / spacing) + 1
    row, column = np.mgrid[-steps : steps + 1, -steps : steps + 1].reshape(2, -1)
    points = spacing * np.stack([row, column + 0.5 * is_staggered * (row % 2)], axis=-1)
    return np.asarray(points[np.abs(points).max(axis=1) <= 1], dtype=np.float64)


def _perforated(size: int, rng: np.random.Generator, palette: Palette, placement: Placement) -> Layer:
    sheet = Sheet.blank(size)
    outline = _rounded(0.85, 0.85 * rng.uniform(0.7, 1), rng.uniform(0.05, 0.3))
    sheet.fill_textured(placement.to_frame(outline), texture(size, rng, palette))
    spacing = rng.uniform(0.09, 0.2)
    hole = _HOLES[rng.integers(len(_HOLES))] * spacing * rng.uniform(0.3, 0.42)
    inset = np.abs(outline).max(axis=0) - 0.07 - 0.45 * spacing
    for point in lattice(spacing, bool(rng.integers(2))):
        if np.all(np.abs(point) < inset):
            sheet.cut(placement.to_frame(point + hole))
    plate = blob(rng, 0.4, rng.uniform(0, 0.15)) + rng.uniform(-0.2, 0.2, 2)
    sheet.fill_textured(placement.to_frame(plate), texture(size, rng, palette))
    return sheet.layer()


_HOLES: tuple[Points, ...] = (
    ellipse((0, 0), (1, 1)),
    polar(1.1, np.pi / 6 + np.linspace(0, 2 * np.pi, 6, endpoint=False)),
    polar(1.2, np.pi / 4 + np.linspace(0, 2 * np.pi, 4, endpoint=False)),
    ellipse((0, 0), (0.5, 1.1)),
)
"""A round, a six-cornered, a square and a slotted hole."""


def _rounded(half_y: float, half_x: float, radius: float) -> Points:
    """A rectangle with round corners."""
    corners = []
    for quarter, (sign_y, sign_x) in enumerate(((1, 1), (1, -1), (-1, -1), (-1, 1))):
        arc = polar(radius, np.pi / 2 * (quarter + np.linspace(0, 1, 12)))
        corners.append(arc + np.array([sign_y * (half_y - radius), sign_x * (half_x - radius)]))
    return np.concatenate(corners)


def _lace(size: int, rng: np.random.Generator, palette: Palette, placement: Placement) -> Layer:
    """Rings of petal-shaped holes about a plain middle, filled with a fine net; a scalloped border with eyelets."""
    sheet = Sheet.blank(size)
    petals = int(rng.integers(14, 23))
    angle = np.linspace(0, 2 * np.pi, 20 * petals, endpoint=False)
    border = polar(0.94 + 0.06 * np.abs(np.sin(petals * angle / 2)), angle)
    sheet.fill_textured(placement.to_frame(border), texture(size, rng, palette))
    thread, colour = rng.uniform(0.002, 0.004), palette[rng.integers(len(palette))]
    edges = np.linspace(0.44, 0.86, int(rng.integers(2, 4)) + 1)
    for ring, (inner, outer) in enumerate(pairwise(edges)):
        middle, half = (inner + outer) / 2, (outer - inner) / 2 - 0.012
        width = np.pi / petals * middle * rng.uniform(0.85, 0.95)
        _ring_of_holes(sheet, placement, petals, 0.5 * (ring % 2), middle, (width, half))
        wires(sheet, placement.to_frame(circles(np.linspace(inner, outer, 6)[1:-1])), thread, colour)
    for lean in (-0.5, 0.5):
        wires(sheet, placement.to_frame(radii(3 * petals, edges[0], edges[-1], lean)), thread, colour)
    _ring_of_holes(sheet, placement, petals, 0.5, 0.92, (0.025, 0.025))
    return sheet.layer()


def _ring_of_holes(
    sheet: Sheet, placement: Placement, count: int, shift: float, distance: float, half_axes: tuple[float, float]
) -> None:
    """Elliptical holes, their half axes given across and along the radius."""
    hole = ellipse((0, distance), half_axes)  # at angle 0, which lies to the right
    for turn in (np.arange(count) + shift) * 2 * np.pi / count:
        sheet.cut(placement.to_frame(Placement((0, 0), 1, float(turn)).to_frame(hole)))
