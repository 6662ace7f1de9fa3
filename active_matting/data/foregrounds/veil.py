"""Translucent cloth in folds."""

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.data.backgrounds import Palette, Plane, draw_palette, texture
from active_matting.data.drawing import Layer, Placement, Points, Sheet, blob, ellipse


def veil(size: int, rng: np.random.Generator, palette: Palette, placement: Placement) -> Layer:
    """A veil over a figure, or a curtain on a rod behind something solid."""
    placement = placement.upright(1.0, top=1.0)
    opacity = rng.uniform(0.12, 0.5)
    colour = np.clip(0.35 * draw_palette(rng)[-1] + rng.choice([0.6, 0.6, 0.3]), 0, 1)
    solid = Sheet.blank(size)
    surface = texture(size, rng, palette)
    if rng.random() < 0.5:
        solid.fill_textured(placement.to_frame(ellipse((0.65, 0), (0.5, 0.55))), surface)
        solid.fill_textured(placement.to_frame(ellipse((0.05, 0), (0.3, 0.14))), surface)
        solid.fill_textured(placement.to_frame(ellipse((-0.4, 0), (0.38, 0.3))), surface)
        cloth = _cloth(size, rng, placement, _draped(rng), opacity, colour)
        return cloth.over(solid.layer().shaded(placement, rng, 0.4))
    rod = np.array([(-0.97, -1.0), (-0.97, 1.0), (-0.9, 1.0), (-0.9, -1.0)])
    solid.fill(placement.to_frame(rod), palette[0])
    body = blob(rng, 0.48, 0.15) + np.array([0.3, rng.uniform(-0.4, 0.4)])
    solid.fill_textured(placement.to_frame(body), surface)
    cloth = _cloth(size, rng, placement, _hanging(rng), opacity, colour)
    return solid.layer().shaded(placement, rng, 0.4).over(cloth)


def cloth_alpha(opacity: float, slope: NDArray[np.floating]) -> NDArray[np.floating]:
    """The alpha of a cloth of that opacity, seen where it rises towards one by `slope`, of any shape.

    Light crosses a thickness of √(1 + slope²) there and is let through by (1 − opacity) to its power (Beer's law).
    """
    return np.asarray(1 - (1 - opacity) ** np.sqrt(1 + slope**2))


def _draped(rng: np.random.Generator) -> Points:
    """Close about the crown, wide and wavy at the hem."""
    crown = ellipse((-0.38, 0), (0.45, 0.4))[48:]  # from the left over the top to the right
    hem_x = np.linspace(1, -1, 60)
    hem = rng.uniform(0.6, 0.9) + 0.05 * np.sin(rng.uniform(6, 14) * hem_x + rng.uniform(0, 6))
    return np.concatenate([crown, np.stack([hem, rng.uniform(0.7, 0.95) * hem_x], axis=-1)])


def _hanging(rng: np.random.Generator) -> Points:
    hem_x = np.linspace(1, -1, 60)
    hem = 0.85 + 0.05 * np.sin(rng.uniform(8, 16) * hem_x + rng.uniform(0, 6))
    return np.concatenate([[(-0.93, -0.9), (-0.93, 0.9)], np.stack([hem, rng.uniform(0.8, 1.0) * hem_x], axis=-1)])


def _cloth(
    size: int,
    rng: np.random.Generator,
    placement: Placement,
    outline: Points,
    opacity: float,
    colour: NDArray[np.floating],
) -> Layer:
    """The cloth within an outline, its folds fanning out downwards; drawn fine and averaged down, as sheets are."""
    sheet = Sheet.blank(size)
    sheet.fill(placement.to_frame(outline), np.ones(3))
    slope = _folds(len(sheet.raster), rng, placement)
    alpha = (cloth_alpha(opacity, slope) * (sheet.raster[..., 3] / np.float32(255))).astype(np.float32)
    facing = (1 - rng.choice([-0.5, 0.5]) * slope) / np.sqrt(1 + slope**2)  # towards a light on one side
    light = (alpha * np.clip(0.35 + 0.6 * facing, 0.1, 1)).astype(np.float32)
    small = cv2.resize(np.dstack([alpha, light]), (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    return Layer(np.ascontiguousarray(small[..., 0]), (small[..., 1:] * colour).astype(np.float32))


def _folds(fine: int, rng: np.random.Generator, placement: Placement) -> Plane:
    """How steeply the cloth rises along x, `(fine, fine)`."""
    y, x = placement.grid(fine)
    across = x / (0.55 + 0.25 * (y + 1))
    depth = np.clip(0.3 + 0.5 * (y + 1), 0.1, 1.2)  # folds are deeper further down
    slope = np.zeros_like(across)
    for _ in range(3):
        waves, swing = rng.uniform(8, 30), rng.uniform(0, 0.8)
        slope += rng.uniform(0.4, 1.4) * np.cos(
            waves * across + swing * np.sin(3 * y + rng.uniform(0, 6)) + rng.uniform(0, 6)
        )
    return np.asarray(slope * depth, dtype=np.float32)
