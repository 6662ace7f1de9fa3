"""How a training's numbers change on its way."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from active_matting.errors import InvalidArgumentError

Schedule: TypeAlias = Callable[[float], float]
"""The part of the training that remains, from 1 down to 0 → a number; what Stable-Baselines3 calls a schedule."""


@dataclass(frozen=True)
class Geometric:
    """Exponential decay, or growth, from `first` to `last`.

    >>> Geometric(1e-3, 1e-4)(1.0)
    0.001
    >>> round(Geometric(1e-3, 1e-4)(0.5), 6)
    0.000316
    """

    first: float
    last: float

    def __post_init__(self) -> None:
        if min(self.first, self.last) <= 0:
            raise InvalidArgumentError(f"a schedule must be positive, got {self.first} to {self.last}")

    def __call__(self, progress_remaining: float) -> float:
        """At the moment at which this part of the training remains."""
        return float(self.first * (self.last / self.first) ** (1 - progress_remaining))


def as_schedule(number: float | Schedule) -> Schedule:
    """The schedule itself, or the one of a constant."""
    return number if callable(number) else Geometric(number, number)
