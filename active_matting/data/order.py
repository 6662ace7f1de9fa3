"""Which sample of a source comes next, and what happens where it cannot be read."""

import logging
import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np

from active_matting.data.samples import DataSource, Sample
from active_matting.errors import FileError, InvalidArgumentError, UnknownNameError

Unreadable: TypeAlias = Literal["raise", "skip"]
"""What is done about a sample that cannot be read."""

DrawPass: TypeAlias = Callable[[int, np.random.Generator], Sequence[int]]
"""Indices out of `range(count)`, among them each index sooner or later: what an order returns before drawing more."""

_log = logging.getLogger(__name__)
_brief = reprlib.Repr()
_brief.maxother = _brief.maxstring = 200


class Order:
    """An endless sequence of indices below `count`, pass after pass, each drawn by `draw_pass` when it begins.

    Samples that cannot be read are drawn like all others and left out as they come up. So with the same generator the
    sequence of readable samples is the same whether the unreadable ones were known before or are met on the way, and
    samples keep their places when others break.

    >>> order, rng = make_order("in-turn", 3), np.random.default_rng(0)
    >>> order.pass_over(1)
    >>> [order.next(rng) for _ in range(5)]
    [0, 2, 0, 2, 0]
    """

    def __init__(self, count: int, draw_pass: DrawPass) -> None:
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
            raise InvalidArgumentError(f"count must be a whole number of samples, at least 1, got {count!r}")
        self.count = int(count)
        self._draw_pass = draw_pass
        self._pass: Iterator[int] = iter(())
        self._unreadable: set[int] = set()

    def next(self, rng: np.random.Generator) -> int:
        """The next index. Raises `FileError` where every sample was passed over."""
        self._check_some_are_left()
        while True:
            for index in self._pass:
                if index not in self._unreadable:
                    return index
            self._pass = iter(self._draw_pass(self.count, rng))

    def restart(self) -> None:
        """Forget the place in the pass, as where a generator is seeded anew; what was passed over is remembered."""
        self._pass = iter(())

    def pass_over(self, index: int) -> None:
        """Never return this index again. Raises `InvalidArgumentError`, and `FileError` where none is left."""
        if not 0 <= index < self.count:
            raise InvalidArgumentError(f"index must be from 0 to {self.count - 1}, got {index}")
        self._unreadable.add(int(index))
        self._check_some_are_left()

    def _check_some_are_left(self) -> None:
        if len(self._unreadable) == self.count:
            raise FileError(f"none of the {self.count} samples can be read")


def _one_of_all(count: int, rng: np.random.Generator) -> Sequence[int]:
    return [int(rng.integers(count))]


def _shuffled(count: int, rng: np.random.Generator) -> Sequence[int]:
    return [int(index) for index in rng.permutation(count)]


def _in_turn(count: int, rng: np.random.Generator) -> Sequence[int]:
    return range(count)


ORDERS: Mapping[str, DrawPass] = {"random": _one_of_all, "epoch": _shuffled, "in-turn": _in_turn}
"""random: each is drawn from all; epoch: all once, shuffled anew, before any comes again; in-turn: 0, 1, 2, … ."""


def make_order(name: str, count: int) -> Order:
    """The order called `name` of `count` samples. Raises `UnknownNameError`, `InvalidArgumentError`."""
    if name not in ORDERS:
        raise UnknownNameError(f"unknown order {name!r}; choose from {list(ORDERS)}")
    return Order(count, ORDERS[name])


def check_unreadable(unreadable: str) -> Unreadable:
    """Return `unreadable`. Raises `InvalidArgumentError` unless it is "raise" or "skip"."""
    for known in get_args(Unreadable):
        if unreadable == known:
            return known  # type: ignore[no-any-return]
    raise InvalidArgumentError(f"unreadable must be one of {list(get_args(Unreadable))}, got {unreadable!r}")


def read_sample(source: DataSource, index: int) -> Sample:
    """The sample, read. Raises `FileError` naming index, source and file where it cannot be read; `IndexError`."""
    try:
        return source[index]
    except OSError as error:  # `FileError` is one
        raise FileError(f"sample {index} of {_brief.repr(source)} cannot be read: {error}") from error


def draw_sample(
    source: DataSource, order: Order, rng: np.random.Generator, unreadable: str = "raise"
) -> tuple[int, Sample]:
    """The next index and its sample.

    unreadable: where a sample cannot be read, "raise" the `FileError` of `read_sample`; or log it as a warning, never
    to try that sample again, and "skip" to the next. Raises `FileError` too where none is left, `InvalidArgumentError`.
    """
    skips = check_unreadable(unreadable) == "skip"
    while True:
        index = order.next(rng)
        try:
            return index, read_sample(source, index)
        except FileError as error:
            if not skips:
                raise
            _log.warning("%s; it is left out", error)
            order.pass_over(index)
