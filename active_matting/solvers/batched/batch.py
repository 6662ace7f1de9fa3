"""What the torch solvers have in common: many images or label maps at once, on one device.

A method written here is arithmetic on tensors whose first axis is the batch; nothing in it depends on the device.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from active_matting.errors import InvalidArgumentError, InvalidArrayError
from active_matting.solvers.base import Matte, has_both_classes, write_decided
from active_matting.types import Label, LabelMap, check_image, check_label_map

MEMORY = {"cpu": 0.25, "cuda": 8.0}
"""GiB that solving takes unless told otherwise: on a CPU more is slower, on a GPU less."""


class TorchMatte(NamedTuple):
    """`Matte`s of a batch: alpha float32 `(N, H, W)`, colours float32 `(N, H, W, 3)` where the method knows them."""

    alpha: Tensor
    foreground: Tensor | None = None
    background: Tensor | None = None


State: TypeAlias = tuple[Tensor, ...]
"""What is known of the images before any label, the images along each tensor's first axis."""

Method: TypeAlias = Callable[[State, Tensor], TorchMatte]
"""A method's own part: state and labels, int8 `(N, H, W)`, → mattes. A map without unlabelled pixels may be among
the labels, one with a single class and unlabelled pixels never is."""


@dataclass(frozen=True, eq=False)
class PreparedBatch:
    """Images of one size, prepared, that are solved together: one label map each.

    Solving takes `chunk` images at a time, so that memory does not grow with their number.
    """

    shape: tuple[int, int]
    """Every image's `(H, W)`."""
    method: Method
    state: State
    chunk: int

    def __len__(self) -> int:
        return len(self.state[0])

    @property
    def device(self) -> torch.device:
        """Where the images are, and where alphas will be."""
        return self.state[0].device

    def solve(self, label_maps: Tensor | NDArray[Any]) -> Tensor:
        """Alphas, float32 `(N, H, W)` on `device`, for one label map `(N, H, W)` of each image.

        label_maps: integers of `Label`, a NumPy array or a tensor on any device. Maps with one class or none are
        decided as by every classical solver. Raises `InvalidArrayError` and, from some methods, `ConvergenceError`.
        """
        labels = as_labels(label_maps, self.shape, self.device)
        if len(labels) != len(self):
            raise InvalidArrayError(f"there must be one label map for each of {len(self)} images, got {len(labels)}")
        return self.mattes(labels).alpha

    def mattes(self, labels: Tensor) -> TorchMatte:
        """Mattes for checked labels, int8 `(N, H, W)` on `device`; if there is one image, N maps of it."""
        decided = torch.where(has_both_classes(labels)[:, None, None], labels, Label.BACKGROUND)
        parts = []
        for start in range(0, len(labels), self.chunk):
            part = decided[start : start + self.chunk]
            parts.append(self.method(self._state_of(start, len(part)), part))
        alpha, *colours = zip(*parts, strict=True)
        matte = TorchMatte(torch.cat(alpha), *(None if of[0] is None else torch.cat(of) for of in colours))
        write_decided(matte.alpha, labels)
        return matte

    def _state_of(self, start: int, count: int) -> State:
        if len(self) == 1:
            return tuple(tensor.expand(count, *tensor.shape[1:]) for tensor in self.state)
        return tuple(tensor[start : start + count] for tensor in self.state)


@dataclass(frozen=True, eq=False)
class PreparedTorch:
    """A `PreparedSolver` of one image, whose `solve_many` is one batch."""

    batch: PreparedBatch

    @property
    def shape(self) -> tuple[int, int]:
        """See `PreparedSolver.shape`."""
        return self.batch.shape

    def solve(self, label_map: LabelMap, previous: Matte | None = None) -> Matte:
        """See `PreparedSolver.solve`; `previous` is not used."""
        label_map = check_label_map(label_map, self.shape)
        alpha, *colours = self.batch.mattes(as_labels(label_map[None], self.shape, self.batch.device))
        if not has_both_classes(label_map[None])[0]:
            colours = []
        return Matte(_numpy(alpha[0]), *(None if colour is None else _numpy(colour[0]) for colour in colours))

    def solve_many(self, label_maps: NDArray[np.int8]) -> NDArray[np.float32]:
        """See `PreparedSolver.solve_many`."""
        if len(label_maps) == 0:
            return np.empty((0, *self.shape), dtype=np.float32)
        return _numpy(self.batch.mattes(as_labels(label_maps, self.shape, self.batch.device)).alpha)

    @staticmethod
    def solve_together(
        prepared: Sequence["PreparedTorch"], label_maps: Sequence[NDArray[np.int8]]
    ) -> list[NDArray[np.float32]]:
        """Alphas, `(N_i, H, W)`, of label maps, `(N_i, H, W)`, for images of one size and solver, as one batch."""
        counts = [len(maps) for maps in label_maps]
        first, repeats = prepared[0].batch, torch.tensor(counts, device=prepared[0].batch.device)
        states = zip(*(one.batch.state for one in prepared), strict=True)
        state = tuple(torch.cat(each).repeat_interleave(repeats, dim=0) for each in states)
        alphas = _numpy(PreparedBatch(first.shape, first.method, state, first.chunk).solve(np.concatenate(label_maps)))
        return np.split(alphas, np.cumsum(counts)[:-1])


def _numpy(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.cpu().numpy()
    return array


def check_device(name: str) -> torch.device:
    """The device called `name`. Raises `InvalidArgumentError` if there is none.

    >>> check_device("cpu")
    device(type='cpu')
    """
    devices = ["cpu"]
    if torch.cuda.is_available():
        devices += ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if name not in devices:
        raise InvalidArgumentError(f"device must be one of {devices}, got {name!r}")
    return torch.device(name)


def check_memory(memory: float | None) -> None:
    """Raises `InvalidArgumentError` unless `memory`, GiB, is positive or None."""
    if memory is not None and not memory > 0:
        raise InvalidArgumentError(f"memory must be above 0 GiB, got {memory}")


def chunk_of(memory: float | None, bytes_per_image: int, device: torch.device) -> int:
    """How many images fit in `memory` GiB, by default `MEMORY`; at least one."""
    available = MEMORY[device.type] if memory is None else memory
    return max(1, int(available * 2**30 / bytes_per_image))


def as_images(images: Tensor | NDArray[Any], device: torch.device) -> Tensor:
    """Images `(N, H, W, 3)`, an array or a tensor of floats in [0, 1], as contiguous float32 `(N, 3, H, W)`.

    Raises `InvalidArrayError`.
    """
    if images.ndim != 4 or images.shape[3] != 3 or 0 in images.shape:
        raise InvalidArrayError(f"images must have shape (N, H, W, 3), got {tuple(images.shape)}")
    if isinstance(images, Tensor):
        if not images.is_floating_point():
            raise InvalidArrayError(f"images must hold floats in [0, 1], got dtype {images.dtype}")
        low, high = (float(bound) for bound in torch.aminmax(images.detach()))
        if not (low >= -1e-6 and high <= 1 + 1e-6):  # a NaN fails too
            raise InvalidArrayError(f"images must lie in [0, 1], got values from {low:.4g} to {high:.4g}")
        tensor = images.detach().clamp(0, 1)
    else:
        n, h, w = images.shape[:3]
        tensor = torch.tensor(check_image(images.reshape(n * h, w, 3)).reshape(n, h, w, 3))
    return tensor.to(device, torch.float32).permute(0, 3, 1, 2).clone(memory_format=torch.contiguous_format)


def as_labels(label_maps: Tensor | NDArray[Any], shape: tuple[int, int], device: torch.device) -> Tensor:
    """Label maps `(N, H, W)`, an array or a tensor of integers, as int8 on `device`. Raises `InvalidArrayError`."""
    label_maps = label_maps if isinstance(label_maps, Tensor) else np.asarray(label_maps)
    if label_maps.ndim != 3 or tuple(label_maps.shape[1:]) != shape or len(label_maps) == 0:
        raise InvalidArrayError(
            f"label maps must have shape (N, {shape[0]}, {shape[1]}), got {tuple(label_maps.shape)}"
        )
    if isinstance(label_maps, Tensor):
        if label_maps.is_floating_point() or label_maps.is_complex() or label_maps.dtype == torch.bool:
            raise InvalidArrayError(f"label maps must hold integers, got dtype {label_maps.dtype}")
        low, high = torch.aminmax(label_maps)
        if low < Label.BACKGROUND or high > Label.TRANSITION:
            raise InvalidArrayError(
                f"label maps must hold -1 background, 0 unlabelled, 1 foreground or 2 transition, "
                f"got values from {int(low)} to {int(high)}"
            )
        return label_maps.to(device, torch.int8)
    n, h, w = label_maps.shape
    return torch.tensor(check_label_map(label_maps.reshape(n * h, w))).reshape(n, h, w).to(device)
