"""Vessels of glass."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.data.backgrounds import Palette, draw_palette, texture
from active_matting.data.drawing import Layer, Placement, Points, Sheet


def glass(size: int, rng: np.random.Generator, palette: Palette, placement: Placement) -> Layer:
    """A vessel of tinted glass, brighter and denser at its rim, with highlights and an opaque filling."""
    profile = _VESSELS[rng.integers(len(_VESSELS))]
    placement = replace(placement.upright(1.0), scale=max(placement.scale, 0.36), tilt=0.25 * placement.tilt / np.pi)
    y = np.linspace(profile[0][0], profile[-1][0], 120)
    half = np.interp(y, *np.array(profile).T[:2])
    half = cv2.GaussianBlur(half[None], (0, 0), 2.5, borderType=cv2.BORDER_REPLICATE)[0]
    content = _filling(size, rng, palette, placement, y, half)
    vessel = Sheet.blank(size)
    vessel.fill(placement.to_frame(_revolved(y, half)), np.ones(3))
    return _glaze(vessel, rng, placement, draw_palette(rng)[-1]).over(content)


_VESSELS: tuple[tuple[tuple[float, float], ...], ...] = (
    ((-1.0, 0.13), (-0.5, 0.13), (-0.2, 0.36), (0.95, 0.36), (1.0, 0.3)),  # bottle
    ((-0.9, 0.4), (-0.5, 0.5), (0.1, 0.46), (0.38, 0.06), (0.85, 0.05), (0.92, 0.36), (1.0, 0.36)),  # goblet
    ((-0.8, 0.5), (0.9, 0.4), (1.0, 0.36)),  # tumbler
    ((-0.9, 0.3), (-0.65, 0.22), (-0.1, 0.5), (0.4, 0.52), (0.95, 0.3), (1.0, 0.3)),  # vase
)
"""Profiles of revolution: y and half the width there, from the mouth to the foot."""


def _revolved(y: NDArray[np.float64], half: NDArray[np.float64]) -> Points:
    return np.concatenate([np.stack([y, half], axis=-1), np.stack([y, -half], axis=-1)[::-1]])


def _filling(
    size: int,
    rng: np.random.Generator,
    palette: Palette,
    placement: Placement,
    y: NDArray[np.float64],
    half: NDArray[np.float64],
) -> Layer:
    """An opaque drink that fills the wide part of the vessel up to a level."""
    is_inside = (half > 0.15) & (y > rng.uniform(-0.55, -0.25)) & (y < 0.9)
    bowl = np.flatnonzero(is_inside)
    bowl = bowl[: int(np.argmin(np.append(np.diff(bowl) == 1, False))) + 1]  # a goblet's foot stays empty
    sheet = Sheet.blank(size)
    outline = _revolved(y[bowl], np.maximum(half[bowl] - 0.04, 0.02))
    sheet.fill_textured(placement.to_frame(outline), texture(size, rng, palette))
    return sheet.layer().shaded(placement, rng, 0.3)


def _glaze(vessel: Sheet, rng: np.random.Generator, placement: Placement, tint: NDArray[np.float32]) -> Layer:
    shape = vessel.layer().alpha
    size = len(shape)
    fine = len(vessel.raster)
    depth = cv2.distanceTransform(np.ascontiguousarray(vessel.raster[..., 3]), cv2.DIST_L2, 5)
    depth = cv2.resize(depth, (size, size), interpolation=cv2.INTER_AREA)
    rim = np.exp(-depth / (fine * placement.scale) / rng.uniform(0.02, 0.05))
    y, x = placement.grid(size)
    lines = np.exp(-(((x - rng.uniform(-0.3, -0.15)) / 0.035) ** 2)) * (np.abs(np.sin(3 * y)) > 0.25)
    streak = cv2.GaussianBlur(lines.astype(np.float32), (0, 0), max(0.005 * size, 0.1))
    glint = np.clip(0.85 * streak * rng.uniform(0.5, 1), 0, 1)
    body = rng.uniform(0.1, 0.4) + 0.5 * rim
    alpha = (shape * (body + (1 - body) * glint)).astype(np.float32)
    whiteness = np.clip(glint / np.maximum(body + glint, 1e-3) + 0.25 * rim, 0, 1)[..., None]
    colour = tint * (1 - 0.35 * rim[..., None]) * (1 - whiteness) + whiteness
    return Layer(alpha, (alpha[..., None] * np.clip(colour, 0, 1)).astype(np.float32))
