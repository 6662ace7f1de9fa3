"""Simulated users that choose the place themselves: they know the true alpha and look at where the matte is wrong.

`most_wrong_region` asks about regions. The two that click are those of Forte's thesis, by name in `ROBOTS`: both click
at the innermost pixel of a connected region that is wrong throughout, each of a region of its own choice. To add one: a
file in this folder and a line in `ROBOTS`.
"""

from typing import Protocol, cast

from active_matting.registry import Registry
from active_matting.robots.mistakes import Mistake, Place
from active_matting.robots.most_wrong_region import is_askable, most_wrong_region
from active_matting.types import Alpha


class Robot(Protocol):
    """Looks at a matte and says what to correct next."""

    def __call__(self, alpha: Alpha, truth: Alpha) -> Mistake | None:
        """The mistake to correct, float32 `(H, W)` each; None where there is none. Pixels whose truth is neither 0 nor
        1 never count: transitions, and what a mask marks to be ignored.
        """


ROBOTS = Registry(
    kind="robot",
    group="active_matting.robots",
    table={
        "largest-region": "active_matting.robots.largest_region:largest_region",
        "largest-error": "active_matting.robots.largest_error:largest_error",
    },
)


def find_robot(name: str) -> Robot:
    """The robot called `name`. Raises `UnknownNameError`.

    >>> import numpy as np
    >>> truth = np.float32([[0, 0, 0], [0, 1, 1], [0, 1, 1]])
    >>> find_robot("largest-region")(np.zeros_like(truth), truth).place
    Place(y=1, x=1, label=<Label.FOREGROUND: 1>)
    """
    return cast(Robot, ROBOTS.resolve(name))


__all__ = ["ROBOTS", "Mistake", "Place", "Robot", "find_robot", "is_askable", "most_wrong_region"]
