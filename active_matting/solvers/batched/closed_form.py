"""Closed-form matting of many images or label maps at once, solved directly."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from active_matting.errors import ConvergenceError, InvalidArgumentError
from active_matting.solvers.batched.batch import (
    PreparedBatch,
    PreparedTorch,
    State,
    TorchMatte,
    as_images,
    check_device,
    check_memory,
    chunk_of,
)
from active_matting.solvers.batched.dissection import dissect
from active_matting.types import Image, Label, check_image

SHIFTS = (1e-12, 1e-10, 1e-8)
"""By how much of itself the diagonal is raised, one after the other, where rounding left a pivot not positive."""


@dataclass(frozen=True)
class ClosedFormTorch:
    """Alpha is locally affine in colour (Levin, Lischinski and Weiss 2008, eq. 12), solved directly, in batches.

    The equations of `ClosedForm`: the sparse system, in float64, is factored by nested dissection. Known pixels stay
    in it as rows of the identity, so that its structure, and the work, is the same for all label maps. An image that
    is smaller than a window has alpha 0.5 where nothing is told. Solving raises `ConvergenceError` if rounding makes
    a system indefinite beyond repair.

    >>> import numpy as np
    >>> images = np.random.default_rng(0).random((3, 8, 11, 3))
    >>> label_maps = np.zeros((3, 8, 11), dtype=np.int8)
    >>> label_maps[:, 0], label_maps[:, -1] = 1, -1
    >>> ClosedFormTorch().prepare_batch(images).solve(label_maps).shape
    torch.Size([3, 8, 11])
    """

    radius: int = 1
    """Windows are (2 radius + 1)² pixels."""
    epsilon: float = 1e-7
    """Larger is smoother."""
    device: str = "cpu"
    """What it runs on: "cpu", "cuda" or "cuda:0", ... ."""
    memory: float | None = None
    """GiB that solving may take; what takes more is done in several parts. None: 1/4 on a CPU, 8 on a GPU."""

    def __post_init__(self) -> None:
        if self.radius < 1:
            raise InvalidArgumentError(f"radius must be at least 1, got {self.radius}")
        if not self.epsilon >= 0:
            raise InvalidArgumentError(f"epsilon must not be negative, got {self.epsilon}")
        check_device(self.device)
        check_memory(self.memory)

    def prepare(self, image: Image) -> PreparedTorch:
        """See `Solver.prepare`."""
        return PreparedTorch(self.prepare_batch(check_image(image)[None]))

    def prepare_batch(self, images: Tensor | NDArray[Any]) -> PreparedBatch:
        """Prepare images `(N, H, W, 3)`, floats in [0, 1], a NumPy array or a tensor, to be solved together.

        Raises `InvalidArrayError`.
        """
        device = check_device(self.device)
        colours = as_images(images, device)
        h, w = colours.shape[2:]
        reach = 2 * self.radius
        plan = dissect(h, w, reach, device)
        chunk = chunk_of(self.memory, plan.bytes_per_system + 8 * 4 * (2 * reach + 1) ** 2 * h * w, device)
        stencil = torch.cat([laplacian(part, self.radius, self.epsilon) for part in torch.split(colours, chunk)])
        return PreparedBatch((h, w), partial(_solve, self), (stencil,), chunk)


def laplacian(colours: Tensor, radius: int, epsilon: float) -> Tensor:
    """The matting Laplacian (eq. 12) of images (N, 3, H, W), float64 `(N, k, H, W)`.

    It holds `L[p, p + o]` for the k = (4 radius + 1)² offsets o of two pixels of one window, by dy then dx; 0 where
    `p + o` is out of the image. Only windows wholly inside the image count.
    """
    n, _, h, w = colours.shape
    side, reach = 2 * radius + 1, 2 * radius
    rows, columns = h - reach, w - reach
    stencil = colours.new_zeros(n, (2 * reach + 1) ** 2, h, w, dtype=torch.float64)
    if rows < 1 or columns < 1:
        return stencil
    places = [(i, j) for i in range(side) for j in range(side)]
    windows = torch.stack([colours[:, :, i : i + rows, j : j + columns] for i, j in places], dim=1).double()
    centred = windows - windows.mean(1, keepdim=True)  # (N, side², 3, rows, columns)

    # With Σ + ε/|w| I = C Cᵀ the term (I_i - μ)ᵀ (Σ + ε/|w| I)⁻¹ (I_j - μ) is z_i · z_j for z = C⁻¹ (I - μ).
    z = _whitened(centred, epsilon / side**2)
    for first, (i, j) in enumerate(places):
        terms = -(1 + (z[:, first, None] * z).sum(2)) / side**2  # (N, side², rows, columns)
        terms[:, first] += 1
        for second, (y, x) in enumerate(places):
            offset = (y - i + reach) * (2 * reach + 1) + x - j + reach
            stencil[:, offset, i : i + rows, j : j + columns] += terms[:, second]
    return stencil


def _whitened(centred: Tensor, regularisation: float) -> Tensor:
    # C⁻¹ (I - μ), (N, side², 3, rows, columns), C the Cholesky factor of each window's covariance, by hand.
    r, g, b = centred.unbind(2)

    def covariance(one: Tensor, other: Tensor) -> Tensor:
        return (one * other).mean(1)

    rr = (covariance(r, r) + regularisation).sqrt()
    gr, br = covariance(g, r) / rr, covariance(b, r) / rr
    gg = (covariance(g, g) + regularisation - gr * gr).clamp(min=regularisation).sqrt()
    bg = (covariance(b, g) - br * gr) / gg
    bb = (covariance(b, b) + regularisation - br * br - bg * bg).clamp(min=regularisation).sqrt()
    first = r / rr[:, None]
    second = (g - gr[:, None] * first) / gg[:, None]
    third = (b - br[:, None] * first - bg[:, None] * second) / bb[:, None]
    return torch.stack([first, second, third], dim=2)


def _solve(parameters: ClosedFormTorch, state: State, labels: Tensor) -> TorchMatte:
    (stencil,) = state
    n, h, w = labels.shape
    plan = dissect(h, w, 2 * parameters.radius, labels.device)
    values = system(stencil, labels)
    x, is_solved = plan.solve(values)
    for shift in SHIFTS:
        if bool(is_solved.all()):
            break
        values[:, _diagonal(stencil, h * w)] *= 1 + shift * (~is_solved).double()[:, None]
        again, is_solved_now = plan.solve(values)
        x, is_solved = torch.where(is_solved[:, None], x, again), is_solved | is_solved_now
    else:
        if not bool(is_solved.all()):
            raise ConvergenceError(
                f"the system of an image of {h}×{w} pixels could not be factored even with its diagonal raised by "
                f"{SHIFTS[-1]:g} of itself; raise epsilon"
            )
    return TorchMatte((x + 0.5).clamp(0, 1).view(n, h, w).float())


def _diagonal(stencil: Tensor, size: int) -> slice:
    centre = stencil.shape[1] // 2
    return slice(centre * size, (centre + 1) * size)


def system(stencil: Tensor, labels: Tensor) -> Tensor:
    """Values, as `Dissection` takes them, of `L alpha = 0` with known pixels as rows and columns of the identity.

    What is solved for is x = alpha - 1/2, so that pixels tied to nothing, which are rows of the identity too, are 0.
    stencil: (N, k, H, W); labels: (N, H, W).
    """
    n, k = stencil.shape[:2]
    reach = int(k**0.5) // 2
    told = 0.5 * ((labels == Label.FOREGROUND).double() - (labels == Label.BACKGROUND).double()).flatten(1)[:, None]
    is_solved_for = ((told == 0) & (stencil.flatten(2)[:, k // 2, None] != 0)).double()  # (N, 1, H·W)

    def neighbours(plane: Tensor) -> Tensor:
        return functional.unfold(plane.view(n, 1, *labels.shape[1:]), 2 * reach + 1, padding=reach)  # (N, k, H·W)

    rows = stencil.flatten(2) * is_solved_for
    right = told[:, 0] - (rows * (neighbours(told) + 0.5)).sum(1)
    entries = rows * neighbours(is_solved_for)
    entries[:, k // 2] += 1 - is_solved_for[:, 0]
    constants = entries.new_tensor([0.0, 1.0]).expand(n, 2)
    return torch.cat([entries.flatten(1), constants, right], dim=1)
