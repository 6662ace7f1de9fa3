"""Plumage, drawn barb by barb."""

import numpy as np

from active_matting.data.backgrounds import Palette, texture
from active_matting.data.drawing import Layer, Placement, Points, Sheet, bent_paths, blob, ellipse, mixed, polar, shades
from active_matting.types import Image


def feathers(size: int, rng: np.random.Generator, palette: Palette, placement: Placement) -> Layer:
    """A bird that spreads its wings, or a headdress: feathers whose vanes are split, about something solid."""
    draw = (_bird, _headdress)[rng.integers(2)]
    plumage = mixed(rng, palette, [(0.9, 0.88, 0.85), (0.2, 0.35, 0.5), (0.5, 0.35, 0.2), (0.15, 0.4, 0.3)])
    sheet = Sheet.blank(size)
    draw(sheet, rng, placement, plumage, texture(size, rng, plumage))
    return sheet.layer().shaded(placement, rng, 0.3).blurred(float(rng.choice([0.0, 0.0, 0.0015])))


def _bird(sheet: Sheet, rng: np.random.Generator, placement: Placement, plumage: Palette, surface: Image) -> None:
    for side in (-1, 1):
        for share in np.linspace(0, 1, 7):  # the wing, its outermost feathers the longest
            heading = np.pi / 2 - side * (0.5 + 1.5 * share)
            root = np.array([0.1 - 0.35 * share, side * (0.2 + 0.1 * share)])
            _feather(sheet, rng, placement, root, heading, 0.55 + 0.35 * share, 0.12, plumage)
    for turn in (-0.3, 0.0, 0.3):
        _feather(sheet, rng, placement, np.array([0.4, 0.1 * turn]), np.pi / 2 + turn, 0.55, 0.1, plumage)
    sheet.fill_textured(placement.to_frame(ellipse((0.05, 0), (0.52, 0.36))), surface)
    sheet.fill_textured(placement.to_frame(ellipse((-0.55, 0), (0.2, 0.18))), surface)
    sheet.fill(placement.to_frame(np.array([(-0.72, -0.05), (-0.9, 0.0), (-0.72, 0.05)])), np.array([0.8, 0.55, 0.1]))
    for x in (-0.09, 0.09):
        sheet.fill(placement.to_frame(ellipse((-0.6, x), (0.03, 0.03))), np.full(3, 0.05))


def _headdress(sheet: Sheet, rng: np.random.Generator, placement: Placement, plumage: Palette, surface: Image) -> None:
    count = int(rng.integers(9, 14))
    for angle in np.linspace(0, 2 * np.pi, count, endpoint=False) + rng.normal(0, 0.06, count):
        root = polar(0.3, np.array([angle]))[0]
        _feather(sheet, rng, placement, root, angle, rng.uniform(0.6, 0.85), rng.uniform(0.1, 0.17), plumage)
    sheet.fill_textured(placement.to_frame(blob(rng, 0.45, 0.06)), surface)


def _feather(
    sheet: Sheet,
    rng: np.random.Generator,
    placement: Placement,
    root: Points,
    heading: float,
    length: float,
    breadth: float,
    plumage: Palette,
) -> None:
    """A shaft with barbs on both sides: loose down at its root, then a vane that is split here and there."""
    one = np.ones(1)
    (shaft,) = bent_paths(root[None], heading * one, length * one, rng.normal(0, 0.3, 1), steps=40)
    barbs = 44
    t = np.linspace(0.08, 0.99, barbs)
    at = np.stack([np.interp(t * 39, np.arange(40), axis) for axis in shaft.T], axis=-1)
    along = np.arctan2(*np.gradient(shaft, axis=0).T)[np.rint(t * 39).astype(int)]
    reach = breadth * np.minimum(1, 4 * t + 0.35) * np.sqrt(np.maximum(1 - t**4, 0.02))
    bars = 0.75 + 0.25 * np.cos(rng.uniform(4, 22) * t + rng.uniform(0, 6))
    colours = plumage[rng.integers(len(plumage))] * bars[:, None]
    for side in (-1, 1):
        split = np.cumsum(rng.random(barbs) < 0.08) % 2  # barbs of one piece hold together
        is_down = t < 0.22
        turn = side * (0.75 - 0.25 * t + 0.12 * split) + is_down * rng.normal(0, 0.35, barbs)
        bend = -side * rng.uniform(0.3, 0.5) + is_down * rng.normal(0, 0.8, barbs)
        paths = bent_paths(at, along + turn, 1.25 * reach * rng.uniform(0.92, 1.05, barbs), bend, steps=8)
        spacing = length * 0.91 / (barbs - 1)
        base = np.where(is_down, 0.25, 1.05)[:, None] * spacing
        widths = placement.scale * base * (1 - 0.75 * np.linspace(0, 1, 8) ** 3)
        sheet.stroke(placement.to_frame(paths), widths, np.clip(colours * rng.uniform(0.85, 1.1, (barbs, 1)), 0, 1))
    quill = placement.scale * 0.018 * np.linspace(1, 0.2, 40)
    sheet.stroke(placement.to_frame(shaft[None]), quill[None], shades(rng, plumage, 1, 0.2))
