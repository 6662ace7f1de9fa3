"""Planes of numbers over the image, and computing several at once."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import thread_count
from active_matting.types import Image

Planes: TypeAlias = NDArray[np.float32]
"""Several numbers for each pixel: (h, w, c) or (c, h, w)."""


Job: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function and its arguments."""


def lab_of(image: Image) -> Planes:
    """CIE Lab divided by 100, float32 (h, w, 3): lightness in [0, 1], then both opponents."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2LAB) / np.float32(100), dtype=np.float32)


def blurred(planes: Planes, sigma: float) -> Planes:
    """Each channel of (h, w) or (h, w, c) averaged under a Gaussian of `sigma` pixels."""
    return np.asarray(cv2.GaussianBlur(planes, (0, 0), sigma), dtype=np.float32).reshape(planes.shape)


def local_deviation(planes: Planes, sigma: float) -> Planes:
    """Standard deviation of each channel of (h, w, c) under a Gaussian of `sigma` pixels."""
    mean = blurred(planes, sigma)
    return np.sqrt(np.maximum(blurred(planes * planes, sigma) - mean * mean, 0))


def log_ratio(numerator: Planes, denominator: Planes, little: float) -> Planes:
    """log((numerator + little) / (denominator + little)), of what is not negative."""
    return np.asarray(np.log((numerator + np.float32(little)) / (denominator + np.float32(little))), dtype=np.float32)


def in_threads(jobs: Sequence[Job]) -> list[Any]:
    """What each function gives for its arguments, in order, on numba's number of threads."""
    threads = thread_count()
    if threads == 1:
        return [function(*arguments) for function, arguments in jobs]
    with ThreadPoolExecutor(threads) as pool:
        return [future.result() for future in [pool.submit(function, *arguments) for function, arguments in jobs]]
