"""How far each pixel is from a set of pixels, along the cheapest way over the image."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit

Array: TypeAlias = NDArray[Any]

FAR = 1e6
"""What is farther than anything: the distance where there is nothing to go to."""

_SWEEPS = 4  # down and up count as one; ways that turn more often are found slightly too long


@dataclass(frozen=True)
class StepCosts:
    """What a step between neighbours costs; float32, none negative.

    right: (h, w - 1), from (y, x) to (y, x + 1); down: (h - 1, w), to (y + 1, x); down_right: (h - 1, w - 1), to
    (y + 1, x + 1); down_left: (h - 1, w - 1), from (y, x + 1) to (y + 1, x). A step back costs the same.
    """

    right: NDArray[np.float32]
    down: NDArray[np.float32]
    down_right: NDArray[np.float32]
    down_left: NDArray[np.float32]


def step_differences(features: NDArray[np.float32]) -> StepCosts:
    """Euclidean distances between neighbours' features, (h, w, c)."""
    f = features
    return StepCosts(
        *(
            np.sqrt(np.sum(difference**2, axis=-1), dtype=np.float32)
            for difference in (
                f[:, 1:] - f[:, :-1],
                f[1:] - f[:-1],
                f[1:, 1:] - f[:-1, :-1],
                f[:-1, 1:] - f[1:, :-1],
            )
        )
    )


def step_costs(differences: StepCosts, length: float, scale: float = 1, power: int = 1) -> StepCosts:
    """`length` times the step's length in pixels, plus (difference / scale) ** power."""
    d = differences
    straight, oblique = np.float32(length), np.float32(length * np.sqrt(2))
    return StepCosts(
        *(
            constant + (difference / np.float32(scale)) ** np.float32(power)
            for constant, difference in (
                (straight, d.right),
                (straight, d.down),
                (oblique, d.down_right),
                (oblique, d.down_left),
            )
        )
    )


def distances(costs: StepCosts, sources: NDArray[np.bool_], highest_step: bool = False) -> NDArray[np.float32]:
    """Costs, float32 (h, w), of the cheapest way from each pixel to a source; `FAR` where there is none.

    A way costs the sum of its steps or, with `highest_step`, as much as the dearest of them. Found by sweeping over
    the rows, which finds all but ways that wind a lot (Toivanen 1996).
    """
    distance = np.where(sources, np.float32(0), np.float32(FAR))
    _sweep(distance, (costs.right, costs.down, costs.down_right, costs.down_left), highest_step, _SWEEPS)
    return distance


@njit(cache=True, nogil=True)
def _sweep(distance: Array, costs: tuple[Array, ...], highest_step: bool, sweeps: int) -> None:
    right, down, down_right, down_left = costs
    h, w = distance.shape
    for _ in range(sweeps):
        has_changed = False
        for y in range(h):
            if y > 0:
                for x in range(w):
                    least = _way(distance[y - 1, x], down[y - 1, x], highest_step)
                    if x > 0:
                        least = min(least, _way(distance[y - 1, x - 1], down_right[y - 1, x - 1], highest_step))
                    if x < w - 1:
                        least = min(least, _way(distance[y - 1, x + 1], down_left[y - 1, x], highest_step))
                    if least < distance[y, x]:
                        distance[y, x] = least
                        has_changed = True
            has_changed |= _along(distance[y], right[y], highest_step)
        for y in range(h - 1, -1, -1):
            if y < h - 1:
                for x in range(w):
                    least = _way(distance[y + 1, x], down[y, x], highest_step)
                    if x < w - 1:
                        least = min(least, _way(distance[y + 1, x + 1], down_right[y, x], highest_step))
                    if x > 0:
                        least = min(least, _way(distance[y + 1, x - 1], down_left[y, x - 1], highest_step))
                    if least < distance[y, x]:
                        distance[y, x] = least
                        has_changed = True
            has_changed |= _along(distance[y], right[y], highest_step)
        if not has_changed:
            break


@njit(cache=True, nogil=True, inline="always")
def _way(there: float, step: float, highest_step: bool) -> float:
    return max(there, step) if highest_step else there + step


@njit(cache=True, nogil=True)
def _along(row: Array, right: Array, highest_step: bool) -> bool:
    has_changed = False
    for x in range(1, len(row)):
        way = _way(row[x - 1], right[x - 1], highest_step)
        if way < row[x]:
            row[x] = way
            has_changed = True
    for x in range(len(row) - 2, -1, -1):
        way = _way(row[x + 1], right[x], highest_step)
        if way < row[x]:
            row[x] = way
            has_changed = True
    return has_changed
