"""The object found from many cues of likeness and nearness, weighed by a small perceptron."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from active_matting.segmenters.base import (
    Probability,
    label_cores,
    resize_image,
    resize_labels,
    resize_plane,
    scaled_shape,
)
from active_matting.segmenters.geodesic import FAR, StepCosts, distances, step_costs, step_differences
from active_matting.segmenters.likeness import likeness
from active_matting.segmenters.perceptron import Perceptron, read_perceptron
from active_matting.segmenters.planes import Job, Planes, blurred, in_threads, lab_of, local_deviation, log_ratio
from active_matting.solvers.base import PreparedSolver, Solver
from active_matting.solvers.closed_form import ClosedForm
from active_matting.solvers.random_walk import RandomWalk
from active_matting.types import Image, Label, LabelMap, check_image

SIDE = 100
"""The longer side, in pixels, of the picture that is segmented: what the weights were fitted at."""

WEIGHTS = Path(__file__).parent / "weights" / "segmenter.safetensors"

_WAYS = ("plain", "edges", "barrier", "straight", "texture", "verdict")
_MATTES: dict[str, Solver] = {"closed-form": ClosedForm(epsilon=1e-5), "random-walk": RandomWalk(sigma=0.05)}
_SPACES = ("colour", "colour-place", "texture")

FEATURES = (
    *(
        f"{space}-{what}"
        for space in _SPACES
        for what in ("nearest", "distance", "narrow", "middle", "wide", "strangeness")
    ),
    *(f"{way}-{what}" for way in _WAYS for what in ("ratio", "distance")),
    *(f"{what}-around-{sigma}" for sigma in (2, 5, 12) for what in ("colour", "way")),
    *("border", "height", "centre", "foreground-told", "background-told", "fine-texture", "coarse-texture"),
    *("colour-verdict", "plain-verdict", "barrier-verdict"),
    *_MATTES,
)
"""What the perceptron is given for each pixel. `-ratio`, `-nearest`, and the three kernels compare foreground with
background as a logarithm; `-distance` and `-strangeness` say how near or like the pixel is to either."""


@dataclass(frozen=True)
class Cues:
    """Each pixel's colour, texture and place against the labelled ones', and the cheapest ways to these, weighed.

    Cues are likeness to the labelled pixels (kernels in the spaces of colour, colour and place, and texture) and
    geodesic distance to them (over colour differences, over the highest barrier, over texture, over what colour alone
    says), and two mattes of the small picture. Only the inner pixels of what was told are examples: a rim that shows
    what lies beyond an edge would make all of that look told. A perceptron of two hidden layers, fitted to pictures
    with true masks so that one more true answer spoils nothing, weighs them; see the model card beside its weights.
    Nothing starts at random and nothing takes turns.
    """

    def prepare(self, image: Image) -> "PreparedCues":
        """See `Segmenter.prepare`."""
        image = check_image(image)
        shape = (image.shape[0], image.shape[1])
        planes = CuePlanes.of(resize_image(image, scaled_shape(shape, SIDE)))
        return PreparedCues(shape, planes, read_perceptron(WEIGHTS, FEATURES))


@dataclass(frozen=True)
class PreparedCues:
    """See `PreparedSegmenter`."""

    shape: tuple[int, int]
    planes: "CuePlanes"
    perceptron: Perceptron

    def segment(self, label_map: LabelMap) -> Probability:
        """See `PreparedSegmenter.segment`."""
        labels = resize_labels(label_map, self.planes.shape)
        probability = self.perceptron(cues(self.planes, labels))[0]
        probability[labels == Label.FOREGROUND] = 1
        probability[labels == Label.BACKGROUND] = 0
        return resize_plane(probability, self.shape)


@dataclass(frozen=True)
class CuePlanes:
    """What the cues need of the image alone."""

    shape: tuple[int, int]
    spaces: tuple[tuple[Planes, tuple[float, float, float]], ...]  # features (h, w, c), and their kernels' scales
    ways: tuple[tuple[StepCosts, bool, float, float], ...]  # costs, highest step, a little, what counts as 1
    mattes: tuple[PreparedSolver, ...]
    constant: Planes  # (5, h, w): border, height, centre, fine and coarse texture

    @classmethod
    def of(cls, image: Image) -> "CuePlanes":
        """From an image float32 (h, w, 3) whose longer side is `SIDE`."""
        h, w = image.shape[:2]
        lab = lab_of(image)
        y, x = np.meshgrid(*(np.linspace(0, 1, n, dtype=np.float32) for n in (h, w)), indexing="ij")
        fine, coarse = local_deviation(lab, 1.5), local_deviation(lab, 3)
        texture = np.stack([fine[..., 0], coarse[..., 0], coarse[..., 1:].mean(axis=-1)], axis=-1)
        mean = blurred(lab, 2)
        spaces = (
            (lab, (0.03, 0.08, 0.2)),
            (np.concatenate([lab, 0.5 * np.stack([y, x], axis=-1)], axis=-1), (0.05, 0.12, 0.3)),
            (np.concatenate([mean, 2 * texture], axis=-1), (0.05, 0.12, 0.3)),
        )
        of_colour = step_differences(blurred(lab, 0.7))
        of_texture = step_differences(np.concatenate([mean, texture], axis=-1))
        ways = (
            (step_costs(of_colour, 0.01), False, 0.05, 1.0),
            (step_costs(of_colour, 0.002, scale=0.15, power=2), False, 0.02, 1.0),
            (step_costs(of_colour, 0.0005), True, 0.01, 0.1),
            (step_costs(of_colour, 1 / SIDE, scale=FAR), False, 0.05, 0.5),
            (step_costs(of_texture, 0.003), False, 0.02, 0.5),
        )
        border = 2 * np.minimum(np.minimum(y, 1 - y), np.minimum(x, 1 - x))
        constant = [border, y - 0.5, np.hypot(y - 0.5, x - 0.5), 5 * texture[..., 1], 5 * texture[..., 2]]
        mattes = tuple(solver.prepare(image) for solver in _MATTES.values())
        return cls((h, w), spaces, ways, mattes, np.stack(constant))


def cues(planes: CuePlanes, labels: LabelMap) -> Planes:
    """What is named in `FEATURES`, float32 (features, h, w), for int8 (h, w) labels of which both classes are there."""
    cores = label_cores(labels)
    examples = cores == Label.FOREGROUND, cores == Label.BACKGROUND
    jobs: list[Job] = [(likeness, (space, some, scales)) for space, scales in planes.spaces for some in examples]
    jobs += [(distances, (costs, some, highest)) for costs, highest, _, _ in planes.ways for some in examples]
    solved: list[Job] = [(matte.solve, (cores,)) for matte in planes.mattes]
    found = in_threads(solved + jobs)
    mattes, found = found[: len(solved)], found[len(solved) :]
    alike, distant = found[: 2 * len(planes.spaces)], found[2 * len(planes.spaces) :]
    features: list[NDArray[np.float32]] = []
    for foreground, background in zip(alike[::2], alike[1::2], strict=True):
        features += _compare_likeness(foreground, background)

    # One way more, over what colour alone says.
    verdict = _share(alike[0][2], alike[1][2], 1e-3)
    over_verdict = step_costs(step_differences(blurred(verdict, 0.8)[..., None]), 0.01)
    ways = [*planes.ways, (over_verdict, False, 0.05, 1.0)]
    distant += in_threads([(distances, (over_verdict, some, False)) for some in examples])
    for (_, _, little, unit), foreground, background in zip(ways, distant[::2], distant[1::2], strict=True):
        nearest = np.minimum(foreground, background) / np.float32(unit)
        features += [log_ratio(background, foreground, little), np.minimum(nearest, 3)]

    plain, barrier = _share(distant[1], distant[0], 0.05), _share(distant[5], distant[4], 0.01)
    for sigma in (2, 5, 12):
        features += [blurred(verdict, sigma) - 0.5, blurred(plain, sigma) - 0.5]
    counts = [
        np.full(planes.shape, np.log1p((labels == label).sum() / 25), dtype=np.float32)
        for label in (Label.FOREGROUND, Label.BACKGROUND)
    ]
    border, height, centre, fine, coarse = planes.constant
    features += [border, height, centre, *counts, fine, coarse]
    features += [verdict - 0.5, plain - 0.5, barrier - 0.5, *(matte.alpha - 0.5 for matte in mattes)]
    return np.stack(features)


def _compare_likeness(foreground: Planes, background: Planes) -> list[NDArray[np.float32]]:
    compared = [
        log_ratio(background[0], foreground[0], 0.02),
        4 * np.minimum(np.minimum(foreground[0], background[0]), np.float32(0.5)),
    ]
    compared += [log_ratio(foreground[i], background[i], 1e-3) for i in (1, 2, 3)]
    return [*compared, np.log(foreground[2] + background[2] + np.float32(1e-3)) / 3]


def _share(ours: NDArray[np.float32], theirs: NDArray[np.float32], little: float) -> NDArray[np.float32]:
    return np.asarray((ours + little) / (ours + theirs + 2 * little), dtype=np.float32)
