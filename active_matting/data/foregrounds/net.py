"""Wheels, webs and meshes."""

import numpy as np

from active_matting.data.backgrounds import Palette, texture
from active_matting.data.drawing import Layer, Placement, Sheet, blob, ellipse, polar
from active_matting.data.foregrounds.lines import circles, wires
from active_matting.types import Image


def net(size: int, rng: np.random.Generator, palette: Palette, placement: Placement) -> Layer:
    """A spoked wheel, a web, or a hanging mesh, each with something solid in it."""
    draw = (_wheel, _web, _mesh)[rng.integers(3)]
    sheet = Sheet.blank(size)
    draw(sheet, rng, palette, placement, texture(size, rng, palette))
    return sheet.layer().shaded(placement, rng, 0.3).blurred(float(rng.choice([0.0, 0.0, 0.0015])))


def _wheel(sheet: Sheet, rng: np.random.Generator, palette: Palette, placement: Placement, surface: Image) -> None:
    spokes = int(rng.integers(16, 40))
    angle = np.linspace(0, 2 * np.pi, spokes, endpoint=False)
    lean = rng.choice([0.0, 0.35]) * np.where(np.arange(spokes) % 2 == 0, 1, -1)
    paths = np.stack([polar(0.3, angle), polar(0.85, angle + lean)], axis=1)
    wires(sheet, placement.to_frame(paths), rng.uniform(0.004, 0.008), palette[-1])
    rim = circles(np.array([0.88]))
    wires(sheet, placement.to_frame(rim), 0.13 * placement.scale, palette[0])
    sheet.fill_textured(placement.to_frame(ellipse((0, 0), (0.46, 0.46))), surface)


def _web(sheet: Sheet, rng: np.random.Generator, palette: Palette, placement: Placement, surface: Image) -> None:
    threads, rings = int(rng.integers(11, 18)), int(rng.integers(6, 11))
    angle = np.linspace(0, 2 * np.pi, threads, endpoint=False) + rng.normal(0, 0.06, threads)
    reach = rng.uniform(0.85, 1.1, threads)
    corners = reach[:, None] * polar(1.0, angle)
    wire, colour = rng.uniform(0.003, 0.006), palette[rng.integers(len(palette))]
    wires(sheet, placement.to_frame(np.stack([0 * corners, corners], axis=1)), wire, colour)
    sag = 0.86 * (corners + np.roll(corners, -1, axis=0)) / 2
    once_round = np.stack([corners, sag], axis=1).reshape(-1, 2)
    closed = np.concatenate([once_round, once_round[:1]])
    wires(sheet, placement.to_frame(np.linspace(0.5, 0.97, rings)[:, None, None] * closed), wire, colour)
    sheet.fill_textured(placement.to_frame(blob(rng, 0.47, 0.1)), surface)


def _mesh(sheet: Sheet, rng: np.random.Generator, palette: Palette, placement: Placement, surface: Image) -> None:
    lines = int(rng.integers(9, 16))
    t, offset = np.linspace(-0.85, 0.85, 40), np.linspace(-0.85, 0.85, lines)
    wave, phase = rng.uniform(0.02, 0.08), rng.uniform(0, 6, 2)
    across = np.stack(np.broadcast_arrays(offset[:, None], t), axis=-1)
    straight = np.concatenate([across, across[..., ::-1]])
    bent = straight + wave * np.sin(4 * straight[..., ::-1] + phase)
    wires(sheet, placement.to_frame(bent), rng.uniform(0.004, 0.009), palette[rng.integers(len(palette))])
    board = blob(rng, 0.5, 0.12) + rng.uniform(-0.1, 0.1, 2)
    sheet.fill_textured(placement.to_frame(board), surface)
