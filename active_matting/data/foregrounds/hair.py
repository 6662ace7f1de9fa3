"""Furry creatures and people."""

from dataclasses import replace

import numpy as np

from active_matting.data.backgrounds import Palette, texture
from active_matting.data.drawing import Layer, Placement, Sheet, bent_paths, blob, ellipse, mixed, polar, shades
from active_matting.data.foregrounds.lines import hairs


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
    hairs(sheet, rng, placement.to_frame(paths), shades(rng, coat, strands))
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
    hairs(sheet, rng, placement.to_frame(paths), shades(rng, tresses, strands))
