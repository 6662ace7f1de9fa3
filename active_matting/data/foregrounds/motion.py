"""Things that move while the shutter is open."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.data.backgrounds import Palette
from active_matting.data.drawing import Layer, Placement, Points, Sheet, blob, ellipse, polar

Part: TypeAlias = tuple[Points, NDArray[np.floating]]
"""An outline in object coordinates, and its colour."""

_MOST_POSES = 64


def motion(size: int, rng: np.random.Generator, palette: Palette, placement: Placement) -> Layer:
    """A ball or a dart in flight, or a turning fan, blurred along its way."""
    if rng.random() < 0.6:
        parts = (_ball, _dart)[rng.integers(2)](rng, palette)
        stretch, drop, turn = rng.uniform(0.15, 0.45), rng.normal(0, 0.05), rng.normal(0, 0.08)
    else:
        parts = _fan(rng, palette)
        stretch, drop, turn = 0.0, 0.0, rng.uniform(0.15, 0.5)
    return exposed(size, parts, flight(size, placement, stretch, drop, turn)).shaded(placement, rng, 0.35)


def flight(size: int, placement: Placement, stretch: float, drop: float, turn: float) -> list[Placement]:
    """Poses about `placement`, about a pixel apart, each standing for an equal share of the exposure.

    stretch: how far it goes along its own x, in its own units. drop: by how much its way bends down in between.
    turn: the angle, radians, it turns meanwhile. At most 64 poses.
    """
    reach = (abs(stretch) + abs(turn) + 2 * abs(drop)) * placement.scale * size
    count = int(np.clip(np.ceil(reach), 1, _MOST_POSES))
    share = (np.arange(count) + 0.5) / count - 0.5
    way = placement.to_frame(np.stack([4 * drop * share**2, stretch * share], axis=-1))
    return [
        replace(placement, centre=(float(y), float(x)), tilt=placement.tilt + turn * float(part))
        for (y, x), part in zip(way, share, strict=True)
    ]


def exposed(size: int, parts: Sequence[Part], poses: Sequence[Placement]) -> Layer:
    """The mean over `poses`, at most 257, of the layers in which `parts` lie so; later parts in front.

    Colour times alpha and alpha are averaged alike on the fine sheet, which makes the blur's alpha the exact one.
    """
    total = np.zeros_like(Sheet.blank(size).raster, dtype=np.uint16)
    for pose in poses:
        sheet = Sheet.blank(size)
        for outline, colour in parts:
            sheet.fill(pose.to_frame(outline), colour)
        np.add(total, sheet.raster, out=total)
    area = cv2.resize(total.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    mean = area.astype(np.float32) / np.float32(255 * len(poses))
    return Layer(np.ascontiguousarray(mean[..., 3]), np.ascontiguousarray(mean[..., :3]))


def _ball(rng: np.random.Generator, palette: Palette) -> list[Part]:
    parts: list[Part] = [(ellipse((0, 0), (0.75, 0.75)), palette[-1])]
    for angle in np.linspace(0, 2 * np.pi, int(rng.integers(3, 7)), endpoint=False):
        wedge = polar(0.75, angle + np.linspace(0, 0.5, 12))
        parts.append((np.concatenate([[(0.0, 0.0)], wedge]), palette[rng.integers(len(palette))]))
    parts.append((blob(rng, 0.2, 0.2), palette[0]))
    return parts


def _dart(rng: np.random.Generator, palette: Palette) -> list[Part]:
    """It flies along its x."""
    fins = rng.uniform(0.35, 0.6)
    body = np.array([(-0.3, -0.7), (-0.3, 0.4), (0.0, 1.0), (0.3, 0.4), (0.3, -0.7)])
    parts: list[Part] = [
        (np.array([(-0.25, -0.4), (-0.25 - fins, -0.95), (0.25 + fins, -0.95), (0.25, -0.4)]), palette[0]),
        (body, palette[-1]),
    ]
    for x in (-0.5, -0.1, 0.3):
        parts.append(
            (np.array([(-0.3, x), (-0.3, x + 0.12), (0.3, x + 0.12), (0.3, x)]), palette[rng.integers(len(palette))])
        )
    return parts


def _fan(rng: np.random.Generator, palette: Palette) -> list[Part]:
    blades = int(rng.integers(3, 8))
    parts: list[Part] = []
    for index, angle in enumerate(np.linspace(0, 2 * np.pi, blades, endpoint=False)):
        wide = rng.uniform(0.3, 0.6) * 2 * np.pi / blades
        outer = polar(1.0, angle + np.linspace(0, wide, 12))
        inner = polar(0.2, angle + np.linspace(wide, 0, 6))
        parts.append((np.concatenate([outer, inner]), palette[1 + index % (len(palette) - 1)]))
    parts += [(ellipse((0, 0), (0.48, 0.48)), palette[0]), (ellipse((0, 0), (0.2, 0.2)), palette[-1])]
    return parts
