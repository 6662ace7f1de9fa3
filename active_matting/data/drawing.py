"""What foregrounds are drawn with: where an object lies, sheets that take shapes, layers, outlines, colours.

Shapes are drawn on a `Sheet` several times finer than the picture and averaged down, so alpha is the covered share
of each pixel. Coordinates are `(y, x)`, y downwards; those of an object fill about the circle of radius 1 around its
origin, and a `Placement` carries them to unit coordinates of the frame.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.data.backgrounds import SUBPIXEL_BITS, Palette, Plane, fixed_point, to_byte_colour, unit_grid
from active_matting.types import Alpha, Image

Points: TypeAlias = NDArray[np.float64]
"""Points (y, x), (..., 2)."""

_FINENESS = 4  # a sheet has at least this many points per pixel side ...
_FINEST_DETAIL = 800  # ... and at least this many in all, so that strands stay thin in small pictures


@dataclass(frozen=True)
class Placement:
    """Where an object lies: its origin's `(y, x)` and its size in units of the frame's side; its tilt in radians."""

    centre: tuple[float, float]
    scale: float
    tilt: float

    def to_frame(self, points: Points) -> Points:
        """Object coordinates `(..., 2)` as unit coordinates of the frame."""
        cos, sin = np.cos(self.tilt), np.sin(self.tilt)
        rotation = np.array([[cos, sin], [-sin, cos]])
        return np.asarray(self.centre + self.scale * (points @ rotation.T))

    def grid(self, size: int) -> tuple[Plane, Plane]:
        """The pixel centres' object coordinates y and x, each `(size, size)`."""
        y, x = unit_grid(size)
        y, x = (y - self.centre[0]) / self.scale, (x - self.centre[1]) / self.scale
        cos, sin = np.float32(np.cos(self.tilt)), np.float32(np.sin(self.tilt))
        return np.asarray(cos * y - sin * x), np.asarray(sin * y + cos * x)

    def upright(self, bottom: float, top: float = 0.0) -> "Placement":
        """Nearly untilted, and moved to have its heights from `-top` to `bottom` in the frame, or at least `bottom`."""
        y = min(max(self.centre[0], top * self.scale), 0.98 - bottom * self.scale)
        side = 0.5 * self.scale + 0.02
        x = min(max(self.centre[1], side), 1 - side)
        return Placement((y, x), self.scale, 0.05 * float(np.sin(self.tilt)))

    def facing_inwards(self, rng: np.random.Generator) -> "Placement":
        """Turned so that what is above the object (negative y) lies towards the middle of the frame."""
        towards = np.arctan2(0.5 - self.centre[1], self.centre[0] - 0.5)
        return replace(self, tilt=float(towards + rng.normal(0, 0.4)))


@dataclass(frozen=True)
class Layer:
    """Something to lay over a background: `paint`, `(S, S, 3)`, is its colour times `alpha`, `(S, S)`."""

    alpha: Alpha
    paint: Image

    def over(self, below: "Layer") -> "Layer":
        """This layer in front of another."""
        clear = 1 - self.alpha
        return Layer(self.alpha + clear * below.alpha, self.paint + clear[..., None] * below.paint)

    def blurred(self, sigma: float) -> "Layer":
        """Out of focus by `sigma` of the side."""
        if sigma * len(self.alpha) < 0.2:
            return self
        blur = [cv2.GaussianBlur(field, (0, 0), sigma * len(self.alpha)) for field in (self.alpha, self.paint)]
        return Layer(np.clip(blur[0], 0, 1).astype(np.float32), blur[1].astype(np.float32))

    def shaded(self, placement: Placement, rng: np.random.Generator, strength: float) -> "Layer":
        """Lit from one side, like a round body: the far side is darker by `strength`."""
        y, x = placement.grid(len(self.alpha))
        light_y, light_x = rng.uniform(-0.8, 0.1), rng.uniform(-0.6, 0.6)
        distance = np.sqrt((y - light_y) ** 2 + (x - light_x) ** 2)
        gain = np.clip(1.1 - strength * (distance - 0.3), 0.35, 1.25)[..., None]
        return replace(self, paint=np.minimum(self.paint * gain, self.alpha[..., None]).astype(np.float32))

    def colour(self, elsewhere: NDArray[np.float32]) -> Image:
        """The foreground's own colour, `(S, S, 3)`; where alpha is 0, `elsewhere`, `(3,)`."""
        is_covered = self.alpha[..., None] > 0
        colour = np.where(is_covered, self.paint / np.where(is_covered, self.alpha[..., None], 1), elsewhere)
        return np.clip(colour, 0, 1).astype(np.float32)


@dataclass(frozen=True)
class Sheet:
    """A fine raster to draw on, RGB and coverage in bytes `(N, N, 4)`, N a multiple of `size`."""

    size: int
    raster: NDArray[np.uint8]

    @classmethod
    def blank(cls, size: int) -> "Sheet":
        fine = size * max(_FINENESS, -(-_FINEST_DETAIL // size))
        return cls(size, np.zeros((fine, fine, 4), np.uint8))

    def fill(self, outline: Points, colour: NDArray[np.floating]) -> None:
        """Cover the polygon `(K, 2)` in frame coordinates."""
        self._polygon(outline, (*to_byte_colour(colour), 255))

    def cut(self, outline: Points) -> None:
        """Uncover the polygon `(K, 2)`."""
        self._polygon(outline, (0, 0, 0, 0))

    def fill_textured(self, outline: Points, surface: Image) -> None:
        """Cover the polygon `(K, 2)` with a picture `(size, size, 3)` laid over the frame."""
        mask = Sheet.blank(self.size)
        mask._polygon(outline, (255, 255, 255, 255))
        opaque = np.dstack([np.rint(surface * 255), np.full(surface.shape[:2], 255)]).astype(np.uint8)
        fine = cv2.resize(opaque, self.raster.shape[:2], interpolation=cv2.INTER_LINEAR)
        cv2.copyTo(fine, np.ascontiguousarray(mask.raster[..., 3]), self.raster)

    def stroke(self, paths: Points, widths: Points, colours: NDArray[np.floating]) -> None:
        """Cover ribbons: centre lines `(n, K, 2)`, widths `(n, K)` in frame coordinates, colours `(n, 3)`."""
        tangent = np.gradient(paths, axis=1)
        normal = tangent[..., ::-1] * [1, -1] / (np.linalg.norm(tangent, axis=-1, keepdims=True) + 1e-12)
        half = np.maximum(widths / 2 - 0.5 / len(self.raster), 0)[..., None] * normal
        ribbons = fixed_point(np.concatenate([paths + half, (paths - half)[:, ::-1]], axis=1), len(self.raster))
        for ribbon, colour in zip(ribbons, colours, strict=True):
            cv2.fillPoly(self.raster, [ribbon], (*to_byte_colour(colour), 255), cv2.LINE_8, SUBPIXEL_BITS)

    def layer(self) -> Layer:
        """What was drawn, averaged down to `(size, size)`."""
        small = cv2.resize(
            self.raster.astype(np.float32), (self.size, self.size), interpolation=cv2.INTER_AREA
        ) / np.float32(255)
        return Layer(np.ascontiguousarray(small[..., 3]), np.ascontiguousarray(small[..., :3]))

    def _polygon(self, outline: Points, value: tuple[float, ...]) -> None:
        points = fixed_point(_shrunk(outline, 0.5 / len(self.raster)), len(self.raster))
        cv2.fillPoly(self.raster, [points], value, cv2.LINE_8, SUBPIXEL_BITS)


def _shrunk(outline: Points, amount: float) -> Points:
    """The polygon drawn in by `amount`: OpenCV also fills the pixels under the outline, half a pixel too much."""
    ahead, behind = np.roll(outline, -1, axis=0), np.roll(outline, 1, axis=0)
    edges = [
        step / (np.linalg.norm(step, axis=-1, keepdims=True) + 1e-12) for step in (ahead - outline, outline - behind)
    ]
    normal = (edges[0] + edges[1])[:, ::-1] * [1, -1]
    # a mitre: dividing by |normal|²/2 keeps each edge, not each corner, at the right distance
    normal /= np.maximum((normal**2).sum(axis=-1, keepdims=True) / 2, 0.5)
    turns = np.sum(outline[:, 1] * ahead[:, 0] - ahead[:, 1] * outline[:, 0])  # twice the signed area
    return np.asarray(outline + np.sign(turns) * amount * normal)


def blob(rng: np.random.Generator, radius: float, wobble: float) -> Points:
    """A closed curve about the origin whose radius strays from `radius` by at most the share `wobble`."""
    angle = np.linspace(0, 2 * np.pi, 160, endpoint=False)
    order = np.arange(2, 7)
    weight = rng.dirichlet(np.ones(len(order)))
    waves = weight @ np.cos(order[:, None] * angle + rng.uniform(0, 2 * np.pi, (len(order), 1)))
    return polar(radius * (1 + wobble * waves), angle)


def ellipse(centre: tuple[float, float], half_axes: tuple[float, float]) -> Points:
    """A closed curve `(96, 2)`: below its centre first, then back above it."""
    angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    return np.asarray(centre + polar(np.ones_like(angle), angle) * half_axes)


def polar(radius: NDArray[np.floating] | float, angle: NDArray[np.floating]) -> Points:
    """The points at these distances from the origin; angle 0 lies to the right, a quarter turn on is below."""
    return np.asarray(np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=-1), dtype=np.float64)


def bent_paths(
    roots: Points,
    heading: NDArray[np.floating],
    length: NDArray[np.floating],
    bend: NDArray[np.floating],
    droop: float = 0.0,
    steps: int = 12,
) -> Points:
    """Curves `(n, steps, 2)` from `roots` `(n, 2)`; `bend` is the turn along the way, `droop` a pull downwards."""
    t = np.linspace(0, 1, steps)
    angle = heading[:, None] + bend[:, None] * t
    stride = polar(length[:, None] / (steps - 1), angle)
    paths = roots[:, None] + np.cumsum(stride, axis=1) - stride[:, :1]
    paths[..., 0] += droop * length[:, None] * t**2
    return paths


def shades(rng: np.random.Generator, palette: Palette, count: int, spread: float = 0.3) -> NDArray[np.float64]:
    """`count` colours of the palette, each darker or brighter by up to `spread`."""
    return np.asarray(palette[rng.integers(len(palette), size=count)] * rng.uniform(1 - spread, 1 + spread, (count, 1)))


def mixed(rng: np.random.Generator, palette: Palette, natural: list[tuple[float, float, float]]) -> Palette:
    """The palette, drawn towards one of the colours the thing has in nature."""
    pull = rng.uniform(0.2, 0.9)
    natural_shades = np.linspace(0.6, 1.3, len(palette))[:, None] * natural[rng.integers(len(natural))]
    return np.clip((1 - pull) * palette + pull * natural_shades, 0, 1).astype(np.float32)
