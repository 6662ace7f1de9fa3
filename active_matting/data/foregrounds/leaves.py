"""Plants."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from active_matting.data.backgrounds import Palette, texture
from active_matting.data.drawing import Layer, Placement, Points, Sheet, bent_paths, blob, mixed, polar, shades


def leaves(size: int, rng: np.random.Generator, palette: Palette, placement: Placement) -> Layer:
    """A plant in a pot, or a bush on a trunk."""
    draw = (_potted, _bush)[rng.integers(2)]
    greens = mixed(rng, palette, [(0.25, 0.5, 0.15), (0.45, 0.6, 0.2), (0.15, 0.4, 0.25), (0.7, 0.4, 0.15)])
    return draw(size, rng, palette, greens, placement)


def _potted(size: int, rng: np.random.Generator, palette: Palette, greens: Palette, placement: Placement) -> Layer:
    placement = placement.upright(1.0)
    sheet = Sheet.blank(size)
    stems = int(rng.integers(7, 13))
    heading = -np.pi / 2 + np.linspace(-1.0, 1.0, stems) + rng.normal(0, 0.1, stems)
    roots = np.stack([np.full(stems, 0.35), np.linspace(-0.2, 0.2, stems)], axis=-1)
    paths = bent_paths(roots, heading, rng.uniform(0.7, 1.4, stems), rng.normal(0, 0.7, stems), 0.15)
    widths = np.full(paths.shape[:2], 0.02) * placement.scale
    sheet.stroke(placement.to_frame(paths), widths, shades(rng, greens, stems, 0.2) * 0.7)
    kind = int(rng.integers(len(_LEAF_PROFILES)))
    for path in rng.permutation(paths):
        steps = np.arange(3, len(path), 1 + int(rng.integers(2)))
        along = np.arctan2(*(path[-1] - path[-2]))
        sides = along + np.where(steps % 2 == 0, 0.9, -0.9) * (steps < len(path) - 1)
        for step, angle in zip(steps, sides + rng.normal(0, 0.2, len(steps)), strict=True):
            _leaf(sheet, rng, placement, path[step], angle, rng.uniform(0.15, 0.34), kind, greens)
    pot = np.array(
        [(0.33, -0.45), (0.33, 0.45), (0.45, 0.45), (0.45, 0.4), (0.98, 0.3), (0.98, -0.3), (0.45, -0.4), (0.45, -0.45)]
    )
    sheet.fill_textured(placement.to_frame(pot), texture(size, rng, palette))
    return sheet.layer().shaded(placement, rng, 0.3)


def _bush(size: int, rng: np.random.Generator, palette: Palette, greens: Palette, placement: Placement) -> Layer:
    placement = placement.upright(0.6)
    sheet = Sheet.blank(size)
    trunk = np.array([(0.2, -0.07), (0.2, 0.07), (1.15, 0.1), (1.15, -0.1)])
    sheet.fill(placement.to_frame(trunk), palette[0] * 0.7)
    twigs = 26
    angle = rng.uniform(0, 2 * np.pi, twigs)
    paths = bent_paths(polar(0.4, angle), angle, rng.uniform(0.25, 0.55, twigs), rng.normal(0, 0.8, twigs), steps=8)
    sheet.stroke(
        placement.to_frame(paths), np.full(paths.shape[:2], 0.016) * placement.scale, shades(rng, greens, twigs) * 0.6
    )
    sheet.fill(placement.to_frame(blob(rng, 0.5, 0.1)), greens[0] * 0.7)
    kind = int(rng.integers(len(_LEAF_PROFILES)))
    for path in paths:
        for point in path[2:]:
            _leaf(sheet, rng, placement, point, rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.2), kind, greens)
    for radius, heading in zip(0.52 * np.sqrt(rng.random(170)), rng.uniform(0, 2 * np.pi, (170, 2)), strict=True):
        base = polar(float(radius), heading[:1])[0]
        _leaf(sheet, rng, placement, base, heading[1], rng.uniform(0.12, 0.22), kind, greens)
    return sheet.layer().shaded(placement, rng, 0.45)


_LEAF_PROFILES: tuple[Callable[[NDArray[np.float64]], NDArray[np.float64]], ...] = (
    lambda t: 0.16 * np.sin(np.pi * t),  # lanceolate
    lambda t: 0.42 * np.sin(np.pi * t**0.6) * (1 - 0.4 * t),  # heart
    lambda t: 0.5 * np.sqrt(np.maximum(t * (1 - t), 0)),  # round
    lambda t: 0.38 * np.sin(np.pi * t) * (0.65 + 0.35 * np.cos(7 * np.pi * t)),  # lobed
)
"""Half the width of a leaf of length 1, from its base (t = 0) to its tip (t = 1)."""


def _leaf(
    sheet: Sheet,
    rng: np.random.Generator,
    placement: Placement,
    base: Points,
    angle: float,
    length: float,
    kind: int,
    greens: Palette,
) -> None:
    """A leaf folded along its middle: one half is darker."""
    t = np.linspace(0, 1, 24)
    middle = base + polar(length * t, angle + rng.normal(0, 0.3) * t)
    across = polar(length * _LEAF_PROFILES[kind](t), np.full(24, angle + np.pi / 2))
    colour = shades(rng, greens, 1, 0.2)[0]
    for side, shade in ((across, 1.0), (-across, 0.8)):
        sheet.fill(placement.to_frame(np.concatenate([middle, (middle + side)[-2:0:-1]])), colour * shade)
