"""Which of many answers lowers the error of the matte most: all of them tried, or only those that may win."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from active_matting.agents.baselines.truth import Truth
from active_matting.labels import RegionAnswer
from active_matting.metrics import mse
from active_matting.types import Label, LabelMap

Answers: TypeAlias = Mapping[int, RegionAnswer]
"""Cells' numbers, rising, and what the user would answer."""

Drops: TypeAlias = NDArray[np.float64]
"""(cells,): by how much each cell's answer lowered the mean squared error when it was last tried; ∞ if it never was."""

TOGETHER = 8
"""Cells that the lazy search tries in one call of the solver."""

REFRESHED_EVERY = 4
"""Queries after which the lazy search tries all cells again."""

_PIXELS = 2**24  # of the mattes that are in memory at once


def unknown_drops(count: int) -> Drops:
    """Of cells that were never tried."""
    return np.full(count, np.inf)


def exhaustive(truth: Truth, answers: Answers) -> int:
    """The cell whose answer makes the error smallest, all being tried; the first among equals."""
    numbers = list(answers)
    at_once = max(1, _PIXELS // truth.alpha.size)
    errors = np.concatenate([_errors(truth, answers, part) for part in _parts(numbers, at_once)])
    return numbers[int(errors.argmin())]


def lazy(truth: Truth, answers: Answers, drops: Drops, patience: int) -> tuple[int, Drops]:
    """A cell whose answer makes the error small, without trying them all; and the drops as they are then known.

    Minoux's accelerated greedy search (1978) tries the cells in the order of the drops they brought when last tried,
    which are upper bounds of the drops they bring now, and stops when the best found is above the next bound. That is
    exact where drops only ever diminish, as more is said. Those of mattes do not: sampling and segmentation turn over
    with one more label. So this is a heuristic, in three ways more careful. Cells are tried in the order of the last
    drop, as a part of the largest, plus the error that is left in the cell itself, likewise: so much an answer removes
    where it is given, whatever it does elsewhere. And the search goes on until `patience` cells in a row, in steps of
    `TOGETHER`, brought nothing better. Cells that were never tried come before all, and all of them are tried. What
    was tried while a class was untold says nothing about what comes after and is forgotten. And every
    `REFRESHED_EVERY` queries all drops are: without that, cells that once did harm are never looked at again, and
    on one of five pictures the error ended twice as high.
    """
    if len(truth.session.interactions) % REFRESHED_EVERY == 0:
        drops = unknown_drops(len(drops))
    numbers = np.array(list(answers))
    left = (truth.session.alpha - truth.alpha).astype(np.float64) ** 2
    own = np.array([left[answers[number].region.slices].mean() for number in numbers])
    ranks = _part_of_largest(drops[numbers]) + _part_of_largest(own)
    order = numbers[np.argsort(-ranks, kind="stable")]
    before, drops, classes = left.mean(), drops.copy(), _classes(truth.session.label_map)
    best, smallest, in_vain = -1, np.inf, 0
    for part in _parts(order.tolist(), TOGETHER):
        if in_vain >= patience and not np.isinf(drops[part]).any():
            break
        is_new = np.isinf(drops[part]).any()
        errors = _errors(truth, answers, part)
        drops[part] = before - errors
        in_vain = 0 if is_new else in_vain + len(part)
        for number, error in zip(part, errors, strict=True):
            if error < smallest or (error == smallest and number < best):
                in_vain = in_vain if error == smallest else 0
                best, smallest = number, error
    return best, _without_early(drops, answers, classes)


def _errors(truth: Truth, answers: Answers, numbers: Sequence[int]) -> NDArray[np.float64]:
    """The mean squared error, (N,), that each of N answers would leave."""
    alphas = truth.session.preview([answers[number] for number in numbers])
    return np.array([mse(alpha, truth.alpha) for alpha in alphas])


def _parts(numbers: Sequence[int], at_once: int) -> Iterator[list[int]]:
    for first in range(0, len(numbers), at_once):
        yield list(numbers[first : first + at_once])


def _part_of_largest(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divided by the largest finite one, if that is positive; ∞ stays."""
    largest = values[np.isfinite(values)].max(initial=0)
    return values / largest if largest > 0 else values


def _classes(label_map: LabelMap) -> set[Label]:
    return {label for label in (Label.FOREGROUND, Label.BACKGROUND) if (label_map == label).any()}


def _without_early(drops: Drops, answers: Answers, classes: set[Label]) -> Drops:
    """Forget what was tried where the answer left a class untold."""
    if len(classes) == 2:
        return drops
    for number, answer in answers.items():
        if len(classes | {answer.label}) < 2:
            drops[number] = np.inf
    return drops
