"""Animals in a dense short coat."""

import numpy as np

from active_matting.data.backgrounds import Palette, texture
from active_matting.data.drawing import Layer, Placement, Points, Sheet, bent_paths, ellipse, mixed, shades
from active_matting.data.foregrounds.lines import hairs


def fur(size: int, rng: np.random.Generator, palette: Palette, placement: Placement) -> Layer:
    """A sitting animal with ears and a bushy tail, its whole outline short thin hair; perhaps out of focus."""
    placement = placement.upright(1.0, top=1.0)
    coat = mixed(rng, palette, [(0.75, 0.45, 0.2), (0.5, 0.48, 0.45), (0.9, 0.87, 0.8), (0.2, 0.18, 0.17)])
    sheet = Sheet.blank(size)
    surface = texture(size, rng, coat)
    side, shag = float(rng.choice([-1, 1])), rng.uniform(0.06, 0.16)
    for bone in range(7):  # the tail: overlapping tufts along an arc, the last ones the longest
        turn = 1.3 - 0.42 * bone
        tuft = ellipse((0.255 + 0.55 * np.sin(turn), side * (0.35 + 0.55 * np.cos(turn))), (0.13, 0.13))
        sheet.fill(placement.to_frame(tuft), coat[1] * 0.9)
        _coated(sheet, rng, placement, tuft, coat, 1.4 * shag, 260)
    for centre, axes, strands in (((0.5, 0.0), (0.48, 0.42), 1300), ((0.72, 0.0), (0.26, 0.5), 900)):
        outline = ellipse(centre, axes)
        sheet.fill_textured(placement.to_frame(outline), surface)
        _coated(sheet, rng, placement, outline, coat, shag, strands)
    tall = rng.uniform(0.1, 0.4)
    for x in (-0.2, 0.2):
        ear = np.array([(-0.42, 0.6 * x), (-0.62 - tall, 1.25 * x), (-0.3, 1.6 * x)])
        sheet.fill(placement.to_frame(ear), coat[1])
        _coated(sheet, rng, placement, _densified(ear), coat, 0.5 * shag, 200)
    head = ellipse((-0.22, 0), (0.34, 0.38))
    sheet.fill_textured(placement.to_frame(head), surface)
    _coated(sheet, rng, placement, head, coat, 0.7 * shag, 1100)
    _face(sheet, rng, placement)
    return sheet.layer().shaded(placement, rng, 0.35).blurred(float(rng.choice([0.0, 0.0, 0.0015])))


def _coated(
    sheet: Sheet,
    rng: np.random.Generator,
    placement: Placement,
    outline: Points,
    coat: Palette,
    length: float,
    strands: int,
) -> None:
    """Hair rooted in the outer half of a star-shaped part, combed away from its middle and down."""
    middle = outline.mean(axis=0)
    depth = np.sort(rng.uniform(0.55, 1, strands))[::-1, None]  # outermost first, so that the coat overlaps outwards
    roots = middle + depth * (outline[rng.integers(len(outline), size=strands)] - middle)
    away = roots - middle
    heading = np.arctan2(away[:, 0] + 0.25 * np.linalg.norm(away, axis=1), away[:, 1]) + rng.normal(0, 0.3, strands)
    clump = 0.3 * np.sin(9 * heading + rng.uniform(0, 6))
    paths = bent_paths(
        roots, heading + clump, length * rng.uniform(0.5, 1.3, strands), rng.normal(0, 0.5, strands), steps=6
    )
    hairs(sheet, rng, placement.to_frame(paths), shades(rng, coat, strands), thickest=0.0035)


def _densified(corners: Points) -> Points:
    share = np.linspace(0, 1, 20, endpoint=False)[:, None]
    sides = [(1 - share) * a + share * b for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)]
    return np.concatenate(sides)


def _face(sheet: Sheet, rng: np.random.Generator, placement: Placement) -> None:
    for x in (-0.14, 0.14):
        sheet.fill(placement.to_frame(ellipse((-0.27, x), (0.055, 0.045))), np.full(3, 0.06))
        sheet.fill(placement.to_frame(ellipse((-0.29, x + 0.015), (0.015, 0.012))), np.full(3, 0.95))
    sheet.fill(placement.to_frame(ellipse((-0.1, 0), (0.035, 0.05))), np.full(3, 0.12))
    whiskers = 10
    sides = np.where(np.arange(whiskers) % 2 == 0, 0.0, np.pi)
    roots = np.stack([np.full(whiskers, -0.08), 0.07 * np.cos(sides)], axis=-1)
    paths = bent_paths(
        roots, sides + rng.normal(0, 0.25, whiskers), np.full(whiskers, 0.5), rng.normal(0, 0.4, whiskers)
    )
    widths = np.full(paths.shape[:2], 0.0025)
    sheet.stroke(placement.to_frame(paths), widths, np.full((whiskers, 3), rng.choice([0.1, 0.95])))
