"""Smoke and steam."""

import numpy as np

from active_matting.data.backgrounds import Palette, fractal_noise, texture, warped
from active_matting.data.drawing import Layer, Placement, Sheet, blob, ellipse


def smoke(size: int, rng: np.random.Generator, palette: Palette, placement: Placement) -> Layer:
    """A steaming mug, or a ball that trails smoke."""
    sheet = Sheet.blank(size)
    if rng.random() < 0.5:
        placement = placement.upright(0.6, top=1.3)
        handle = ellipse((0.1, 0.5), (0.28, 0.24))
        sheet.fill(placement.to_frame(handle), palette[0])
        sheet.cut(placement.to_frame(ellipse((0.1, 0.5), (0.17, 0.14))))
        body = np.concatenate([ellipse((-0.4, 0), (0.12, 0.48))[48:], ellipse((0.45, 0), (0.12, 0.42))[:48]])
        source, lean = -0.4, 0.0
    else:
        placement = placement.facing_inwards(rng)
        body, source, lean = blob(rng, 0.45, 0.08), -0.2, rng.uniform(-0.3, 0.3)
    sheet.fill_textured(placement.to_frame(body), texture(size, rng, palette))
    solid = sheet.layer().shaded(placement, rng, 0.4)
    return solid.over(_plume(size, rng, palette, placement, source, lean))


def _plume(
    size: int, rng: np.random.Generator, palette: Palette, placement: Placement, source: float, lean: float
) -> Layer:
    """Smoke rising from y = `source`, widening and thinning out; its wisps are warped fractal noise."""
    y, x = placement.grid(size)
    height = source - y
    sway = rng.uniform(0.05, 0.25) * np.sin(rng.uniform(2, 4) * height + rng.uniform(0, 6)) * np.clip(height, 0, 1)
    width = rng.uniform(0.25, 0.4) + 0.22 * height
    across = (x - sway - lean * height) / np.maximum(width, 0.1)
    top = rng.uniform(1.5, 2.3)
    envelope = np.exp(-(across**2)) * np.clip(height / 0.1 + 0.5, 0, 1) * np.clip(1.3 * (1 - height / top), 0, 1)
    wisps = warped(fractal_noise(size, rng, (7, 7), 5, 0.55), rng, 0.12)
    density = np.clip(envelope * (0.15 + 1.5 * wisps) - 0.12, 0, 1)  # what is faint is nothing at all
    alpha = np.clip(rng.uniform(0.7, 0.95) * 1.25 * density, 0, 0.95).astype(np.float32)
    grey = np.float32(rng.choice([0.92, 0.85, 0.5, 0.2]))
    colour = 0.75 * grey + 0.25 * palette[rng.integers(len(palette))]
    shade = 0.8 + 0.2 * warped(wisps, rng, 0.05)[..., None]
    return Layer(alpha, (alpha[..., None] * np.clip(colour * shade, 0, 1)).astype(np.float32))
