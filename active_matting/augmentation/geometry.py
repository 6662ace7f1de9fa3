"""Where objects and scenes lie in the frame: one warp from a picture to it."""

from dataclasses import dataclass

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from active_matting.augmentation.pictures import Cutout
from active_matting.errors import InvalidArgumentError
from active_matting.types import Alpha, Image

_COARSEST = np.sqrt(2)  # pixels to one of the frame, beyond which bilinear interpolation would skip too many


@dataclass(frozen=True)
class Geometry:
    """How objects and scenes are drawn; pairs are ranges, drawn evenly.

    sides: of the square cut around an unknown pixel, in pixels of the object's picture, one of which is drawn and
    resized to the frame (thesis, sec. 4.3.6). scale: of the object, drawn evenly in its logarithm. rotation, shear:
    degrees, at most that much either way. mirror: probability. scene: side of the square out of the scene, as a share
    of its shorter side. Raises `InvalidArgumentError`.
    """

    sides: tuple[int, ...] = (320, 480, 640)
    scale: tuple[float, float] = (0.8, 1.25)
    rotation: float = 20.0
    shear: float = 8.0
    mirror: float = 0.5
    scene: tuple[float, float] = (0.5, 1.0)

    def __post_init__(self) -> None:
        if not self.sides or min(self.sides) < 1:
            raise InvalidArgumentError(f"sides must be at least one number of pixels, all from 1, got {self.sides}")
        if not 0 < self.scale[0] <= self.scale[1]:
            raise InvalidArgumentError(f"scale must be two positive numbers in order, got {self.scale}")
        if not (0 <= self.rotation <= 180 and 0 <= self.shear < 60 and 0 <= self.mirror <= 1):
            raise InvalidArgumentError(
                f"rotation must lie in [0, 180], shear in [0, 60), mirror in [0, 1]; "
                f"got {self.rotation}, {self.shear}, {self.mirror}"
            )
        if not 0 < self.scene[0] <= self.scene[1] <= 1:
            raise InvalidArgumentError(f"scene must be two shares in (0, 1] in order, got {self.scene}")

    def draw(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """A random linear map, `(2, 2)`, of offsets (x, y) in the frame to such in the object's picture."""
        turn, lean = np.radians(rng.uniform(-1, 1, 2) * (self.rotation, self.shear))
        scale = np.exp(rng.uniform(*np.log(self.scale)))
        sign = -1.0 if rng.random() < self.mirror else 1.0
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        return np.asarray(rotation @ [[sign, np.tan(lean)], [0, 1]] / scale)


def place_object(
    cutout: Cutout, size: int, rng: np.random.Generator, geometry: Geometry | None = None
) -> tuple[Image, Alpha]:
    """A square of the object around one of its unknown pixels, scaled, turned, sheared and mirrored at random.

    Colours and alpha are taken in one bilinear warp from the level of the object next in size. The square is moved
    inwards where it would go beyond an edge that cuts the object, but holds the drawn pixel. Returns the foreground,
    float32 `(S, S, 3)`, right everywhere, and alpha, float32 `(S, S)`, 0 where there is no picture.
    """
    geometry = geometry or Geometry()
    pixel = cutout.unknown[int(rng.integers(len(cutout.unknown)))]
    drawn = geometry.sides[int(rng.integers(len(geometry.sides)))]
    side = min(drawn, max(*cutout.shape, size // 2))  # of a small object not mostly what is beside it
    to_object = geometry.draw(rng) * (side / size)  # of offsets, (x, y)
    zoom = float(np.sqrt(abs(np.linalg.det(to_object))))  # pixels of the object to one of the frame
    centre = np.array(
        [
            _moved_in(float(place) + 0.5, zoom * size / 2, extent, is_cut)
            for place, extent, is_cut in zip(pixel, cutout.shape, cutout.is_cut, strict=True)
        ]
    )
    level = cutout.levels[int(np.clip(round(np.log2(zoom)), 0, len(cutout.levels) - 1))]
    return _warp(level, cutout.shape, centre[::-1], to_object, size)


def place_scene(
    scene: NDArray[np.uint8], size: int, rng: np.random.Generator, geometry: Geometry | None = None
) -> Image:
    """A random square of a picture, uint8 `(H, W, 3)`, at times mirrored; float32 `(S, S, 3)` in [0, 1]."""
    geometry = geometry or Geometry()
    side = max(1, round(min(scene.shape[:2]) * rng.uniform(*geometry.scene)))
    y, x = (int(rng.integers(extent - side + 1)) for extent in scene.shape[:2])
    square: MatLike = scene[y : y + side, x : x + side]
    while len(square) > _COARSEST * size:  # by halves, many times faster than by area at once
        square = cv2.resize(square, (len(square) // 2,) * 2, interpolation=cv2.INTER_AREA)
    square = cv2.resize(square, (size, size), interpolation=cv2.INTER_LINEAR)
    return _as_floats(cv2.flip(square, 1) if rng.random() < geometry.mirror else square)


def _moved_in(place: float, half: float, extent: int, is_cut: tuple[bool, bool]) -> float:
    """The square's middle, at most 0.7 of its half away, so that the place stays inside however it is turned."""
    low = min(half, extent / 2) if is_cut[0] else -np.inf
    high = max(extent - half, extent / 2) if is_cut[1] else np.inf
    return float(np.clip(np.clip(place, low, high), place - 0.7 * half, place + 0.7 * half))


def _warp(
    level: NDArray[np.uint8],
    shape: tuple[int, int],
    centre: NDArray[np.float64],
    to_object: NDArray[np.float64],
    size: int,
) -> tuple[Image, Alpha]:
    """centre, to_object: (x, y), in pixels of the first level, `shape` (H, W), whose first pixel's middle is 0.5."""
    shrink = np.array([(level.shape[1] - 2) / shape[1], (level.shape[0] - 2) / shape[0]])  # (x, y)
    matrix = np.empty((2, 3))
    matrix[:, :2] = shrink[:, None] * to_object
    # OpenCV's coordinates are 0 in the middle of a pixel; the level has a margin of one.
    matrix[:, 2] = shrink * (centre - to_object @ np.full(2, (size - 1) / 2)) - 0.5 + 1
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(level, matrix, (size, size), flags=how, borderMode=cv2.BORDER_REPLICATE)
    return _as_floats(cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB)), _as_floats(cv2.extractChannel(warped, 3))


def _as_floats(levels: MatLike) -> NDArray[np.float32]:
    floats = levels.astype(np.float32)
    floats *= np.float32(1 / 255)
    return floats
