"""The composite solver: parts by name, what is averaged, sharpened and smoothed, one class alone."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import scipy.sparse
import scipy.special
from numpy.typing import NDArray

from active_matting.annotators import ExactAnnotator
from active_matting.data.rendered import Rendered
from active_matting.errors import InvalidArgumentError, UnknownNameError
from active_matting.labels import RegionAnswer, record
from active_matting.metrics import rmse
from active_matting.regions import Region, region_grid
from active_matting.robots import is_askable
from active_matting.segmenters import make_segmenter
from active_matting.segmenters.band import PreparedBand, make_band
from active_matting.solvers import make_solver
from active_matting.solvers.base import Matte, is_untold
from active_matting.solvers.grid.smoothing import Smoother
from active_matting.solvers.segment_then_matte import agreement, held_to, openness, sharpened
from active_matting.testing import made_up_image, made_up_labels
from active_matting.types import Label, LabelMap


def test_parts_are_named_with_their_parameters() -> None:
    arguments: dict[str, Any] = {
        "segmenter": "grabcut",
        "segmenter_kwargs": {"side": 80, "iterations": 2},
        "solver": "closed-form",
        "solver_kwargs": {"epsilon": 1e-5},
        "band": "network",
        "band_kwargs": {"weights": None},
        "sureness": 0.9,
        "sharpness": 0.5,
        "data_weight": 0.1,
    }
    solver: Any = make_solver("segment-then-matte", **json.loads(json.dumps(arguments)))
    assert dataclasses.asdict(solver) == arguments
    assert make_solver("segment-then-matte", **dataclasses.asdict(solver)) == solver
    shape = (50, 60)
    image, truth = made_up_image(shape)
    label_map = made_up_labels(shape)
    first = solver.prepare(image).solve(label_map).alpha
    np.testing.assert_array_equal(solver.prepare(image).solve(label_map).alpha, first)
    assert np.sqrt(((first - truth) ** 2).mean()) < 0.6 * np.sqrt(((0.5 - truth) ** 2).mean())


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"segmenter": "no"}, UnknownNameError, "unknown segmenter 'no'"),
        ({"solver": "no"}, UnknownNameError, "unknown solver 'no'"),
        ({"solver": "segment-then-matte"}, InvalidArgumentError, "cannot matte with itself"),
        ({"solver_kwargs": {"no": 1}}, InvalidArgumentError, "it takes"),
        ({"segmenter_kwargs": {"side": 3}}, InvalidArgumentError, "it takes"),
        ({"band": "no"}, UnknownNameError, "unknown band 'no'"),
        ({"band_kwargs": {"weights": "w"}}, InvalidArgumentError, "it takes"),
        ({"sureness": 1.0}, InvalidArgumentError, "sureness must be at least 0.5 and below 1, got 1"),
        ({"sharpness": -0.1}, InvalidArgumentError, "sharpness must be at least 0, got -0.1"),
        ({"sharpness": float("nan")}, InvalidArgumentError, "sharpness must be at least 0, got nan"),
        ({"data_weight": 0}, InvalidArgumentError, "data_weight must be above 0 or None, got 0"),
        ({"data_weight": -1.0}, InvalidArgumentError, "data_weight must be above 0 or None, got -1"),
        ({"data_weight": float("nan")}, InvalidArgumentError, "data_weight must be above 0 or None, got nan"),
    ],
)
def test_parts_that_do_not_exist_are_refused(arguments: dict[str, Any], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        make_solver("segment-then-matte", **arguments)


def test_a_matte_keeps_to_what_is_expected_and_keeps_its_detail() -> None:
    rng = np.random.default_rng(0)
    is_unknown = np.zeros((200, 200), dtype=bool)
    is_unknown[50:150, 50:150] = True
    detail = rng.choice([-0.1, 0.1], (200, 200)).astype(np.float32)
    matte = Matte(np.where(is_unknown, 0.2 + detail, 1).astype(np.float32))
    expected = np.full((200, 200), 0.7, dtype=np.float32)
    held = held_to(expected, matte, is_unknown, 1).alpha
    np.testing.assert_array_equal(held[~is_unknown], matte.alpha[~is_unknown])
    inside = held[60:140, 60:140]
    assert inside.mean() == pytest.approx(0.7, abs=0.01)
    assert np.corrcoef(inside.ravel(), detail[60:140, 60:140].ravel())[0, 1] > 0.9
    assert inside.std() == pytest.approx(0.05, rel=0.2)
    np.testing.assert_array_equal(held_to(expected, matte, is_unknown, 0).alpha, matte.alpha)
    near = held_to(np.full((200, 200), 0.25, dtype=np.float32), matte, is_unknown, 1).alpha[60:140, 60:140]
    assert near.mean() == pytest.approx(0.2 + 0.05 * 0.05 / 0.25, abs=0.003)  # a fifth of the difference
    assert near.std() == pytest.approx(0.1 - 0.05 * 0.05 / 0.25, rel=0.1)
    nowhere = np.zeros_like(is_unknown)
    np.testing.assert_array_equal(held_to(expected, matte, nowhere, 1).alpha, matte.alpha)


@pytest.mark.parametrize(
    ("share", "expected"), [(1.0, 1.0), (0.75, 0.25), (0.625, 0.0625), (0.5, 0), (0.25, 0), (0, 0)]
)
def test_little_is_open_where_much_is_told(share: float, expected: float) -> None:
    label_map = np.full((8, 8), Label.BACKGROUND, dtype=np.int8)
    label_map[0, :4] = Label.FOREGROUND
    label_map.ravel()[: round(64 * share)] = Label.UNLABELLED
    label_map.ravel()[: round(16 * share)] = Label.TRANSITION  # which tells nothing of the alpha
    assert is_untold(label_map).mean() == share
    assert openness(label_map) == expected


def trimap_of(truth: NDArray[np.float32], reach: int) -> LabelMap:
    window = np.ones((2 * reach + 1, 2 * reach + 1), dtype=np.uint8)
    label_map = np.zeros(truth.shape, dtype=np.int8)
    label_map[cv2.erode(truth, window) > 0.95] = Label.FOREGROUND
    label_map[cv2.dilate(truth, window) < 0.05] = Label.BACKGROUND
    return label_map


def test_a_trimap_is_matted_as_by_the_solver_alone_and_then_smoothed() -> None:
    image, truth = made_up_image((120, 140))
    label_map = trimap_of(truth, 6)
    assert 0.4 < (label_map == Label.UNLABELLED).mean() < 0.5
    alone = make_solver("shared").prepare(image).solve(label_map)
    found = make_solver("segment-then-matte", data_weight=None).prepare(image).solve(label_map)
    np.testing.assert_array_equal(found.alpha, alone.alpha)
    np.testing.assert_array_equal(found.foreground, alone.foreground)
    found = make_solver("segment-then-matte", data_weight=0.12).prepare(image).solve(label_map)
    is_unknown = label_map == Label.UNLABELLED
    expected = Smoother(image, 1e-5).smooth(alone.alpha, is_unknown, 0.02)
    np.testing.assert_allclose(found.alpha, expected, atol=1e-6)
    assert found.foreground is None


def every_nth_region(alpha: NDArray[np.float32], n: int) -> LabelMap:
    """What is true of every n-th region of the grid of 10 px."""
    label_map, annotator = np.zeros(alpha.shape, dtype=np.int8), ExactAnnotator(alpha)
    for region in region_grid(10, alpha.shape)[::n]:
        label_map = record(label_map, RegionAnswer(region, annotator.answer(region)))
    return label_map


def much_unknown() -> tuple[NDArray[np.float32], LabelMap]:
    image, truth = made_up_image((120, 140))
    return image, trimap_of(truth, 10)


def little_unknown() -> tuple[NDArray[np.float32], LabelMap]:
    sample = Rendered("test", size=200)[3]
    return sample.image, every_nth_region(sample.alpha, 4)


@pytest.mark.parametrize(("case", "is_narrow"), [(much_unknown, False), (little_unknown, True)])
def test_where_part_is_told_opinions_are_averaged_sharpened_and_smoothed_in_part(
    case: Callable[[], tuple[NDArray[np.float32], LabelMap]], is_narrow: bool
) -> None:
    image, label_map = case()
    is_open = (2 * is_untold(label_map).mean() - 1) ** 2
    assert 0.02 < is_open < 0.8
    probability = make_segmenter("cues").prepare(image).segment(label_map)
    trimap, expected = PreparedBand.of(image, make_band("perceptron")).draw(probability, label_map, 1 - 0.05 * is_open)
    matte, is_unknown = make_solver("shared").prepare(image).solve(trimap), trimap == Label.UNLABELLED
    assert 0 < is_unknown.sum() < (label_map == Label.UNLABELLED).sum()
    assert (is_unknown.mean() < 0.3) == is_narrow
    alpha = held_to(expected, matte, is_unknown, is_open).alpha
    alpha[is_unknown] = sharpened(alpha[is_unknown], 1 + 0.5 * is_open)
    found = make_solver("segment-then-matte", data_weight=None).prepare(image).solve(label_map)
    np.testing.assert_allclose(found.alpha, alpha, atol=1e-6)
    found = make_solver("segment-then-matte", data_weight=0.12).prepare(image).solve(label_map)
    smoothed = Smoother(image, 1e-5).smooth(alpha, is_unknown, 0.12 * agreement(expected, matte.alpha))
    np.testing.assert_allclose(found.alpha, smoothed, atol=1e-6)
    assert found.foreground is None


@pytest.mark.parametrize("times", [1.0, 1.25, 3.0])
def test_sharpening_multiplies_log_odds(times: float) -> None:
    alpha = np.linspace(0, 1, 101, dtype=np.float32)
    found = sharpened(alpha, times)
    np.testing.assert_allclose(found, scipy.special.expit(times * scipy.special.logit(alpha.astype(float))), atol=1e-6)
    assert found.dtype == np.float32


def test_the_less_two_opinions_differ_the_more_they_are_trusted() -> None:
    differences = np.linspace(0, 1, 11, dtype=np.float32)
    trust = agreement(differences, np.zeros(11, dtype=np.float32))
    np.testing.assert_array_equal(trust, agreement(np.zeros(11, dtype=np.float32), differences))
    assert trust[0] == 1
    assert (np.diff(trust) < 0).all()
    # The standard deviation of the error grows with the difference, so that weights fall with its square.
    np.testing.assert_allclose(trust[5:] * differences[5:] ** 2, trust[10], rtol=0.05)


def test_sharper_mattes_differ_only_where_the_trimap_does_not_tell() -> None:
    image, _ = made_up_image((80, 90))
    label_map = made_up_labels((80, 90))
    mattes = [
        make_solver("segment-then-matte", sharpness=sharpness, data_weight=None).prepare(image).solve(label_map).alpha
        for sharpness in (0, 0.25, 2)
    ]
    is_pure = (mattes[0] == 0) | (mattes[0] == 1)
    assert 0 < is_pure.mean() < 1
    for matte in mattes[1:]:
        np.testing.assert_array_equal(matte[is_pure], mattes[0][is_pure])
        between = ~is_pure & (np.abs(mattes[0] - 0.5) > 0.01)
        moved_outwards = (matte - mattes[0]) * np.sign(mattes[0] - 0.5)
        assert (moved_outwards[between] > 0).mean() > 0.99


def one_region(alpha: NDArray[np.float32], label: Label, side: int) -> LabelMap:
    """Labels of one region, the purest that lies farthest to the upper left, and nothing else."""
    label_map = np.zeros(alpha.shape, dtype=np.int8)
    is_pure = alpha >= 1 if label == Label.FOREGROUND else alpha <= 0
    y, x = np.argwhere(is_askable(alpha, label_map, side) & is_pure)[0]
    return record(label_map, RegionAnswer(Region(int(y), int(x), side), label))


@pytest.mark.parametrize("label", [Label.FOREGROUND, Label.BACKGROUND])
def test_a_network_needs_one_class_alone(label: Label) -> None:
    blend = {"segmenter": "blend"}
    for arguments, is_decided in (({}, True), ({"segmenter": "network"}, False), (blend, False)):
        found = []
        for index in (0, 3, 5, 7):
            sample = Rendered("test", size=200)[index]
            label_map = one_region(sample.alpha, label, side=10)
            alpha = make_solver("segment-then-matte", **arguments).prepare(sample.image).solve(label_map).alpha
            is_untold = label_map == 0
            assert (alpha[is_untold] == 0.5).all() == is_decided
            assert (alpha[~is_untold] == (label == Label.FOREGROUND)).all()
            found.append(rmse(alpha, sample.alpha))
        assert (np.mean(found) < 0.4) != is_decided


@pytest.mark.parametrize("chain", ["segment-then-matte", "segment-dilate-matte"])
@pytest.mark.parametrize("side", [400, 40])
def test_a_segmenter_that_makes_nothing_of_one_class_decides_nothing(chain: str, side: int) -> None:
    image, label_map = made_up_image((50, 60))[0], np.zeros((50, 60), dtype=np.int8)
    asks_classical = {"segmenter": "network", "segmenter_kwargs": {"solver": "random-walk", "side": side}}
    prepared = make_solver(chain, **asks_classical).prepare(image)
    assert (prepared.solve(label_map).alpha == 0.5).all()
    label_map[10:20, 10:20] = Label.FOREGROUND
    alpha = prepared.solve(label_map).alpha
    assert (alpha[label_map == 0] == 0.5).all()
    assert (alpha[label_map == 1] == 1).all()


def test_segment_then_matte_is_nearer_to_the_truth_for_it_on_the_mean() -> None:
    errors = []
    for index in range(8):
        sample = Rendered("test", size=200)[index]
        label_map = every_nth_region(sample.alpha, 7)
        row = []
        for data_weight in (None, 0.06, 1e6):
            prepared = make_solver("segment-then-matte", data_weight=data_weight).prepare(sample.image)
            row.append(rmse(prepared.solve(label_map).alpha, sample.alpha))
        errors.append(row)
    without, with_it, held = np.mean(errors, axis=0)
    assert with_it < 0.99 * without
    assert held == pytest.approx(without, abs=1e-4)
