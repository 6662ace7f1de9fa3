"""Procedural foregrounds with exact alpha, by family: discs, hair, leaves, net, smoke, glass.

A family draws in object coordinates `(y, x)`, y downwards, in which the object roughly fills the circle of radius 1
about the origin and holds something solid; a `Placement` carries them to unit coordinates of the frame. To add a
family, write one function and give it a line in `FAMILIES`.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.data.backgrounds import Palette, draw_palette, fractal_noise, texture, warped
from active_matting.data.drawing import Layer, Placement, Points, Sheet, bent_paths, blob, ellipse, mixed, polar, shades
from active_matting.types import Image


def discs(size: int, rng: np.random.Generator, palette: Palette, placement: Placement) -> Layer:
    """A solid disc or blob, perhaps with holes, perhaps out of focus."""
    sheet = Sheet.blank(size)
    outline = blob(rng, 0.75, rng.choice([0.0, 0.15, 0.3])) * [rng.uniform(0.75, 1), 1]
    sheet.fill_textured(placement.to_frame(outline), texture(size, rng, palette))
    for angle in rng.uniform(0, 2 * np.pi, int(rng.choice([0, 0, 1, 3]))):
        hole = 0.35 * polar(1.0, np.array([angle])) + blob(rng, 0.13, 0.2)
        sheet.cut(placement.to_frame(hole))
    return sheet.layer().shaded(placement, rng, 0.4).blurred(float(rng.choice([0.0, 0.0, 0.003, 0.008])))


def hair(size: int, rng: np.random.Generator, palette: Palette, placement: Placement) -> Layer:
    """A furry creature, or the head and shoulders of a person."""
    draw = (_creature, _portrait)[rng.integers(2)]
    return draw(size, rng, palette, placement)


def _creature(size: int, rng: np.random.Generator, palette: Palette, placement: Placement) -> Layer:
    coat = mixed(rng, palette, [(0.5, 0.35, 0.2), (0.85, 0.8, 0.72), (0.25, 0.22, 0.2), (0.7, 0.5, 0.3)])
    sheet = Sheet.blank(size)
    body = blob(rng, 0.55, 0.12)
    sheet.fill_textured(placement.to_frame(body), texture(size, rng, coat))
    strands = 900
    angle = rng.uniform(0, 2 * np.pi, strands)
    tuft = 0.5 * np.sin(7 * angle + rng.uniform(0, 6)) + 0.4 * np.sin(17 * angle + rng.uniform(0, 6))
    depth = np.sort(rng.uniform(0.5, 1, strands))[::-1]  # outermost first, so that the coat overlaps outwards
    roots = depth[:, None] * body[(angle / (2 * np.pi) * len(body)).astype(int)]
    length = rng.uniform(0.15, 0.45) * rng.uniform(0.4, 1.1, strands)
    heading = angle + 0.6 * tuft + rng.normal(0, 0.25, strands)
    paths = bent_paths(roots, heading, length, tuft + rng.normal(0, 0.6, strands), rng.uniform(0, 0.4))
    _hairs(sheet, rng, placement.to_frame(paths), shades(rng, coat, strands))
    if rng.random() < 0.7:
        for x in (-0.17, 0.17):
            sheet.fill(placement.to_frame(ellipse((-0.15, x), (0.1, 0.09))), np.full(3, 0.93))
            sheet.fill(placement.to_frame(ellipse((-0.14, x), (0.055, 0.05))), np.full(3, 0.05))
        sheet.fill(placement.to_frame(ellipse((0.07, 0), (0.05, 0.08))), np.full(3, 0.1))
    return sheet.layer().shaded(placement, rng, 0.35)


def _portrait(size: int, rng: np.random.Generator, palette: Palette, placement: Placement) -> Layer:
    placement = replace(placement, scale=min(placement.scale, 0.38)).upright(0.9, top=1.2)
    tresses = mixed(rng, palette, [(0.15, 0.1, 0.07), (0.4, 0.25, 0.13), (0.75, 0.6, 0.35), (0.5, 0.2, 0.1)])
    skin = np.array([(0.9, 0.72, 0.6), (0.72, 0.52, 0.4), (0.45, 0.3, 0.22)][rng.integers(3)])
    fall = rng.uniform(0.1, 1.0)  # how long the hair is
    sheet = Sheet.blank(size)
    scalp = ellipse((-0.33, 0), (0.47, 0.42))
    sheet.fill(placement.to_frame(scalp + np.array([0.1 * fall, 0])), tresses[0])
    _fringe(sheet, rng, placement, tresses, fall, strands=500)
    torso = np.concatenate([ellipse((0.85, 0), (0.38, 0.8))[48:], [(0.85, 0.8), (4, 0.9), (4, -0.9), (0.85, -0.8)]])
    sheet.fill_textured(placement.to_frame(torso), texture(size, rng, palette))
    sheet.fill(placement.to_frame(ellipse((0.3, 0), (0.33, 0.17))), skin * 0.85)
    sheet.fill(placement.to_frame(ellipse((-0.18, 0), (0.42, 0.31))), skin)
    for x in (-0.12, 0.12):
        sheet.fill(placement.to_frame(ellipse((-0.2, x), (0.025, 0.05))), np.full(3, 0.12))
    sheet.fill(placement.to_frame(ellipse((0.06, 0), (0.022, 0.09))), skin * [0.8, 0.5, 0.5])
    _fringe(sheet, rng, placement, tresses, fall, strands=220)
    return sheet.layer().shaded(placement, rng, 0.3)


def _fringe(
    sheet: Sheet, rng: np.random.Generator, placement: Placement, tresses: Palette, fall: float, strands: int
) -> None:
    """Hair from the crown down both sides of a face, some of it flying away."""
    angle = rng.uniform(-1.12 * np.pi, 0.12 * np.pi, strands)
    roots = np.array([-0.33, 0]) + polar(1.0, angle) * [0.45, 0.4] * rng.uniform(0.85, 1, (strands, 1))
    side = np.cos(angle)
    flying = (rng.random(strands) < 0.3) * rng.uniform(0.3, 1.2, strands)
    heading = np.where(side > 0, 0.45 * np.pi, 0.55 * np.pi) - np.sign(side) * (0.5 * np.cos(angle) ** 2 + flying)
    length = (0.2 + 0.75 * fall) * rng.uniform(0.5, 1.1, strands)
    bend = np.sign(side) * rng.normal(0.5, 0.4, strands) + rng.normal(0, 0.3, strands)
    paths = bent_paths(roots, heading, length, bend, droop=0.2)
    _hairs(sheet, rng, placement.to_frame(paths), shades(rng, tresses, strands))


def _hairs(sheet: Sheet, rng: np.random.Generator, paths: Points, colours: NDArray[np.float64]) -> None:
    """Tapering strands, a few thousandths of the frame wide at the root."""
    root = rng.uniform(0.0015, 0.006, (len(paths), 1))
    sheet.stroke(paths, root * (1 - np.linspace(0, 1, paths.shape[1]) ** 1.5), colours)


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
    _wires(sheet, placement.to_frame(paths), rng.uniform(0.004, 0.008), palette[-1])
    rim = _circles(np.array([0.88]))
    _wires(sheet, placement.to_frame(rim), 0.13 * placement.scale, palette[0])
    sheet.fill_textured(placement.to_frame(ellipse((0, 0), (0.46, 0.46))), surface)


def _web(sheet: Sheet, rng: np.random.Generator, palette: Palette, placement: Placement, surface: Image) -> None:
    threads, rings = int(rng.integers(11, 18)), int(rng.integers(6, 11))
    angle = np.linspace(0, 2 * np.pi, threads, endpoint=False) + rng.normal(0, 0.06, threads)
    reach = rng.uniform(0.85, 1.1, threads)
    corners = reach[:, None] * polar(1.0, angle)
    wire, colour = rng.uniform(0.003, 0.006), palette[rng.integers(len(palette))]
    _wires(sheet, placement.to_frame(np.stack([0 * corners, corners], axis=1)), wire, colour)
    sag = 0.86 * (corners + np.roll(corners, -1, axis=0)) / 2
    once_round = np.stack([corners, sag], axis=1).reshape(-1, 2)
    closed = np.concatenate([once_round, once_round[:1]])
    _wires(sheet, placement.to_frame(np.linspace(0.5, 0.97, rings)[:, None, None] * closed), wire, colour)
    sheet.fill_textured(placement.to_frame(blob(rng, 0.47, 0.1)), surface)


def _mesh(sheet: Sheet, rng: np.random.Generator, palette: Palette, placement: Placement, surface: Image) -> None:
    lines = int(rng.integers(9, 16))
    t, offset = np.linspace(-0.85, 0.85, 40), np.linspace(-0.85, 0.85, lines)
    wave, phase = rng.uniform(0.02, 0.08), rng.uniform(0, 6, 2)
    across = np.stack(np.broadcast_arrays(offset[:, None], t), axis=-1)
    straight = np.concatenate([across, across[..., ::-1]])
    bent = straight + wave * np.sin(4 * straight[..., ::-1] + phase)
    _wires(sheet, placement.to_frame(bent), rng.uniform(0.004, 0.009), palette[rng.integers(len(palette))])
    board = blob(rng, 0.5, 0.12) + rng.uniform(-0.1, 0.1, 2)
    sheet.fill_textured(placement.to_frame(board), surface)


def _circles(radii: NDArray[np.float64]) -> Points:
    return radii[:, None, None] * polar(1.0, np.linspace(0, 2 * np.pi, 120))


def _wires(sheet: Sheet, paths: Points, width: float, colour: NDArray[np.floating]) -> None:
    sheet.stroke(paths, np.full(paths.shape[:2], width), np.broadcast_to(colour, (len(paths), 3)))


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


Family: TypeAlias = Callable[[int, np.random.Generator, Palette, Placement], Layer]

FAMILIES: dict[str, Family] = {
    "discs": discs,
    "hair": hair,
    "leaves": leaves,
    "net": net,
    "smoke": smoke,
    "glass": glass,
}
