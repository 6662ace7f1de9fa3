"""Information flow's pre-processing: labels grow, at edges and by patches; is the foreground highly transparent?"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.solvers.graph.kernels import Array
from active_matting.solvers.graph.ties import nearest
from active_matting.solvers.sampling.rows import nearest_offsets
from active_matting.types import Image, Label, LabelMap

_PATCH_NOISE = 1e-6  # added to patches' colour variances, [0, 1]², so that flat patches have a distribution too
_CANDIDATES = 20  # patches of nearest mean colour that are compared
_CELL = 1 / 255  # patches whose means fall into the same cube of this side share their candidates
_TINY = 1e-12


def trim_edges(image: Image, label_map: LabelMap, radius: int, threshold: float) -> LabelMap:
    """Unknown pixels near known ones of nearly their colour take their label, int8 `(H, W)`, transitions 0.

    A pixel p takes the label of the pixel q of nearest colour for which |p - q| ≤ radius and, with colours from 0 to
    255, ‖c_p - c_q‖ ≤ threshold - |p - q| (Shahrian, Rajan, Price and Cohen 2013, sec. 3.1; here sec. 3.2.1).
    """
    known = np.where(label_map == Label.TRANSITION, 0, label_map).astype(np.int8)
    trimmed = known.copy()
    if radius < 1:
        return trimmed
    offsets = nearest_offsets((2 * radius + 1) ** 2)[1:]
    offsets = offsets[(offsets**2).sum(axis=1) <= min(radius, threshold) ** 2]
    side = 2 * radius + 1
    reach = cv2.dilate((known != 0).astype(np.uint8), np.ones((side, side), dtype=np.uint8))
    _trim_edges(image, known, reach, offsets, threshold, trimmed)
    return trimmed


@njit(cache=True, nogil=True)
def _trim_edges(image: Array, known: Array, reach: Array, offsets: Array, threshold: float, trimmed: Array) -> None:
    h, w = known.shape
    for y in range(h):
        for x in range(w):
            if known[y, x] != 0 or reach[y, x] == 0:
                continue
            best = np.inf
            for k in range(len(offsets)):
                qy, qx = y + offsets[k, 0], x + offsets[k, 1]
                if qy < 0 or qy >= h or qx < 0 or qx >= w or known[qy, qx] == 0:
                    continue
                square = 0.0
                for c in range(3):
                    square += (image[y, x, c] - image[qy, qx, c]) ** 2
                distance = 255 * np.sqrt(square)
                if distance < best and distance <= threshold - np.hypot(offsets[k, 0], offsets[k, 1]):
                    best = distance
                    trimmed[y, x] = known[qy, qx]


@dataclass(frozen=True)
class Patches:
    """The normal distribution of the colours in 3×3 pixels around each pixel.

    mean: float64 `(H·W, 3)`; covariance: float64 `(H·W, 6)`, the entries rr, rg, rb, gg, gb, bb; cell: int64 `(H·W,)`,
    which of the small cubes of colours the mean lies in; centres: float64 `(cells, 3)`, those of the cubes.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    cell: NDArray[np.int64]
    centres: NDArray[np.float64]

    @classmethod
    def of(cls, image: Image) -> "Patches":
        """The patches of an image, which is mirrored at its edges."""
        colour = image.astype(np.float64)
        pairs = np.stack([colour[..., a] * colour[..., b] for a, b in _PAIRS], axis=2)
        mean = _blur(colour)
        products = np.stack([mean[..., a] * mean[..., b] for a, b in _PAIRS], axis=2)
        noise = np.array([_PATCH_NOISE * (a == b) for a, b in _PAIRS])
        mean = mean.reshape(-1, 3)
        cubes, cell = np.unique((mean / _CELL).astype(np.int64), axis=0, return_inverse=True)
        centres = np.asarray((cubes + 0.5) * _CELL, dtype=np.float64)
        return cls(mean, (_blur(pairs) - products + noise).reshape(-1, 6), cell.ravel(), centres)


_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


def _blur(planes: NDArray[np.float64]) -> NDArray[np.float64]:
    blurred = [cv2.blur(planes[..., c], (3, 3), borderType=cv2.BORDER_REFLECT) for c in range(planes.shape[2])]
    return np.stack(blurred, axis=2)


def trim_patches(patches: Patches, label_map: LabelMap, near: float, far: float) -> LabelMap:
    """Unknown pixels whose patch is like one side's and unlike the other's take its label (sec. 3.2.1).

    The score of a side is the smallest Bhattacharyya distance to its 20 patches of nearest mean; a pixel is taken by
    the side with a score below `near` [τ_c] if the other's is above `far` [τ_f].
    """
    trimmed = label_map.copy()
    unknown = np.flatnonzero(label_map == Label.UNLABELLED)
    cells, cell = np.unique(patches.cell[unknown], return_inverse=True)
    foreground, background = (
        _nearest_patches(patches.mean, np.flatnonzero(label_map == label), patches.centres[cells])
        for label in (Label.FOREGROUND, Label.BACKGROUND)
    )
    statistics = patches.mean, patches.covariance
    trimmed.ravel()[unknown] = _sides(statistics, unknown, cell, (foreground, background), (near, far))
    return trimmed


def _nearest_patches(
    mean: NDArray[np.float64], known: NDArray[np.int64], colours: NDArray[np.float64]
) -> NDArray[np.int64]:
    candidates: NDArray[np.int64] = known[nearest(mean[known], colours, min(_CANDIDATES, len(known)))]
    return candidates


@njit(cache=True, nogil=True)
def _sides(
    statistics: tuple[Array, Array],
    unknown: Array,
    cell: Array,
    candidates: tuple[Array, Array],
    thresholds: tuple[float, float],
) -> Array:
    near, far = thresholds
    side = np.zeros(len(unknown), dtype=np.int8)
    for a in range(len(unknown)):
        f = _smallest(statistics, unknown[a], candidates[0][cell[a]], near)
        if f < near:
            b = _smallest(statistics, unknown[a], candidates[1][cell[a]], far)
            side[a] = 1 if b > far else 0
        elif f > far:
            b = _smallest(statistics, unknown[a], candidates[1][cell[a]], near)
            side[a] = -1 if b < near else 0
    return side


@njit(cache=True, nogil=True)
def _smallest(statistics: tuple[Array, Array], p: int, candidates: Array, enough: float) -> float:
    # The smallest distance, or any that is already below what is enough to decide.
    mean, covariance = statistics
    smallest = np.inf
    for q in candidates:
        smallest = min(smallest, _bhattacharyya(mean[p], covariance[p], mean[q], covariance[q]))
        if smallest < enough:
            break
    return smallest


@njit(cache=True, nogil=True)
def _bhattacharyya(mean: Array, covariance: Array, other_mean: Array, other_covariance: Array) -> float:
    # ⅛ δᵀ Σ⁻¹ δ + ½ ln(|Σ| / √(|Σ₁| |Σ₂|)), Σ = (Σ₁ + Σ₂) / 2.
    rr, rg, rb, gg, gb, bb = (covariance + other_covariance) / 2
    dr, dg, db = mean - other_mean
    c_rr, c_rg, c_rb = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg  # cofactors
    c_gg, c_gb, c_bb = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    determinant = rr * c_rr + rg * c_rg + rb * c_rb
    square = dr * dr * c_rr + dg * dg * c_gg + db * db * c_bb
    square += 2 * (dr * dg * c_rg + dr * db * c_rb + dg * db * c_gb)
    both = np.sqrt(_determinant(covariance) * _determinant(other_covariance))
    distance: float = square / (8 * determinant) + np.log(determinant / both) / 2
    return distance


@njit(cache=True, nogil=True)
def _determinant(covariance: Array) -> float:
    rr, rg, rb, gg, gb, bb = covariance
    determinant: float = rr * (gg * bb - gb * gb) - rg * (rg * bb - gb * rb) + rb * (rg * gb - gg * rb)
    return determinant


_BINS = 10  # of each channel
_BAND = 20  # pixels around the known ones


def unexplained(image: Image, label_map: LabelMap) -> float:
    """How badly known colours explain the unknown ones, from 0 to 2; 0 where there is little to go by.

    The colour histogram of the unknown pixels is fitted by a mixture of those of the foreground and the background,
    all near where known meets unknown; what remains is summed absolutely. Of a highly transparent object hardly any
    pixel has a colour of either side. Unknown pixels far from all known ones, most of them under a few regions, have
    other reasons to look new: where they are the majority, the answer is 0.
    """
    is_unknown = label_map == Label.UNLABELLED
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _BAND + 1, 2 * _BAND + 1))
    is_near = is_unknown & (cv2.dilate((~is_unknown).astype(np.uint8), kernel) > 0)
    if 2 * is_near.sum() < is_unknown.sum() or not is_unknown.any():
        return 0.0
    is_beside = cv2.dilate(is_unknown.astype(np.uint8), kernel) > 0
    r, g, b = np.moveaxis(np.minimum((image * _BINS).astype(np.int64), _BINS - 1), 2, 0)
    cell = (r * _BINS + g) * _BINS + b
    histograms = []
    for mask in ((label_map == Label.FOREGROUND) & is_beside, (label_map == Label.BACKGROUND) & is_beside, is_unknown):
        histogram = np.bincount(cell[mask], minlength=_BINS**3)
        histograms.append(histogram / max(1, histogram.sum()))
    return _residual(*histograms)


def _residual(foreground: NDArray[np.float64], background: NDArray[np.float64], unknown: NDArray[np.float64]) -> float:
    """The L1 norm of what the best mixture without negative parts, in the least squares, leaves."""
    sides = np.stack([foreground, background], axis=1)
    parts = np.linalg.lstsq(sides, unknown, rcond=None)[0]
    if parts.min() < 0:  # then the best mixture is of one side alone, and histograms are never opposed
        parts = np.where(parts > 0, sides.T @ unknown / np.maximum((sides**2).sum(axis=0), _TINY), 0)
    return float(np.abs(sides @ parts - unknown).sum())
