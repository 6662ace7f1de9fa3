"""Shared sampling: neighbouring pixels share the few foreground and background colours found along rays."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, TypeAlias

import cv2
import numba
import numpy as np
from numba import njit
from numpy.typing import NDArray

from active_matting.errors import InvalidArgumentError
from active_matting.solvers.base import Matte, PreparedClassical
from active_matting.types import Image, Label, LabelMap, check_image

Planes: TypeAlias = NDArray[np.float32]
"""(n, H, W): one contiguous plane per quantity, so that kernels run along rows."""

Labels: TypeAlias = NDArray[np.float32]
"""(H, W): 1 foreground, -1 background, 0 unknown; floats like all that the kernels compare them with."""

Array: TypeAlias = NDArray[Any]

_BLOCK = 128  # columns a kernel works on at once: its buffers stay in the first-level cache
_CHUNK = 16  # rows a thread takes at once
_TINY = np.float32(1e-6)  # keeps quotients finite and an exact colour fit from hiding all else
_FAR = np.float32(1e9)  # the background "colour" of pixels without a sample pair: never a good fit
_NO_KEY = np.int32(0x7F7FFFFF)  # above every cost that can occur


@dataclass(frozen=True)
class Shared:
    """Pixels gather colour pairs along rays, and share them with their neighbours (Gastal & Oliveira 2010).

    "Shared Sampling for Real-Time Alpha Matting", Computer Graphics Forum 29(2), section 3; in brackets the
    paper's letters. Four stages: labels grow into pixels of nearly the same colour; each unknown pixel looks
    along a few rays for foreground and background samples and keeps its best pair; it then averages the best
    three pairs among its neighbours' and its own; last, colours and alpha are smoothed by confidence.

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
    """How many nearest pixels, itself included, are smoothed over [m = 100]."""
    confidence_decay: float = 10
    """Confidence is exp(-decay · colour distance) [λ]."""

    def __post_init__(self) -> None:
        for name in ("rays", "tile", "refinement_neighbours", "smoothing_neighbours"):
            if getattr(self, name) < 1:
                raise InvalidArgumentError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.refinement_neighbours > 256:
            raise InvalidArgumentError(f"refinement_neighbours must be at most 256, got {self.refinement_neighbours}")

    def prepare(self, image: Image) -> PreparedClassical:
        """Do what depends on the image alone: planes, gradients, the local variance of colour."""
        image = check_image(image).copy()
        h, w = image.shape[:2]
        colour = np.ascontiguousarray(image.transpose(2, 0, 1))  # (3, H, W)
        variance = np.float32(self.variance_factor) * _colour_variance(image)
        return PreparedClassical((h, w), partial(_solve, self, image, colour, _structure_tensor(image), variance))


def _solve(
    parameters: Shared,
    image: Image,
    colour: Planes,
    tensor: Planes,
    variance: NDArray[np.float32],
    label_map: LabelMap,
    previous: Matte | None,
) -> Matte:
    p = parameters
    known = _expand(colour, label_map, p.expansion_radius, p.expansion_threshold)
    hits, energies = _cast_rays(tensor, known, p.rays, p.tile)
    pairs = _gather(image, colour, variance, known, hits, energies)
    refined = _refine(image, colour, known, pairs, p.refinement_neighbours, p.confidence_decay)
    return _smooth(image, known, refined, p.smoothing_neighbours, p.confidence_decay)


# --- Image alone ----------------------------------------------------------------------------------------


def _structure_tensor(image: Image) -> Planes:
    """Σ over channels of I_y², I_y I_x, I_x²: (3, H, W). A direction d has ‖∇I · d‖² = dᵀ T d."""
    y, x = np.gradient(image, axis=(0, 1))
    return np.stack([(y * y).sum(2), (y * x).sum(2), (x * x).sum(2)]).astype(np.float32)


def _colour_variance(image: Image) -> NDArray[np.float32]:
    """Mean of ‖C_q - C_s‖² over the 5×5 pixels q around each pixel s, (H, W) [σ²]."""
    colour = image.astype(np.float64)  # the difference of squares below cancels
    mean, square = (cv2.blur(a, (5, 5), borderType=cv2.BORDER_REPLICATE) for a in (colour, colour**2))
    variance = (square - 2 * colour * mean + colour**2).sum(2)
    result: NDArray[np.float32] = np.maximum(variance, 0).astype(np.float32)
    return result


def _nearest_offsets(count: int) -> NDArray[np.int64]:
    """The `count` pixel offsets `(dy, dx)` nearest to (0, 0), by distance, itself first."""
    reach = int(np.sqrt(count)) + 1
    y, x = (a.ravel() for a in np.mgrid[-reach : reach + 1, -reach : reach + 1])
    order = np.lexsort((x, y, y * y + x * x))[:count]
    return np.stack([y[order], x[order]], axis=1)


def _over_rows(kernel: Callable[..., None], h: int, *arguments: Any) -> None:
    """Call `kernel(first, last, *arguments)` on chunks of rows, on numba's number of threads.

    Plain threads around kernels that release the interpreter's lock, because numba's own threads allow
    neither concurrent callers nor a later fork with every threading layer.
    """
    threads = numba.get_num_threads()
    if threads == 1 or h <= _CHUNK:
        kernel(0, h, *arguments)
        return
    chunks = pairwise([*range(0, h, _CHUNK), h])
    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(kernel, first, last, *arguments) for first, last in chunks]:
            future.result()


@njit(cache=True, nogil=True)
def _block_width(w: int) -> int:
    # Equal blocks of at most _BLOCK columns.
    blocks = (w + _BLOCK - 1) // _BLOCK
    return (w + blocks - 1) // blocks


# --- Expansion of known regions -------------------------------------------------------------------------


def _expand(colour: Planes, label_map: LabelMap, radius: int, threshold: float) -> Labels:
    """Give unknown pixels the label of the nearest labelled one of nearly their colour, (H, W): 1, -1, 0."""
    known = np.where(label_map == Label.TRANSITION, 0, label_map).astype(np.float32)
    if radius < 1:
        return known
    side = 2 * radius + 1
    reach = cv2.dilate((known != 0).astype(np.uint8), np.ones((side, side), dtype=np.uint8))
    offsets = _nearest_offsets(side * side)[1:]
    offsets = offsets[(offsets**2).sum(1) <= radius * radius]
    expanded = known.copy()
    squared = np.float32(threshold * threshold)
    _over_rows(_expand_rows, len(known), colour, known, reach, offsets, squared, expanded)
    return expanded


@njit(cache=True, nogil=True)
def _expand_rows(
    first: int,
    last: int,
    colour: Array,
    known: Array,
    reach: Array,
    offsets: Array,
    squared_threshold: float,
    expanded: Array,
) -> None:
    h, w = known.shape
    width = _block_width(w)
    for y in range(first, last):
        for start in range(0, w, width):
            stop = min(start + width, w)
            if not np.any((known[y, start:stop] == 0) & (reach[y, start:stop] != 0)):
                continue
            for k in range(len(offsets)):
                qy, dx = y + offsets[k, 0], offsets[k, 1]
                low, high = max(start, -dx), min(stop, w - dx)
                if qy < 0 or qy >= h or high <= low:
                    continue
                left, right = low + dx, high + dx
                r, g, b = colour[0, y, low:high], colour[1, y, low:high], colour[2, y, low:high]
                qr, qg, qb = colour[0, qy, left:right], colour[1, qy, left:right], colour[2, qy, left:right]
                offered, label = known[qy, left:right], expanded[y, low:high]

                # The first, and so the nearest, pixel of nearly the same colour decides.
                for x in range(high - low):
                    dr, dg, db = r[x] - qr[x], g[x] - qg[x], b[x] - qb[x]
                    is_like = (dr * dr + dg * dg + db * db <= squared_threshold) & (label[x] == 0)
                    label[x] = offered[x] if is_like else label[x]


# --- Sample gathering -----------------------------------------------------------------------------------


def _cast_rays(tensor: Planes, known: Labels, rays: int, tile: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The first foreground and background pixel on each pixel's rays, and the energy of the way there.

    Returns hits, int32 `(H, W, rays, 2)`, flat pixel indices or -1, and energies, float32, same shape:
    the path integral of ‖∇I · d‖² [E_p]. Index 0 of the last axis is foreground, 1 background.
    """
    h, w = known.shape
    hits = np.empty((h * w, rays, 2), dtype=np.int32)
    energies = np.empty((h * w, rays, 2), dtype=np.float32)
    # Rays that run along x rather than y are rays along y of the transposed image.
    turned_known = np.ascontiguousarray(known.T)
    turned_tensor = np.ascontiguousarray(tensor[::-1].transpose(0, 2, 1))
    directions = rays * tile**2
    _over_rows(_cast_directions, directions, known, tensor, turned_known, turned_tensor, rays, tile, hits, energies)
    return hits.reshape(h, w, rays, 2), energies.reshape(h, w, rays, 2)


@njit(cache=True, nogil=True)
def _cast_directions(
    first: int,
    last: int,
    known: Array,
    tensor: Array,
    turned_known: Array,
    turned_tensor: Array,
    rays: int,
    tile: int,
    hits: Array,
    energies: Array,
) -> None:
    w = known.shape[1]
    phases = tile * tile
    for k in range(first, last):
        ray, phase = k // phases, k % phases
        angle = 2 * np.pi * (ray + (phase + 0.5) / phases) / rays
        dy, dx = np.sin(angle), np.cos(angle)
        ty, tx = phase // tile, phase % tile
        if abs(dy) >= abs(dx):
            _sweep(known, tensor, w, 1, dy, dx, ty, tx, tile, hits[:, ray], energies[:, ray])
        else:
            _sweep(turned_known, turned_tensor, 1, w, dx, dy, tx, ty, tile, hits[:, ray], energies[:, ray])


@njit(cache=True, nogil=True)
def _sweep(
    known: Array,
    tensor: Array,
    y_stride: int,
    x_stride: int,
    dy: float,
    dx: float,
    tile_y: int,
    tile_x: int,
    tile: int,
    hits: Array,
    energies: Array,
) -> None:
    h, w = known.shape

    # Parallel lines x = line + round(y dx / dy) cover every pixel once; ‖∇I · d‖² is integrated along them.
    slope = dx / dy
    lowest = min(0, int(np.floor((h - 1) * slope + 0.5)))
    highest = max(0, int(np.floor((h - 1) * slope + 0.5)))
    step = abs(1 / dy)
    yy, yx, xx = np.float32(step * dy * dy), np.float32(2 * step * dy * dx), np.float32(step * dx * dx)

    # What each line met last, coming from where its rays point to.
    lines = w + highest - lowest
    f_hit, b_hit = np.full(lines, -1, dtype=np.int32), np.full(lines, -1, dtype=np.int32)
    f_energy, b_energy = np.zeros(lines, dtype=np.float32), np.zeros(lines, dtype=np.float32)

    for k in range(h):
        y = h - 1 - k if dy > 0 else k
        start = highest - int(np.floor(y * slope + 0.5))
        f_hits, b_hits = f_hit[start : start + w], b_hit[start : start + w]
        f_energies, b_energies = f_energy[start : start + w], b_energy[start : start + w]
        labels, t_yy, t_yx, t_xx = known[y], tensor[0, y], tensor[1, y], tensor[2, y]

        # The pixel's own energy is added, and all starts anew at a labelled pixel.
        for x in range(w):
            energy = yy * t_yy[x] + yx * t_yx[x] + xx * t_xx[x]
            here = np.int32(y * y_stride + x * x_stride)
            is_f, is_b = labels[x] == 1, labels[x] == -1
            f_hits[x] = here if is_f else f_hits[x]
            b_hits[x] = here if is_b else b_hits[x]
            f_energies[x] = np.float32(0) if is_f else f_energies[x] + energy
            b_energies[x] = np.float32(0) if is_b else b_energies[x] + energy

        # Only the pixels with this place in their tile look in this direction.
        if y % tile == tile_y:
            for x in range(tile_x, w, tile):
                if labels[x] == 0:
                    pixel = y * y_stride + x * x_stride
                    hits[pixel, 0], hits[pixel, 1] = f_hits[x], b_hits[x]
                    energies[pixel, 0], energies[pixel, 1] = f_energies[x], b_energies[x]


def _nearest_known(is_known: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The flat index of the labelled pixel nearest to each pixel, int32 (H, W)."""
    unknown = (~is_known).astype(np.uint8)
    _, site = cv2.distanceTransformWithLabels(unknown, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    index = np.zeros(int(site.max()) + 1, dtype=np.int32)
    index[site[is_known]] = np.flatnonzero(is_known)
    nearest: NDArray[np.int32] = index[site]
    return nearest


def _gather(
    image: Image,
    colour: Planes,
    variance: NDArray[np.float32],
    known: Labels,
    hits: NDArray[np.int32],
    energies: NDArray[np.float32],
) -> NDArray[np.float32]:
    """The best pair of samples of each unknown pixel: foreground, background, both variances, (H, W, 8).

    A pixel none of whose rays met a foreground sample takes the nearest one, likewise for the background.
    """
    h, w = known.shape
    padded = np.pad(colour, ((0, 0), (1, 1), (1, 1)), mode="edge")
    nearest = np.stack([_nearest_known(known == 1), _nearest_known(known == -1)])  # (2, H, W)
    samples = np.concatenate([image, variance[..., None]], axis=2).reshape(h * w, 4)
    pairs = np.zeros((h, w, 8), dtype=np.float32)
    _over_rows(_gather_rows, h, padded, samples, known, hits, energies, nearest, pairs)
    return pairs


@njit(cache=True, nogil=True)
def _gather_rows(
    first: int,
    last: int,
    padded: Array,
    samples: Array,
    known: Array,
    hits: Array,
    energies: Array,
    nearest: Array,
    pairs: Array,
) -> None:
    w = known.shape[1]
    width = _block_width(w)
    rays = hits.shape[2]
    index = np.empty((2, rays, _BLOCK), dtype=np.int64)
    distance = np.empty((2, rays, _BLOCK), dtype=np.float32)
    sample = np.zeros((2, rays, 3, _BLOCK), dtype=np.float32)
    probability = np.empty(_BLOCK, dtype=np.float32)
    best = np.empty(_BLOCK, dtype=np.float32)
    chosen = np.empty(_BLOCK, dtype=np.int32)
    scratch = np.empty((5, _BLOCK), dtype=np.float32)
    for y in range(first, last):
        for start in range(0, w, width):
            n = min(width, w - start)
            labels = known[y, start : start + n]
            if np.all(labels != 0):
                continue
            slots = _load_samples(
                y, start, labels, samples, hits, energies, nearest, index, distance, sample, probability
            )
            best[:] = np.inf
            chosen[:] = 0
            for i in range(slots[0]):
                for j in range(slots[1]):
                    _cost_of_pair(padded, y, start, n, sample[0, i], sample[1, j], probability, scratch)
                    cost, f_distance, b_distance = scratch[0], distance[0, i], distance[1, j]
                    for x in range(n):
                        d2 = b_distance[x] * b_distance[x]
                        g = cost[x] * f_distance[x] * (d2 * d2)
                        is_better = g < best[x]
                        best[x] = g if is_better else best[x]
                        chosen[x] = np.int32(i * rays + j) if is_better else chosen[x]
            for x in range(n):
                if labels[x] == 0:
                    f = index[0, chosen[x] // rays, x]
                    b = index[1, chosen[x] % rays, x]
                    pair = pairs[y, start + x]
                    pair[:3], pair[3:6] = samples[f, :3], samples[b, :3]
                    pair[6], pair[7] = samples[f, 3], samples[b, 3]


@njit(cache=True, nogil=True)
def _load_samples(
    y: int,
    start: int,
    labels: Array,
    samples: Array,
    hits: Array,
    energies: Array,
    nearest: Array,
    index: Array,
    distance: Array,
    sample: Array,
    probability: Array,
) -> Array:
    # The rays' samples are packed: slot 0 is always filled, empty slots are infinitely far.
    w = nearest.shape[2]
    most = np.ones(2, dtype=np.int64)
    distance[:] = np.inf
    least = np.empty(2, dtype=np.float32)
    for x in range(len(labels)):
        if labels[x] != 0:
            continue
        column = start + x
        for kind in range(2):
            count = 0
            least[kind] = np.inf
            for ray in range(hits.shape[2]):
                hit = hits[y, column, ray, kind]
                if hit >= 0:
                    index[kind, count, x] = hit
                    least[kind] = min(least[kind], energies[y, column, ray, kind])
                    count += 1
            if count == 0:
                index[kind, 0, x] = nearest[kind, y, column]
                count = 1
            for slot in range(count):
                q = index[kind, slot, x]
                qy, qx = q // w - y, q % w - column
                distance[kind, slot, x] = np.sqrt(np.float32(qy * qy + qx * qx))
                for c in range(3):
                    sample[kind, slot, c, x] = samples[q, c]
            most[kind] = max(most[kind], count)

        # PF_p = E_b / (E_f + E_b): the label that costs less to reach is likelier; 1/2 where a side is unseen.
        if np.isinf(least[0]) or np.isinf(least[1]):
            probability[x] = 0.5
        else:
            probability[x] = (least[1] + _TINY) / (least[0] + least[1] + 2 * _TINY)
    return most


@njit(cache=True, nogil=True)
def _cost_of_pair(
    padded: Array, y: int, start: int, n: int, foreground: Array, background: Array, probability: Array, scratch: Array
) -> None:
    fit, dr, dg, db, inverse = scratch[0], scratch[1], scratch[2], scratch[3], scratch[4]
    br, bg, bb = background[0], background[1], background[2]
    fit[:n] = 0
    for x in range(n):
        dr[x], dg[x] = foreground[0, x] - br[x], foreground[1, x] - bg[x]
        db[x] = foreground[2, x] - bb[x]
        inverse[x] = 1 / (dr[x] * dr[x] + dg[x] * dg[x] + db[x] * db[x] + _TINY)

    # N_p = Σ over the 3×3 pixels q around p of M_q(F, B)², M_q = ‖C_q - (α̂ F + (1 - α̂) B)‖.
    for k in range(9):
        top, left = y + k // 3, start + k % 3
        r, g, b = padded[0, top, left:], padded[1, top, left:], padded[2, top, left:]
        for x in range(n):
            cr, cg, cb = r[x] - br[x], g[x] - bg[x], b[x] - bb[x]
            alpha = (cr * dr[x] + cg * dg[x] + cb * db[x]) * inverse[x]
            alpha = min(max(alpha, np.float32(0)), np.float32(1))
            cr, cg, cb = cr - alpha * dr[x], cg - alpha * dg[x], cb - alpha * db[x]
            fit[x] += cr * cr + cg * cg + cb * cb

    # N_p³ A_p², A_p = PF_p + (1 - 2 PF_p) α̂_p: alpha should agree with the likelier label.
    r, g, b = padded[0, y + 1, start + 1 :], padded[1, y + 1, start + 1 :], padded[2, y + 1, start + 1 :]
    for x in range(n):
        alpha = ((r[x] - br[x]) * dr[x] + (g[x] - bg[x]) * dg[x] + (b[x] - bb[x]) * db[x]) * inverse[x]
        alpha = min(max(alpha, np.float32(0)), np.float32(1))
        likely = probability[x]
        a = likely + (1 - 2 * likely) * alpha + _TINY
        m = fit[x] + _TINY
        fit[x] = m * m * m * (a * a)


# --- Sample refinement ----------------------------------------------------------------------------------


def _refine(
    image: Image, colour: Planes, known: Labels, pairs: NDArray[np.float32], neighbours: int, decay: float
) -> NDArray[np.float32]:
    """Foreground, background, alpha and confidence from the neighbours' best three pairs, (H, W, 8)."""
    h, w = known.shape
    refined = np.empty((h, w, 8), dtype=np.float32)
    lines = np.empty((7, h, w), dtype=np.float32)
    offsets = _nearest_offsets(3 * neighbours)
    offsets = offsets[offsets.sum(1) % 2 == 0][:neighbours]  # one colour of a chessboard
    _over_rows(_line_rows, h, known, pairs, lines)
    _over_rows(_refine_rows, h, image, colour, known, pairs, lines, offsets, np.float32(decay), refined)
    return refined


@njit(cache=True, nogil=True)
def _line_rows(first: int, last: int, known: Array, pairs: Array, lines: Array) -> None:
    # A pair as its background, the way to its foreground, and one over that way's squared length.
    for y in range(first, last):
        for x in range(known.shape[1]):
            pair = pairs[y, x]
            square = _TINY
            for c in range(3):
                way = pair[c] - pair[3 + c]
                square += way * way
                lines[c, y, x] = pair[3 + c] if known[y, x] == 0 else _FAR
                lines[3 + c, y, x] = way
            lines[6, y, x] = 1 / square


@njit(cache=True, nogil=True)
def _refine_rows(
    first: int,
    last: int,
    image: Array,
    colour: Array,
    known: Array,
    pairs: Array,
    lines: Array,
    offsets: Array,
    decay: float,
    refined: Array,
) -> None:
    w = known.shape[1]
    width = _block_width(w)
    buffer = np.empty(_BLOCK, dtype=np.float32)
    keys = np.empty((3, _BLOCK), dtype=np.int32)
    mean = np.empty(8, dtype=np.float32)
    for y in range(first, last):
        for start in range(0, w, width):
            stop = min(start + width, w)
            if not np.all(known[y, start:stop] != 0):
                _best_three(y, start, stop, colour, lines, offsets, buffer, keys)
            for x in range(start, stop):
                if known[y, x] == 0:
                    _average_pairs(y, x, keys[:, x - start], pairs, offsets, mean)
                    _refine_pixel(image[y, x], mean, decay, refined[y, x])
                else:
                    refined[y, x, :3], refined[y, x, 3:6] = image[y, x], image[y, x]
                    refined[y, x, 6], refined[y, x, 7] = max(known[y, x], np.float32(0)), 1


@njit(cache=True, nogil=True)
def _best_three(
    y: int, start: int, stop: int, colour: Array, lines: Array, offsets: Array, buffer: Array, keys: Array
) -> None:
    # A key is the bits of a cost ≥ 0, which order as it does, the last eight replaced by the neighbour's
    # number: sorting integers sorts costs, to 15 bits, and ties go to the nearer neighbour.
    h, w = colour.shape[1:]
    keys[:] = _NO_KEY
    for k in range(len(offsets)):
        qy, dx = y + offsets[k, 0], offsets[k, 1]
        low, high = max(start, -dx), min(stop, w - dx)
        n = high - low
        if qy < 0 or qy >= h or n <= 0:
            continue
        r, g, b = colour[0, y, low:high], colour[1, y, low:high], colour[2, y, low:high]
        left, right = low + dx, high + dx
        br, bg, bb = lines[0, qy, left:right], lines[1, qy, left:right], lines[2, qy, left:right]
        dr, dg, db = lines[3, qy, left:right], lines[4, qy, left:right], lines[5, qy, left:right]
        inverse = lines[6, qy, left:right]

        # M_p² = ‖C - B - α̂ (F - B)‖²
        cost = buffer[:n]
        for x in range(n):
            cr, cg, cb = r[x] - br[x], g[x] - bg[x], b[x] - bb[x]
            alpha = (cr * dr[x] + cg * dg[x] + cb * db[x]) * inverse[x]
            alpha = min(max(alpha, np.float32(0)), np.float32(1))
            cr, cg, cb = cr - alpha * dr[x], cg - alpha * dg[x], cb - alpha * db[x]
            cost[x] = cr * cr + cg * cg + cb * cb

        bits = cost.view(np.int32)
        first, second, third = keys[0, low - start :], keys[1, low - start :], keys[2, low - start :]
        for x in range(n):
            key = (bits[x] & np.int32(-256)) | np.int32(k)
            middle = max(first[x], key)
            first[x] = min(first[x], key)
            worst = max(second[x], middle)
            second[x] = min(second[x], middle)
            third[x] = min(third[x], worst)


@njit(cache=True, nogil=True)
def _average_pairs(y: int, x: int, keys: Array, pairs: Array, offsets: Array, mean: Array) -> None:
    mean[:] = 0
    count = 0
    for key in keys:
        if key < 0x50000000:  # a cost that only pixels without a pair have
            k = key & 255
            qy, qx = y + offsets[k, 0], x + offsets[k, 1]
            for c in range(8):
                mean[c] += pairs[qy, qx, c]
            count += 1
    for c in range(8):
        mean[c] /= np.float32(count)


@njit(cache=True, nogil=True)
def _refine_pixel(colour: Array, mean: Array, decay: float, refined: Array) -> None:
    # Confidence is exp(-λ M_p(F̃, B̃)), and none if both colours become the pixel's own.
    _, distance = _project(colour, mean[:3], mean[3:6])
    f_distance = np.float32(0)
    b_distance = np.float32(0)
    for c in range(3):
        f_distance += (colour[c] - mean[c]) ** 2
        b_distance += (colour[c] - mean[3 + c]) ** 2
    is_f, is_b = f_distance <= mean[6], b_distance <= mean[7]
    refined[7] = np.float32(0) if is_f and is_b else np.exp(-decay * distance)

    # A colour within the sample's variance is the pixel's own.
    for c in range(3):
        refined[c] = colour[c] if is_f else mean[c]
        refined[3 + c] = colour[c] if is_b else mean[3 + c]
    refined[6] = _project(colour, refined[:3], refined[3:6])[0]


@njit(cache=True, nogil=True)
def _project(colour: Array, foreground: Array, background: Array) -> tuple[np.float32, np.float32]:
    # α̂ = (C - B)·(F - B) / ‖F - B‖² in [0, 1], and M = ‖C - (α̂ F + (1 - α̂) B)‖.
    dot, square = np.float32(0), _TINY
    for c in range(3):
        way = foreground[c] - background[c]
        dot += (colour[c] - background[c]) * way
        square += way * way
    alpha = min(max(dot / square, np.float32(0)), np.float32(1))
    rest = np.float32(0)
    for c in range(3):
        rest += (colour[c] - alpha * foreground[c] - (1 - alpha) * background[c]) ** 2
    return alpha, np.sqrt(rest)


# --- Local smoothing ------------------------------------------------------------------------------------


def _smooth(image: Image, known: Labels, refined: NDArray[np.float32], neighbours: int, decay: float) -> Matte:
    """Smooth colours and alpha over the nearest pixels, weighted by confidence."""
    h, w = known.shape
    alpha, foreground, background = (known == 1).astype(np.float32), image.copy(), image.copy()

    # A Gaussian of variance m / 9π makes the m pixels a disc of three standard deviations. Its peak is 1: known
    # pixels then outweigh others in α_low without silencing them.
    offsets = _nearest_offsets(neighbours)
    gauss = np.exp((offsets**2).sum(1) * (-9 * np.pi / (2 * neighbours))).astype(np.float32)
    terms = np.empty((14, h, w), dtype=np.float32)
    _over_rows(_term_rows, h, known, refined, terms)
    _over_rows(
        _smooth_rows, h, image, known, refined, terms, offsets, gauss, np.float32(decay),
        alpha, foreground, background,
    )  # fmt: skip
    return Matte(alpha, foreground, background)


@njit(cache=True, nogil=True)
def _term_rows(first: int, last: int, known: Array, refined: Array, terms: Array) -> None:
    # What the neighbours' sums are made of; see _sum_neighbours.
    for y in range(first, last):
        for x in range(known.shape[1]):
            pixel = refined[y, x]
            alpha, confidence = pixel[6], pixel[7]
            apart = np.float32(0)
            for c in range(3):
                terms[1 + c, y, x] = confidence * alpha * pixel[c]
                terms[5 + c, y, x] = confidence * (1 - alpha) * pixel[3 + c]
                apart += (pixel[c] - pixel[3 + c]) ** 2
            terms[0, y, x], terms[4, y, x] = confidence * alpha, confidence * (1 - alpha)
            terms[8, y, x] = confidence * alpha * (1 - alpha)
            terms[9, y, x] = terms[8, y, x] * np.sqrt(apart)
            is_known = known[y, x] != 0
            terms[10, y, x], terms[11, y, x] = confidence, is_known
            terms[12, y, x], terms[13, y, x] = alpha * is_known, alpha


@njit(cache=True, nogil=True)
def _smooth_rows(
    first: int,
    last: int,
    image: Array,
    known: Array,
    refined: Array,
    terms: Array,
    offsets: Array,
    gauss: Array,
    decay: float,
    alpha: Array,
    foreground: Array,
    background: Array,
) -> None:
    w = known.shape[1]
    width = _block_width(w)
    sums = np.empty((12, _BLOCK), dtype=np.float32)
    for y in range(first, last):
        for start in range(0, w, width):
            stop = min(start + width, w)
            if np.all(known[y, start:stop] != 0):
                continue
            _sum_neighbours(y, start, stop, terms, offsets, gauss, sums)
            for x in range(start, stop):
                if known[y, x] == 0:
                    f, b = foreground[y, x], background[y, x]
                    alpha[y, x] = _smooth_pixel(image[y, x], refined[y, x], sums[:, x - start], decay, f, b)


@njit(cache=True, nogil=True)
def _sum_neighbours(y: int, start: int, stop: int, terms: Array, offsets: Array, gauss: Array, sums: Array) -> None:
    h, w = terms.shape[1:]
    sums[:] = 0
    for k in range(len(offsets)):
        qy, dx = y + offsets[k, 0], offsets[k, 1]
        low, high = max(start, -dx), min(stop, w - dx)
        n = high - low
        if qy < 0 or qy >= h or n <= 0:
            continue
        left, right = low + dx, high + dx
        here, there = terms[13, y, low:high], terms[13, qy, left:right]

        # W_c = G f_q |α_p - α_q|, and G f_p for the pixel itself: Σ W_c α, W_c α F, W_c (1 - α), W_c (1 - α) B.
        for c in range(8):
            total, term = sums[c, low - start :], terms[c, qy, left:right]
            for x in range(n):
                difference = abs(here[x] - there[x]) if k > 0 else np.float32(1)
                total[x] += gauss[k] * difference * term[x]

        # W_FB = f α (1 - α): Σ W_FB and Σ W_FB ‖F - B‖.
        for c in range(8, 10):
            total, term = sums[c, low - start :], terms[c, qy, left:right]
            for x in range(n):
                total[x] += term[x]

        # W_α = G f_q + [q is known]: Σ W_α and Σ W_α α.
        weights, values = sums[10, low - start :], sums[11, low - start :]
        sure, told, one = terms[10, qy, left:right], terms[11, qy, left:right], terms[12, qy, left:right]
        for x in range(n):
            weights[x] += gauss[k] * sure[x] + told[x]
            values[x] += gauss[k] * sure[x] * there[x] + one[x]


@njit(cache=True, nogil=True)
def _smooth_pixel(
    colour: Array, refined: Array, sums: Array, decay: float, foreground: Array, background: Array
) -> np.float32:
    # F = Σ W_c α F / Σ W_c α and likewise B; where nothing has weight the refined colour stays.
    apart = np.float32(0)
    for c in range(3):
        foreground[c] = sums[1 + c] / sums[0] if sums[0] > 0 else refined[c]
        background[c] = sums[5 + c] / sums[4] if sums[4] > 0 else refined[3 + c]
        apart += (foreground[c] - background[c]) ** 2

    # f = min(1, ‖F - B‖ / D_FB) exp(-λ M(F, B)), D_FB the neighbours' mean of ‖F - B‖.
    alpha, distance = _project(colour, foreground, background)
    ratio = np.sqrt(apart) * sums[8] / sums[9] if sums[9] > 0 else np.float32(1)
    confidence = min(np.float32(1), ratio) * np.exp(-decay * distance)

    # α = f α̂ + (1 - f) α_low, α_low = Σ W_α α / Σ W_α.
    low = sums[11] / sums[10] if sums[10] > 0 else refined[6]
    smoothed: np.float32 = confidence * alpha + (1 - confidence) * low
    return smoothed
