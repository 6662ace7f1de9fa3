"""Shared sampling: neighbouring pixels share the few foreground and background colours found along rays."""

import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import thread_count
from active_matting.errors import InvalidArgumentError
from active_matting.solvers.base import Matte, PreparedClassical
from active_matting.solvers.sampling.blocks import cover, unknown_bits
from active_matting.solvers.sampling.changes import Changed
from active_matting.solvers.sampling.expansion import Likeness, expand, likeness
from active_matting.solvers.sampling.gathering import gather, offer_arrays
from active_matting.solvers.sampling.rays import Met, StructureTensor, cast_rays
from active_matting.solvers.sampling.refinement import refine
from active_matting.solvers.sampling.rows import (
    Frame,
    Plane,
    Planes,
    Workers,
    chessboard_offsets,
    nearest_offsets,
)
from active_matting.solvers.sampling.smoothing import TERMS, smooth, window_radius
from active_matting.types import Image, LabelMap, check_image

_WORTH_THREADS = 150 * 150  # pixels; starting threads costs more than they save on smaller images


@dataclass(frozen=True)
class Shared:
    """Pixels gather colour pairs along rays, and share them with their neighbours (Gastal & Oliveira 2010).

    "Shared Sampling for Real-Time Alpha Matting", Computer Graphics Forum 29(2), section 3; in brackets the
    paper's letters. Four stages: labels grow into pixels of nearly the same colour; each unknown pixel looks
    along a few rays for foreground and background samples and keeps its best pair; it then averages the best
    three pairs among its neighbours' and its own; last, colours and alpha are smoothed by confidence.

    Where few regions are labelled, most rays meet only one of foreground and background, or neither. The paper
    does not say what then: here the mean of all labelled colours of that kind stands in, which is steadier than
    one pixel's. Smoothing takes the sums that no difference of alphas weighs over a square rather than a disc.

    >>> image = np.zeros((8, 11, 3), dtype=np.float32)
    >>> image[:] = np.linspace(0, 1, 11, dtype=np.float32)[:, None]
    >>> label_map = np.zeros((8, 11), dtype=np.int8)
    >>> label_map[:, 0], label_map[:, 10] = -1, 1
    >>> alpha = Shared().prepare(image).solve(label_map).alpha
    >>> [round(float(a), 1) for a in alpha[4]]
    [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    """

    expansion_radius: int = 10
    """Labels grow at most this far, in pixels [k_i]; 0 switches the stage off."""
    expansion_threshold: float = 5 / 256
    """Labels grow into colours at most this far away, Euclidean, RGB in [0, 1] [k_c]."""
    rays: int = 4
    """Rays of each pixel [k_g], evenly spread; each gives at most one sample of either kind."""
    tile: int = 4
    """The `tile`² pixels of a tile turn their rays by different angles."""
    refinement_neighbours: int = 100
    """How many near pixels, itself included, offer their pair to a pixel [k_r = 200]; at most 256. They lie
    like one colour of a chessboard, which reaches as far as twice as many would."""
    variance_factor: float = 0.125
    """A pixel keeps its own colour as foreground if that is within this multiple of the variance around the
    samples, likewise as background [1]. On photographs of 400×400 pixels less is better than the paper's 1."""
    smoothing_neighbours: int = 50
    """How many nearest pixels, itself included, colours are smoothed over [m = 100]; alpha and confidence over
    the square, of odd side, of about as many."""
    confidence_decay: float = 10
    """Confidence is exp(-decay · colour distance) [λ]."""

    def __post_init__(self) -> None:
        for name in ("rays", "tile", "refinement_neighbours", "smoothing_neighbours"):
            if getattr(self, name) < 1:
                raise InvalidArgumentError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.refinement_neighbours > 256:
            raise InvalidArgumentError(f"refinement_neighbours must be at most 256, got {self.refinement_neighbours}")

    def prepare(self, image: Image) -> "PreparedShared":
        """Do what depends on the image alone: planes, gradients, the local variance of colour."""
        return PreparedShared(self, _Planes.of(self, check_image(image)))


@dataclass(frozen=True)
class _Planes:
    """An image as the stages want it."""

    frame: Frame
    image: Image
    colour: Planes
    """In the frame."""
    alike: Likeness
    tensor: StructureTensor
    samples: NDArray[np.float32]
    """(h * w, 6): colour, variance, y, x."""

    @classmethod
    def of(cls, parameters: Shared, image: Image) -> "_Planes":
        h, w = image.shape[:2]
        frame = Frame(h, w, _margin(parameters))
        y, x = np.indices((h, w), dtype=np.float32)
        variance = np.float32(parameters.variance_factor) * _colour_variance(image)
        samples = np.dstack([image, variance, y, x]).reshape(h * w, 6)
        colour = frame.pad(image.transpose(2, 0, 1))
        with Workers(_threads(h, w)) as workers:
            alike = likeness(frame, colour, parameters.expansion_radius, parameters.expansion_threshold, workers)
        return cls(frame, image.copy(), colour, alike, _structure_tensor(image), samples)


def _threads(h: int, w: int) -> int:
    """For one image."""
    return thread_count() if h * w >= _WORTH_THREADS else 1


def _margin(parameters: Shared) -> int:
    """As far as any stage looks."""
    offsets = (
        chessboard_offsets(parameters.refinement_neighbours),
        nearest_offsets(parameters.smoothing_neighbours),
    )
    reach = max(int(np.abs(o).max()) for o in offsets)
    return max(reach, parameters.expansion_radius, window_radius(parameters.smoothing_neighbours), 1)


class _Workspace:
    """The arrays in which one solve works, kept for the next: fresh memory costs as much as the arithmetic.

    What rays met and the pairs chosen from that also help the next solve of the same image, most of whose labels are
    as a rule those of the last. Arrays are the process's, not an image's: hundreds of prepared images would else hold
    as many.
    """

    _idle: ClassVar[deque["_Workspace"]] = deque(maxlen=8)  # the oldest goes when a ninth comes

    @classmethod
    def take(cls, planes: "_Planes", parameters: Shared) -> "_Workspace":
        """The idle one that last worked on this image, else the oldest of this size, or a new one."""
        for is_any_image_right in (False, True):
            for _ in range(len(cls._idle)):
                with suppress(IndexError):  # another thread has taken the last
                    workspace = cls._idle.popleft()
                    is_of_image = is_any_image_right or workspace.last() is planes
                    if is_of_image and workspace.size == (planes.frame, parameters):
                        return workspace
                    cls._idle.append(workspace)
        return cls(planes.frame, parameters)

    def give_back(self) -> None:
        """Leave it to the next solve. To be called only when one has ended well."""
        self._idle.append(self)

    def __init__(self, frame: Frame, parameters: Shared) -> None:
        self.size = frame, parameters
        self.met = Met.of(frame, parameters.rays, parameters.tile)
        self.offers = offer_arrays(frame)
        self.refined = frame.full(8, 0)
        self.terms = frame.full(TERMS, 0)
        self.known: Plane = frame.full(1, 1)[0]  # by which `met` and `offers` are filled
        self.last: Callable[[], _Planes | None] = lambda: None  # the image that they are filled for

    def changed(self, planes: "_Planes", known: Plane) -> Changed:
        """Which labels make `met` other than it is."""
        if self.last() is planes:
            return Changed.between(planes.frame, self.known, known)
        return Changed.all_of(planes.frame)

    def keep(self, planes: "_Planes", known: Plane) -> None:
        """Remember what it is filled by, and for."""
        self.known, self.last = known, weakref.ref(planes)


class PreparedShared:
    """`Shared` for one image; see `PreparedSolver`."""

    def __init__(self, parameters: Shared, planes: _Planes) -> None:
        self._parameters, self._planes = parameters, planes

    def __reduce__(self) -> tuple[type["PreparedShared"], tuple[Shared, _Planes]]:
        return PreparedShared, (self._parameters, self._planes)

    @property
    def shape(self) -> tuple[int, int]:
        """The image's `(H, W)`."""
        return self._planes.frame.h, self._planes.frame.w

    def solve(self, label_map: LabelMap, previous: Matte | None = None) -> Matte:
        """See `PreparedSolver.solve`. Raises `InvalidArrayError` for labels of another shape or value.

        Labels like those of this image's last solve take less time, and give the matte they would give anyway.
        """
        return self._solve_with(_threads(*self.shape), label_map)

    def solve_many(self, label_maps: NDArray[np.int8]) -> NDArray[np.float32]:
        """See `PreparedSolver.solve_many`: threads take whole label maps rather than rows of one."""
        if len(label_maps) == 1:
            return self.solve(label_maps[0]).alpha[None]
        alphas = np.empty((len(label_maps), *self.shape), dtype=np.float32)

        def solve(i: int) -> None:
            alphas[i] = self._solve_with(1, label_maps[i]).alpha

        with ThreadPoolExecutor(thread_count()) as pool:
            for _ in pool.map(solve, range(len(label_maps))):
                pass
        return alphas

    def _solve_with(self, threads: int, label_map: LabelMap) -> Matte:
        workspace = _Workspace.take(self._planes, self._parameters)
        method = partial(_solve, self._parameters, self._planes, workspace, threads)
        matte = PreparedClassical(self.shape, method, keeps_labels=True).solve(label_map)
        workspace.give_back()
        return matte


def _solve(
    parameters: Shared,
    planes: _Planes,
    workspace: _Workspace,
    threads: int,
    label_map: LabelMap,
    previous: Matte | None,
) -> Matte:
    p, frame, image, colour = parameters, planes.frame, planes.image, planes.colour
    met, offers, refined, terms = workspace.met, workspace.offers, workspace.refined, workspace.terms
    with Workers(threads) as workers:
        known = expand(frame, planes.alike, label_map, workers)
        is_unknown = unknown_bits(frame, known)
        blocks = cover(frame, is_unknown)
        cast_rays(frame, planes.tensor, p.tile, known, workspace.changed(planes, known), met, workers)
        gather(frame, colour, planes.samples, (workspace.known, known), met, offers, workers)
        workspace.keep(planes, known)
        refine(frame, colour, blocks, offers, p.refinement_neighbours, p.confidence_decay, refined, workers)
        unknown, sizes = (is_unknown, blocks), (p.smoothing_neighbours, p.confidence_decay)
        return smooth(frame, image, colour, known, unknown, refined, *sizes, terms, workers)


def _structure_tensor(image: Image) -> StructureTensor:
    # A direction d has ‖∇I · d‖² = dᵀ T d.
    y, x = (np.gradient(image, axis=i) if image.shape[i] > 1 else np.zeros_like(image) for i in (0, 1))
    tensor = np.stack([(y * y).sum(2), (y * x).sum(2), (x * x).sum(2)]).astype(np.float32)
    return tensor, np.ascontiguousarray(tensor[::-1].transpose(0, 2, 1))


def _colour_variance(image: Image) -> NDArray[np.float32]:
    """Mean of ‖C_q - C_s‖² over the 5×5 pixels q around each pixel s, (H, W) [σ²]."""
    colour = image.astype(np.float64)  # the difference of squares below cancels
    mean, square = (cv2.blur(a, (5, 5), borderType=cv2.BORDER_REPLICATE) for a in (colour, colour**2))
    variance = (square - 2 * colour * mean + colour**2).sum(2)
    result: NDArray[np.float32] = np.maximum(variance, 0).astype(np.float32)
    return result
