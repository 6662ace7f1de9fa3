"""Trimaps, hints and patches made of a true alpha."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from active_matting.augmentation import random_hints, random_patches, random_trimap
from active_matting.augmentation.label_maps import _draw_disc
from active_matting.errors import InvalidArgumentError
from active_matting.labels import Click, rasterise
from active_matting.types import Label, check_label_map


def blob(seed: int, size: int = 90) -> NDArray[np.float32]:
    """Soft discs, some of which touch the frame; at times one class alone."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    alpha = np.zeros((size, size), dtype=np.float32)
    for _ in range(rng.integers(0, 4)):
        far = np.hypot(*(np.stack([y, x]) - rng.uniform(0, size, (2, 1, 1))))
        alpha = np.maximum(alpha, np.clip((rng.uniform(3, size) - far) / rng.uniform(0.1, 9), 0, 1))
    return alpha.astype(np.float32)


def distance_to(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """From every pixel to the nearest of the mask, the slow way."""
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    nearest = np.full(mask.shape, np.inf)
    for b, a in np.argwhere(mask):
        nearest = np.minimum(nearest, np.hypot(y - b, x - a))
    return nearest


@given(st.integers(0, 1000))
def test_all_of_the_transition_is_unknown_and_nothing_known_is_wrong(seed: int) -> None:
    alpha = blob(seed)
    trimap = random_trimap(alpha, np.random.default_rng(seed))
    assert trimap.dtype == np.int8
    assert set(np.unique(trimap)) <= {Label.BACKGROUND, Label.UNLABELLED, Label.FOREGROUND}
    assert not trimap[(alpha > 0) & (alpha < 1)].any()
    assert (alpha[trimap == Label.FOREGROUND] == 1).all()
    assert (alpha[trimap == Label.BACKGROUND] == 0).all()


@given(st.integers(0, 1000), st.integers(0, 9))
def test_what_is_nearly_of_one_class_may_count_as_such(seed: int, radius: int) -> None:
    alpha = blob(seed)
    nearly = np.clip(alpha, 0.02, 0.97)
    trimaps = [
        random_trimap(each, np.random.default_rng(seed), (radius, radius), tolerance)
        for each, tolerance in ((alpha, 0.03), (nearly, 0.03), (nearly, 0.0), (nearly, 0.02))
    ]
    np.testing.assert_array_equal(trimaps[0], trimaps[1])
    assert (alpha[trimaps[1] == Label.FOREGROUND] >= 0.97).all()
    assert (alpha[trimaps[1] == Label.BACKGROUND] <= 0.03).all()
    assert not trimaps[2].any()
    assert set(np.unique(trimaps[3])) <= {Label.UNLABELLED, Label.BACKGROUND}


@pytest.mark.parametrize("radius", [0, 1, 7, 15])
def test_the_unknown_reaches_as_far_as_it_should(radius: int) -> None:
    alpha = blob(5, 60)
    trimap = random_trimap(alpha, np.random.default_rng(0), reach=(radius, radius))
    for label, is_other in ((Label.FOREGROUND, alpha < 1), (Label.BACKGROUND, alpha > 0)):
        distance = distance_to(is_other)
        assert (distance[trimap == label] > radius).all()
        assert (trimap[distance > 1.05 * radius] == label).all()


def test_a_class_that_fills_the_frame_is_known() -> None:
    for value, label in ((1, Label.FOREGROUND), (0, Label.BACKGROUND)):
        alpha = np.full((30, 40), value, dtype=np.float32)
        assert (random_trimap(alpha, np.random.default_rng(0)) == label).all()


@given(st.integers(0, 1000), st.integers(0, 20))
def test_hints_are_true(seed: int, radius: int) -> None:
    alpha = blob(seed)
    hints = check_label_map(random_hints(alpha, np.random.default_rng(seed), radius=radius))
    assert (alpha[hints == Label.FOREGROUND] >= 0.98).all()
    assert (alpha[hints == Label.BACKGROUND] <= 0.02).all()
    assert not (hints == Label.TRANSITION).any()


def test_a_hint_is_a_disc_like_a_click() -> None:
    for y, x, radius in ((20, 30, 15), (2, 58, 9), (0, 0, 0), (40, 5, 7)):
        drawn = np.zeros((50, 60), dtype=np.int8)
        _draw_disc(drawn, y, x, radius, Label.FOREGROUND)
        np.testing.assert_array_equal(drawn, rasterise([Click(y, x, radius, Label.FOREGROUND)], (50, 60)))


def test_a_thin_class_is_told_by_small_discs() -> None:
    alpha = np.zeros((60, 60), dtype=np.float32)
    alpha[:, 30:33] = 1
    hints = [random_hints(alpha, np.random.default_rng(seed)) for seed in range(30)]
    assert any((found == Label.FOREGROUND).any() for found in hints)
    assert max(int((found == Label.FOREGROUND).sum(axis=1).max()) for found in hints) == 3


@pytest.mark.parametrize(("draw", "most"), [(random_hints, 31), (random_patches, 15)])
def test_counts_are_geometric_from_none_on(draw: type, most: int) -> None:
    alpha = np.zeros((200, 200), dtype=np.float32)  # all background, so that every hint and patch says so
    maps = [draw(alpha, np.random.default_rng(seed)) for seed in range(600)]
    empty = np.mean([not labels.any() for labels in maps])
    assert abs(empty - 1 / 6) < 0.05
    areas = [int((labels != 0).sum()) for labels in maps]
    assert max(areas) > 3 * most**2  # many
    certain = draw(alpha, np.random.default_rng(0), probability=1)
    assert not certain.any()


@given(st.integers(0, 1000))
def test_patches_say_what_the_annotator_says(seed: int) -> None:
    alpha = blob(seed)
    patches = check_label_map(random_patches(alpha, np.random.default_rng(seed)))
    assert (alpha[patches == Label.FOREGROUND] >= 0.98).all()
    assert (alpha[patches == Label.BACKGROUND] <= 0.02).all()


def test_a_patch_over_an_edge_is_a_transition() -> None:
    alpha = np.zeros((15, 15), dtype=np.float32)
    alpha[7:] = 1
    maps = [random_patches(alpha, np.random.default_rng(seed)) for seed in range(10)]
    assert {int(value) for labels in maps for value in np.unique(labels)} <= {Label.UNLABELLED, Label.TRANSITION}
    assert any((labels == Label.TRANSITION).all() for labels in maps)


def test_impossible_parameters_are_refused() -> None:
    alpha, rng = np.zeros((10, 12), dtype=np.float32), np.random.default_rng(0)
    with pytest.raises(InvalidArgumentError, match="reach"):
        random_trimap(alpha, rng, reach=(5, 3))
    with pytest.raises(InvalidArgumentError, match=r"tolerance must lie in \[0, 0.5\), got 0.5"):
        random_trimap(alpha, rng, tolerance=0.5)
    with pytest.raises(InvalidArgumentError, match="radius"):
        random_hints(alpha, rng, radius=-1)
    with pytest.raises(InvalidArgumentError, match="probability"):
        random_hints(alpha, rng, probability=0)
    with pytest.raises(InvalidArgumentError, match="side must be from 1 to 10"):
        random_patches(alpha, rng)
