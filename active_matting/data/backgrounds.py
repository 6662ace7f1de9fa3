"""Procedural backgrounds, and the patterns and colours foregrounds are textured with too.

Everything is laid out in unit coordinates `(y, x)` in [0, 1]² and every random field is drawn at a resolution of
its own, so that one generator state gives the same picture at every `size`. A picture is float32
`(size, size, 3)` in [0, 1]; a palette is float32 `(K, 3)` in [0, 1].
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.types import Image

Plane: TypeAlias = NDArray[np.float32]
"""One number per pixel, (size, size)."""

Palette: TypeAlias = NDArray[np.float32]
"""A few related colours, (K, 3), in [0, 1]."""

Pattern: TypeAlias = Callable[[int, np.random.Generator, Palette], Image]

SUBPIXEL_BITS = 4  # OpenCV takes coordinates in fixed point


def background(size: int, rng: np.random.Generator, palette: Palette) -> Image:
    """A backdrop: a pattern, unevenly lit, mostly out of focus."""
    draw = BACKGROUNDS[rng.integers(len(BACKGROUNDS))]
    picture = defocused(draw(size, rng, palette), float(rng.choice([0.0, 0.002, 0.006, 0.015])))
    return lit(picture, rng, strength=0.3)


def texture(size: int, rng: np.random.Generator, palette: Palette) -> Image:
    """The surface of a foreground: a pattern with a fine grain."""
    draw = TEXTURES[rng.integers(len(TEXTURES))]
    grain = fractal_noise(size, rng, cells=(32, 32), octaves=3)
    return _clipped(draw(size, rng, palette) * (0.85 + 0.3 * grain[..., None]))


def draw_palette(rng: np.random.Generator, colours: int = 4) -> Palette:
    """Colours of neighbouring hues, from the darkest to the brightest."""
    hue = (rng.uniform(0, 360) + rng.normal(0, 25, colours)) % 360
    saturation = np.clip(rng.beta(1.5, 2.8) + rng.normal(0, 0.12, colours), 0.02, 0.9)
    value = np.clip(rng.uniform(0.3, 0.85) + np.linspace(-0.28, 0.28, colours), 0.06, 0.98)
    hsv = np.stack([hue, saturation, value], axis=-1).astype(np.float32)
    return np.asarray(cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0], dtype=np.float32)


def similar_palette(rng: np.random.Generator, palette: Palette, spread: float = 0.07) -> Palette:
    """Colours a matting method will confuse with `palette`."""
    return _clipped(rng.permutation(palette) + rng.normal(0, spread, palette.shape))


def fractal_noise(
    size: int,
    rng: np.random.Generator,
    cells: tuple[int, int] = (4, 4),
    octaves: int = 5,
    roughness: float = 0.5,
) -> Plane:
    """Smooth random values in [0, 1]: octaves of random lattices, the coarsest of `cells` (y, x)."""
    total = np.zeros((size, size), np.float32)
    variance = 0.0
    for octave in range(octaves):
        lattice = rng.random((cells[0] << octave, cells[1] << octave), dtype=np.float32) - np.float32(0.5)
        coarse = max(lattice.shape) <= size
        interpolation = cv2.INTER_CUBIC if coarse else cv2.INTER_AREA
        total += roughness**octave * cv2.resize(lattice, (size, size), interpolation=interpolation)
        variance += roughness ** (2 * octave) / 12
    return _clipped(0.5 + total / (3.5 * variance**0.5))  # the range holds most of the distribution


def warped(field: Plane, rng: np.random.Generator, strength: float) -> Plane:
    """`field` with its points displaced by up to `strength` of the side, as in marble and smoke."""
    size = len(field)
    y, x = unit_grid(size)
    shift_y, shift_x = (strength * (2 * fractal_noise(size, rng, (3, 3), 4) - 1) for _ in range(2))
    map_x, map_y = ((x + shift_x) * size - 0.5, (y + shift_y) * size - 0.5)
    moved = cv2.remap(
        field, map_x.astype(np.float32), map_y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(moved, dtype=np.float32)


def unit_grid(size: int) -> tuple[Plane, Plane]:
    """The pixel centres' y, `(size, 1)`, and x, `(1, size)`, in [0, 1]."""
    centres = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
    return centres[:, None], centres[None, :]


def defocused(picture: Image, sigma: float) -> Image:
    """`picture` blurred by `sigma` of the side; as it is where that is below a fifth of a pixel."""
    if sigma * len(picture) < 0.2:
        return picture
    return _clipped(cv2.GaussianBlur(picture, (0, 0), sigma * len(picture), borderType=cv2.BORDER_REFLECT))


def lit(picture: Image, rng: np.random.Generator, strength: float) -> Image:
    """`picture` under a light that falls off by `strength` from one side to the other."""
    along = _slope(len(picture), rng.uniform(0, 2 * np.pi))
    return _clipped(picture * (1 + strength * (rng.uniform(0.2, 0.5) - along[..., None])))


def fixed_point(points: NDArray[np.floating], size: int) -> NDArray[np.int32]:
    """Unit `(y, x)` points, `(..., 2)`, as OpenCV's fixed-point `(x, y)` on a picture of `size` pixels."""
    pixels = (points[..., ::-1] * size - 0.5) * (1 << SUBPIXEL_BITS)  # OpenCV counts from a pixel's centre
    return np.ascontiguousarray(np.rint(pixels), dtype=np.int32)


def to_byte_colour(colour: NDArray[np.floating]) -> tuple[float, ...]:
    """A colour in [0, 1] as OpenCV's drawing on bytes takes it."""
    return tuple(float(channel) for channel in np.rint(np.clip(colour, 0, 1) * 255))


def _clipped(picture: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(np.clip(picture, 0, 1), dtype=np.float32)


def _slope(size: int, angle: float) -> Plane:
    y, x = unit_grid(size)
    return ((y - 0.5) * np.float32(np.sin(angle)) + (x - 0.5) * np.float32(np.cos(angle)) + 0.5).astype(np.float32)


def _coloured(field: Plane, palette: Palette) -> Image:
    """Values in [0, 1] looked up along the palette, from its first colour to its last."""
    stops = np.linspace(0, 1, len(palette))
    return np.stack([np.interp(field, stops, channel) for channel in palette.T], axis=-1).astype(np.float32)


def _gradient(size: int, rng: np.random.Generator, palette: Palette) -> Image:
    return _coloured(_slope(size, rng.uniform(0, 2 * np.pi)), palette)


def _sky(size: int, rng: np.random.Generator, palette: Palette) -> Image:
    clouds = warped(fractal_noise(size, rng, (3, 2), 6, 0.55), rng, 0.1)
    cover = np.clip((clouds - rng.uniform(0.35, 0.6)) * 3, 0, 1)[..., None]
    backdrop = _coloured(_slope(size, rng.uniform(0.35, 0.65) * np.pi), palette[:2])
    return _clipped(backdrop * (1 - cover) + cover * (0.6 + 0.4 * palette[-1]))


def _marble(size: int, rng: np.random.Generator, palette: Palette) -> Image:
    cells = int(rng.integers(2, 9))
    return _coloured(warped(fractal_noise(size, rng, (cells, cells), 6, 0.6), rng, 0.12), palette)


def _bokeh(size: int, rng: np.random.Generator, palette: Palette) -> Image:
    """Lights out of focus: three sheets of discs, screened onto the dark."""
    picture = 0.45 * _marble(size, rng, palette)
    for _ in range(3):
        sheet = np.zeros((size, size, 3), np.uint8)
        for _ in range(int(rng.integers(6, 20))):
            centre = fixed_point(rng.random(2), size)
            radius = int(rng.uniform(0.015, 0.07) * size * (1 << SUBPIXEL_BITS))
            colour = to_byte_colour(palette[rng.integers(len(palette))] * rng.uniform(0.3, 1))
            cv2.circle(sheet, (int(centre[0]), int(centre[1])), radius, colour, -1, cv2.LINE_AA, SUBPIXEL_BITS)
        picture = 1 - (1 - picture) * (1 - sheet / np.float32(300))
    return defocused(_clipped(picture), 0.002)


def _courses(size: int, rng: np.random.Generator, palette: Palette) -> Image:
    """Bricks, tiles, planks or stripes: rows of blocks, each of one shade, between dark joints."""
    rows, columns = [(12, 6), (8, 8), (7, 1), (16, 1)][rng.integers(4)]
    angle = rng.choice([0, np.pi / 2]) + rng.normal(0, 0.1)
    along, across = _slope(size, angle), _slope(size, angle + np.pi / 2)
    row = across * rows + 1  # one row more outside the frame, which the tilt turns into view
    column = along * columns + 0.5 * (np.floor(row) % 2) + 1
    shade = rng.random((32, 32), dtype=np.float32)[np.floor(row).astype(int) % 32, np.floor(column).astype(int) % 32]
    to_joint = np.minimum(_to_integer(row) / rows, _to_integer(column) / columns)
    joint = np.clip(1.5 - to_joint / rng.uniform(0.002, 0.006), 0, 1)[..., None] * rng.uniform(0.2, 0.6)
    grain = fractal_noise(size, rng, (24, 24), 3)
    blocks = _coloured(np.clip(shade * 0.85 + 0.15 * grain, 0, 1), palette)
    return _clipped(blocks * (1 - joint))


def _to_integer(values: NDArray[Any]) -> Plane:
    return np.asarray(np.abs(values - np.rint(values)), dtype=np.float32)


def _patches(size: int, rng: np.random.Generator, palette: Palette) -> Image:
    """Flat patches with wavering borders: the cells nearest to random points."""
    y, x = unit_grid(size)
    y = y + 0.05 * fractal_noise(size, rng, (4, 4), 3)
    x = x + 0.05 * fractal_noise(size, rng, (4, 4), 3)
    nearest = np.full((size, size), np.inf, np.float32)
    owner = np.zeros((size, size), np.intp)
    points = rng.random((int(rng.integers(8, 40)), 2), dtype=np.float32)
    for index, (point_y, point_x) in enumerate(points):
        distance = (y - point_y) ** 2 + (x - point_x) ** 2
        closer = distance < nearest
        nearest[closer], owner[closer] = distance[closer], index
    colours = _coloured(rng.random((len(points), 1), dtype=np.float32), palette)[:, 0]
    return defocused(colours[owner], 0.001)


def _grass(size: int, rng: np.random.Generator, palette: Palette) -> Image:
    """Blades all over, later ones in front: a background as fine as hair."""
    blades = 1200
    base = np.stack([np.linspace(0, 1.2, blades), rng.random(blades)], axis=-1)
    angle, length = rng.normal(-np.pi / 2, 0.35, blades), rng.uniform(0.06, 0.2, blades)
    tip = base + length[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    colours = _coloured(rng.random((blades, 1), dtype=np.float32), palette)[:, 0] * rng.uniform(0.5, 1, (blades, 1))
    fine = size * -(-400 // size)  # a small picture would have no lines as thin as the blades
    picture = np.full((fine, fine, 3), to_byte_colour(palette[0] * 0.4), np.uint8)
    thickness = max(1, round(0.005 * fine))
    for start, end, colour in zip(fixed_point(base, fine), fixed_point(tip, fine), colours, strict=True):
        cv2.line(picture, start.tolist(), end.tolist(), to_byte_colour(colour), thickness, cv2.LINE_AA, SUBPIXEL_BITS)
    return _clipped(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA) / np.float32(255))


def _spots(size: int, rng: np.random.Generator, palette: Palette) -> Image:
    field = warped(fractal_noise(size, rng, (10, 10), 1), rng, 0.05)
    inside = np.clip((field - 0.6) * 12, 0, 1)[..., None]
    return _clipped(palette[0] * (1 - inside) + palette[-1] * inside)


def _horizon(size: int, rng: np.random.Generator, palette: Palette) -> Image:
    """Sky above, something darker below a ragged line."""
    y, _ = unit_grid(size)
    ridge = rng.uniform(0.3, 0.75) + 0.12 * (fractal_noise(size, rng, (3, 3), 6) - 0.5)
    below = np.clip((y - ridge) * 100, 0, 1)[..., None]
    ground = (_grass, _marble, _courses)[rng.integers(3)](size, rng, draw_palette(rng))
    return _clipped(_sky(size, rng, palette) * (1 - below) + 0.8 * ground * below)


BACKGROUNDS: tuple[Pattern, ...] = (_gradient, _sky, _marble, _bokeh, _courses, _patches, _grass, _horizon)
TEXTURES: tuple[Pattern, ...] = (_gradient, _marble, _courses, _patches, _spots)
