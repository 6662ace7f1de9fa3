"""Information-flow matting."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from active_matting.solvers.base import Matte, PreparedClassical
from active_matting.types import Image, Label, LabelMap, check_image

if TYPE_CHECKING:  # both load numba
    from active_matting.solvers.flow.energy import ImageFlow
    from active_matting.solvers.flow.trimming import Patches

_SPARE = 3  # times as many neighbours are kept as are wanted among the unknown pixels


@dataclass(frozen=True)
class InformationFlow:
    """Alpha flows between pixels in four ways (Aksoy, Aydin and Pollefeys 2017).

    "Designing Effective Inter-Pixel Information Flow for Natural Image Matting", CVPR, section 3; in brackets the
    paper's letters. Each unknown pixel is a mixture of pixels of like colour, and so is its alpha; known pixels that
    mix its colour pull its alpha to their share; unknown pixels of like colour, and neighbours by the matting
    Laplacian, have like alphas. Labels first grow where that is safe, and further where they only serve as examples.

    Of a highly transparent foreground no known pixel shows the colour, so that the second way is left out [E_2] where
    known colours explain unknown ones badly. Pixels that nothing leads to from any label are 0.5. Raises
    `ConvergenceError` when solving takes more than `max_iterations`.
    """

    mixed: int = 20
    """From how many neighbours a pixel is mixed [K_CM]."""
    known: int = 7
    """How many foreground and how many background pixels speak to an unknown one [K_KU]."""
    alike: int = 5
    """To how many unknown pixels an unknown one is tied [K_UU]."""
    known_share: float = 0.05
    """[σ_KU]"""
    alike_share: float = 0.01
    """[σ_UU]"""
    local_share: float = 1.0
    """[σ_L]"""
    penalty: float = 100.0
    """Weight of the known pixels [λ]."""
    trimming_radius: int = 9
    """Labels grow at most this far, in pixels, at edges; 0 switches that off."""
    patch_distances: tuple[float, float] = (0.25, 0.9)
    """A pixel is an example of one side if its patch is nearer to it than the first, and further than the second from
    the other side [τ_c, τ_f]; 0 first switches that off."""
    transparency: float = 0.78
    """From how badly known colours explain unknown ones, 0 to 2, the foreground counts as highly transparent."""
    tolerance: float = 1e-5
    """Of alpha: solving ends when a rough inverse finds no larger error; the true one may be some 50 times that."""
    max_iterations: int = 10_000

    def __post_init__(self) -> None:  # JSON knows lists only, and a solver must stay hashable
        object.__setattr__(self, "patch_distances", tuple(self.patch_distances))

    def prepare(self, image: Image) -> PreparedClassical:
        """See `Solver.prepare`."""
        from active_matting.solvers.flow.energy import ImageFlow
        from active_matting.solvers.flow.ties import features, mixture_weights, nearest_others
        from active_matting.solvers.flow.trimming import Patches

        image = check_image(image).copy()
        h, w = image.shape[:2]
        neighbours = nearest_others(features(image, 1.0), self.mixed)
        weights = mixture_weights(image.reshape(-1, 3).astype(np.float64), np.arange(h * w), neighbours)
        flow = ImageFlow.of(image, neighbours, weights, self.local_share, 1e-7)
        of_alike = features(image, 0.05)
        candidates = nearest_others(of_alike, _SPARE * self.alike).astype(np.int32)
        prepared = _Prepared(self, image, flow, Patches.of(image), of_alike, features(image, 10.0), candidates)
        return PreparedClassical((h, w), partial(_solve, prepared))


@dataclass(frozen=True)
class _Prepared:
    """What depends on the image alone: flows, patches, features, the nearest pixels by the first of these."""

    parameters: InformationFlow
    image: Image
    flow: "ImageFlow"
    patches: "Patches"
    of_alike: NDArray[np.float64]
    of_known: NDArray[np.float64]
    candidates: NDArray[np.int32]


def _solve(prepared: _Prepared, label_map: LabelMap, previous: Matte | None) -> Matte:
    from active_matting.solvers.flow.energy import Energy
    from active_matting.solvers.flow.ties import known_to_unknown, within_unknown
    from active_matting.solvers.flow.trimming import trim_edges, trim_patches, unexplained

    p, image = prepared.parameters, prepared.image
    told = np.where(label_map == Label.TRANSITION, 0, label_map).astype(np.int8)
    known = trim_edges(image, label_map, p.trimming_radius, 9.0)
    known = np.where(label_map == Label.TRANSITION, 0, known).astype(np.int8)
    is_unknown = (known == Label.UNLABELLED).ravel()
    unknown = np.flatnonzero(is_unknown)
    if not len(unknown):
        return Matte((known == Label.FOREGROUND).astype(np.float32))
    anchor = np.where(is_unknown, 0.0, p.penalty)
    target = (known == Label.FOREGROUND).ravel().astype(np.float64)
    if unexplained(image, told) < p.transparency:
        examples = trim_patches(prepared.patches, known, *p.patch_distances)
        target[unknown], confidence = known_to_unknown(image, prepared.of_known, examples, unknown, p.known)
        anchor[unknown] = p.known_share * confidence
    ties = within_unknown(prepared.of_alike, prepared.candidates, is_unknown, p.alike)
    energy = Energy(prepared.flow, is_unknown, ties, p.alike_share, anchor, target)
    alpha = energy.minimise(p.tolerance, p.max_iterations)
    alpha[~is_unknown] = target[~is_unknown]
    return Matte(np.clip(alpha, 0, 1).reshape(label_map.shape).astype(np.float32))
