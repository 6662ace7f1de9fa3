"""The squares a user is asked about, and the one place where actions become pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from active_matting.errors import InvalidArgumentError


@dataclass(frozen=True)
class Region:
    """A square of `side` pixels around the centre `(y, x)`.

    Its rows run from `y - side // 2` to `y - side // 2 + side - 1`, its columns likewise, so that an even
    square has its centre just below and right of its middle.

    >>> Region(y=10, x=30, side=20).slices
    (slice(0, 20, None), slice(20, 40, None))
    """

    y: int
    x: int
    side: int

    @property
    def top(self) -> int:
        return self.y - self.side // 2

    @property
    def left(self) -> int:
        return self.x - self.side // 2

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index an `(H, W, ...)` array with this to get the region's pixels."""
        return slice(self.top, self.top + self.side), slice(self.left, self.left + self.side)


def check_side(side: int, shape: tuple[int, int]) -> None:
    """Raise `InvalidArgumentError` unless a square of `side` pixels fits into an image of `shape` (H, W)."""
    if not 1 <= side <= min(shape):
        raise InvalidArgumentError(
            f"region_size must be from 1 to {min(shape)} for an image of shape {tuple(shape)}, got {side}"
        )


def check_region(region: Region, shape: tuple[int, ...]) -> None:
    """Raise `InvalidArgumentError` unless `region` lies wholly inside an image of `shape` (H, W)."""
    h, w = shape
    check_side(region.side, (h, w))
    if not (0 <= region.top <= h - region.side and 0 <= region.left <= w - region.side):
        raise InvalidArgumentError(f"{region} must lie inside the image of shape {(h, w)}; see `place_region`")


def place_region(y: float, x: float, side: int, shape: tuple[int, int]) -> Region:
    """The region nearest to the wished centre `(y, x)` that lies wholly inside an image of `shape` (H, W).

    The centre is moved in; the square is never cut.

    >>> place_region(0, 399, side=20, shape=(400, 400))
    Region(y=10, x=390, side=20)
    """
    check_side(side, shape)
    (y_low, y_high), (x_low, x_high) = (_centre_range(side, size) for size in shape)
    return Region(
        y=int(np.clip(np.floor(y + 0.5), y_low, y_high)),
        x=int(np.clip(np.floor(x + 0.5), x_low, x_high)),
        side=side,
    )


def action_to_region(action: ArrayLike, side: int, shape: tuple[int, int]) -> Region:
    """The region an action `(y, x)` in [-1, 1]² means: -1 is the centre of the first pixel, 1 of the last.

    A centre too near the edge for the square to fit is moved in. Raises `InvalidArgumentError`.

    >>> action_to_region((-1, 0), side=20, shape=(401, 401))
    Region(y=10, x=200, side=20)
    """
    wished = np.clip(np.asarray(action, dtype=np.float64), -1, 1)
    if wished.shape != (2,) or np.isnan(wished).any():
        raise InvalidArgumentError(f"an action must be two numbers (y, x) in [-1, 1], got {action!r}")
    y, x = (wished + 1) / 2 * (np.array(shape) - 1)
    return place_region(y, x, side, shape)


def region_to_action(region: Region, shape: tuple[int, int]) -> NDArray[np.float32]:
    """An action `(y, x)` in [-1, 1]², float32, that `action_to_region` turns into `region`."""
    extent = np.maximum(np.array(shape) - 1, 1)
    return np.asarray(2 * np.array([region.y, region.x]) / extent - 1, dtype=np.float32)


def region_grid(side: int, shape: tuple[int, int], stride: int | None = None) -> list[Region]:
    """Regions that tile an image of `shape` (H, W) row by row, `stride` (default: `side`) pixels apart.

    Where the stride does not divide the image, a last row and column are moved in, so all pixels are covered.

    >>> len(region_grid(20, (400, 400)))
    400
    """
    check_side(side, shape)
    stride = side if stride is None else stride
    if stride < 1:
        raise InvalidArgumentError(f"stride must be at least 1, got {stride}")
    tops, lefts = (sorted({*range(0, size - side, stride), size - side}) for size in shape)
    return [Region(top + side // 2, left + side // 2, side) for top in tops for left in lefts]


def _centre_range(side: int, size: int) -> tuple[int, int]:
    """First and last centre for which a square of `side` fits into `size` pixels."""
    return side // 2, size - side + side // 2
