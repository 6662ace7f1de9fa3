"""Checks of plain numbers where they enter the package; arrays have theirs in `active_matting.types`."""

import math
from typing import Any

import numpy as np

from active_matting.errors import InvalidArgumentError


def check_integer(name: str, value: Any, at_least: int, at_most: int | None = None) -> None:
    """Raise `InvalidArgumentError`, naming it, unless `value` is an integer of at least, and at most, so much.

    >>> check_integer("seed", -1, at_least=0)
    Traceback (most recent call last):
    ...
    active_matting.errors.InvalidArgumentError: seed must be an integer of at least 0, got -1
    """
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_integer or value < at_least or (at_most is not None and value > at_most):
        allowed = f"of at least {at_least}" if at_most is None else f"from {at_least} to {at_most}"
        raise InvalidArgumentError(f"{name} must be an integer {allowed}, got {value!r}")


def check_number(name: str, number: float, at_most: float = math.inf) -> float:
    """Return `number`. Raises `InvalidArgumentError`, naming it, unless it is finite and from 0 to `at_most`."""
    is_number = isinstance(number, int | float | np.number) and not isinstance(number, bool)
    if not is_number or not (0 <= number <= at_most and number < math.inf):  # a NaN fails too
        allowed = "finite and at least 0" if at_most == math.inf else f"from 0 to {at_most:g}"
        raise InvalidArgumentError(f"{name} must be a number {allowed}, got {number!r}")
    return float(number)
