"""The chain of segmentation, band and matting: its trimap by hand, its parts, and what a network as a part may know."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from active_matting.errors import InvalidArgumentError, UnknownNameError
from active_matting.segmenters import make_segmenter
from active_matting.solvers import Matte, make_solver
from active_matting.solvers.base import PreparedClassical
from active_matting.solvers.segment_dilate_matte import PreparedChain, dilated_boundary
from active_matting.testing import check_solver, made_up_image, made_up_labels
from active_matting.types import Image, Label, LabelMap, check_image, check_label_map


def test_the_band_by_hand() -> None:
    alpha = np.zeros((1, 12), dtype=np.float32)
    alpha[0, 6:] = 0.7
    told = np.zeros((1, 12), dtype=np.int8)
    assert dilated_boundary(alpha, told, 2).tolist() == [[-1] * 5 + [0] * 2 + [1] * 5]
    assert dilated_boundary(alpha, told, 6).tolist() == [[-1] * 3 + [0] * 6 + [1] * 3]
    assert dilated_boundary(alpha, told, 7).tolist() == dilated_boundary(alpha, told, 6).tolist()
    assert (dilated_boundary(alpha, told, 180) == 0).all()
    told[0, [0, 1, 5, 6, 11]] = Label.FOREGROUND, Label.TRANSITION, Label.BACKGROUND, Label.TRANSITION, Label.BACKGROUND
    assert dilated_boundary(alpha, told, 4).tolist() == [[1, 2, -1, -1, 0, -1, 2, 0, 1, 1, 1, -1]]


@pytest.mark.parametrize("width", [2, 5, 20])
def test_the_band_is_all_within_half_its_width_of_the_other_side(width: int) -> None:
    alpha = np.random.default_rng(0).random((9, 11)).astype(np.float32) ** 5
    band = dilated_boundary(alpha, np.zeros(alpha.shape, dtype=np.int8), width)
    inside = alpha >= 0.5
    for y, x in np.ndindex(*alpha.shape):
        others = np.argwhere(inside != inside[y, x])
        is_near = ((others - (y, x)) ** 2).sum(axis=1).min() <= (width / 2) ** 2
        assert band[y, x] == (0 if is_near else 1 if inside[y, x] else -1)


def test_a_cut_through_nothing_has_no_band() -> None:
    told = np.zeros((4, 5), dtype=np.int8)
    assert (dilated_boundary(np.full((4, 5), 0.5, np.float32), told, 20) == 1).all()
    assert (dilated_boundary(np.zeros((4, 5), np.float32), told, 20) == -1).all()


@pytest.mark.parametrize("segmenter", ["cues", "random-walk"])
def test_the_parts_are_chained(segmenter: str) -> None:
    arguments: dict[str, Any] = {
        "segmenter": segmenter,
        "segmenter_kwargs": {},
        "width": 8,
        "solver": "closed-form",
        "solver_kwargs": {"epsilon": 1e-5},
    }
    solver: Any = make_solver("segment-dilate-matte", **json.loads(json.dumps(arguments)))
    assert dataclasses.asdict(solver) == arguments
    image, label_map = made_up_image((40, 50))[0], made_up_labels((40, 50))
    if segmenter == "cues":
        cut = make_segmenter("cues").prepare(image).segment(label_map)
    else:
        cut = make_solver("random-walk").prepare(image).solve(label_map).alpha
    trimap = dilated_boundary(cut, label_map, 8)
    assert {-1, 0, 1, 2} == set(trimap.ravel().tolist())
    expected = make_solver("closed-form", epsilon=1e-5).prepare(image).solve(trimap).alpha
    np.testing.assert_array_equal(solver.prepare(image).solve(label_map).alpha, expected)


@pytest.mark.parametrize("arguments", [{"segmenter": "grabcut"}, {"segmenter": "random-walk", "width": 4}])
def test_the_contract_is_kept_with_other_parts(arguments: dict[str, Any]) -> None:
    check_solver(make_solver("segment-dilate-matte", solver="random-walk", **arguments))


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"segmenter": "no"}, UnknownNameError, "unknown solver 'no'"),
        ({"solver": "no"}, UnknownNameError, "unknown solver 'no'"),
        ({"solver": "segment-dilate-matte"}, InvalidArgumentError, "cannot be a part of itself"),
        ({"segmenter": "segment-dilate-matte"}, InvalidArgumentError, "cannot be a part of itself"),
        ({"solver_kwargs": {"no": 1}}, InvalidArgumentError, "it takes"),
        ({"width": 1.5}, InvalidArgumentError, "width must be finite and at least 2 pixels, got 1.5"),
        ({"width": float("nan")}, InvalidArgumentError, "width must be finite"),
    ],
)
def test_parts_that_do_not_exist_are_refused(arguments: dict[str, Any], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        make_solver("segment-dilate-matte", **arguments)


@dataclass(frozen=True)
class KnowsBetter:
    """A "network" that cuts the right half out whatever it is told, and remembers what it was given before."""

    def prepare(self, image: Image) -> "KnowsBetterPrepared":
        return KnowsBetterPrepared(check_image(image).shape[:2], [])


@dataclass(frozen=True)
class KnowsBetterPrepared:
    shape: tuple[int, int]
    asked: list[Matte | None]

    def solve(self, label_map: LabelMap, previous: Matte | None = None) -> Matte:
        self.asked.append(previous)
        alpha = np.zeros(check_label_map(label_map, self.shape).shape, dtype=np.float32)
        alpha[:, self.shape[1] // 2 :] = 0.9
        return Matte(alpha)

    def solve_many(self, label_maps: NDArray[np.int8]) -> NDArray[np.float32]:
        return np.stack([self.solve(each).alpha for each in label_maps])


def test_a_segmenter_that_knows_better_is_asked_with_one_class_and_told_the_matte_before() -> None:
    segmenter = KnowsBetter().prepare(np.zeros((20, 40, 3), dtype=np.float32))

    def half_way(label_map: LabelMap, previous: Matte | None) -> Matte:
        return Matte(np.where(label_map == 0, np.float32(0.4), np.float32(0.5)))

    chain = PreparedChain((20, 40), segmenter.solve, 10, PreparedClassical((20, 40), half_way))
    label_map = np.zeros((20, 40), dtype=np.int8)
    label_map[3, 30] = label_map[3, 20] = Label.FOREGROUND
    first = chain.solve(label_map)
    row = first.alpha[10]
    np.testing.assert_array_equal(row, np.repeat(np.array([0, 0.4, 1], dtype=np.float32), [15, 10, 15]))
    assert first.alpha[3, 20] == 1
    chain.solve(label_map, previous=first)
    assert segmenter.asked == [None, first]
