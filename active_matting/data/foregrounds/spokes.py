"""Thin bars that radiate from a middle."""

import numpy as np

from active_matting.data.backgrounds import Palette, texture
from active_matting.data.drawing import Layer, Placement, Sheet, ellipse, polar
from active_matting.data.foregrounds.lines import circles, radii, wires
from active_matting.types import Image


def spokes(size: int, rng: np.random.Generator, palette: Palette, placement: Placement) -> Layer:
    """A bicycle's wheel with crossing spokes, an umbrella with its ribs, or a Ferris wheel."""
    draw = (_cycle_wheel, _umbrella, _ferris_wheel)[rng.integers(3)]
    sheet = Sheet.blank(size)
    placement = draw(sheet, rng, palette, placement, texture(size, rng, palette))
    return sheet.layer().shaded(placement, rng, 0.3)


def _cycle_wheel(
    sheet: Sheet, rng: np.random.Generator, palette: Palette, placement: Placement, surface: Image
) -> Placement:
    pairs, lean, thickness = int(rng.integers(14, 22)), rng.uniform(0.35, 0.6), rng.uniform(0.003, 0.006)
    metal = np.full(3, rng.uniform(0.55, 0.9))
    for turn, shade in ((lean, 1.0), (-lean, 0.75)):
        wires(sheet, placement.to_frame(radii(pairs, 0.4, 0.86, turn)), thickness, metal * shade)
    wires(sheet, placement.to_frame(circles(np.array([0.93]))), 0.12 * placement.scale, palette[0])
    wires(sheet, placement.to_frame(circles(np.array([0.85]))), 0.04 * placement.scale, metal)
    sheet.fill_textured(placement.to_frame(ellipse((0, 0), (0.47, 0.47))), surface)
    for hole in polar(0.4, np.linspace(0, 2 * np.pi, 12, endpoint=False)):
        sheet.cut(placement.to_frame(hole + ellipse((0, 0), (0.03, 0.03))))
    return placement


def _umbrella(
    sheet: Sheet, rng: np.random.Generator, palette: Palette, placement: Placement, surface: Image
) -> Placement:
    placement = placement.upright(1.0, top=0.9)
    panels = int(rng.integers(6, 10))
    at = np.sin(np.linspace(-np.pi / 2, np.pi / 2, panels + 1))  # ribs about a pole, as seen from the side
    brim = np.stack([np.full(panels + 1, 0.05), at], axis=-1)
    runner = np.broadcast_to([0.35, 0.0], brim.shape)
    wires(sheet, placement.to_frame(np.stack([runner, 0.45 * brim + [-0.2, 0.0]], axis=1)), 0.005, palette[0])
    wires(sheet, placement.to_frame(np.array([[(-0.9, 0.0), (0.95, 0.0)]])), 0.035 * placement.scale, palette[0])
    hook = np.array([0.92, 0.12]) + polar(0.12, np.linspace(np.pi, 0, 24))
    wires(sheet, placement.to_frame(hook[None]), 0.05 * placement.scale, palette[1])
    dome = polar(1.0, np.linspace(np.pi, 2 * np.pi, 60)) * [0.82, 1.0] + [0.05, 0.0]
    share = np.linspace(1, 0, 12 * panels + 1)
    across = np.interp(share, np.linspace(0, 1, panels + 1), at)
    scallops = np.stack([0.05 - 0.1 * np.abs(np.sin(np.pi * panels * share)), across], axis=-1)
    sheet.fill_textured(placement.to_frame(np.concatenate([dome, scallops])), surface)
    bows = np.stack([0.05 - 0.82 * np.cos(np.linspace(0, np.pi / 2, 20))] * (panels + 1))
    ribs = np.stack([bows, at[:, None] * np.sin(np.linspace(0, np.pi / 2, 20))], axis=-1)
    overhang = np.concatenate([ribs, ribs[:, -1:] + [0.08, 0.0]], axis=1)
    wires(sheet, placement.to_frame(overhang), 0.005, palette[-1] * 0.7)
    return placement


def _ferris_wheel(
    sheet: Sheet, rng: np.random.Generator, palette: Palette, placement: Placement, surface: Image
) -> Placement:
    placement = placement.upright(1.0, top=1.0)
    cars = int(rng.integers(9, 15))
    middle, colour = np.array([-0.15, 0.0]), palette[-1]
    wires(sheet, placement.to_frame(middle + radii(cars, 0.0, 0.8)), 0.004, colour)
    wires(sheet, placement.to_frame(middle + radii(cars, 0.4, 0.8, np.pi / cars)), 0.003, colour * 0.8)
    wires(sheet, placement.to_frame(middle + radii(cars, 0.4, 0.8, -np.pi / cars)), 0.003, colour * 0.8)
    wires(sheet, placement.to_frame(middle + circles(np.array([0.4, 0.72, 0.8]))), 0.006, colour)
    legs = np.array([[(-0.15, 0.0), (0.8, x)] for x in (-0.5, 0.5)])
    wires(sheet, placement.to_frame(legs), 0.05 * placement.scale, palette[0])
    for index, rim in enumerate(middle + polar(0.8, np.linspace(0, 2 * np.pi, cars, endpoint=False))):
        car = rim + ellipse((0.08, 0), (0.09, 0.08))
        sheet.fill(placement.to_frame(car), palette[index % len(palette)])
    booth = np.array([(0.62, -0.75), (0.62, 0.75), (1.05, 0.85), (1.05, -0.85)])
    sheet.fill_textured(placement.to_frame(booth), surface)
    sheet.fill_textured(placement.to_frame(middle + ellipse((0, 0), (0.2, 0.2))), surface)
    return placement
