"""From a smaller matte to the photograph's own size."""

import cv2
import numpy as np
import pytest

from active_matting.data.rendered import Rendered
from active_matting.errors import InvalidArrayError
from active_matting.full_size import enlarge, matte_at_full_size, shrink, shrunk_shape, trimap_at
from active_matting.labels import from_trimap
from active_matting.metrics import rmse
from active_matting.regions import Region
from active_matting.session import QuerySession
from active_matting.solvers import make_solver
from active_matting.types import Alpha, Image, Label, LabelMap


def disc(size: int) -> tuple[Image, Alpha]:
    """A red disc with a soft edge on blue, and its alpha."""
    y, x = np.mgrid[:size, :size]
    distance = size * 0.3 - np.hypot(y - size / 2 + 0.5, x - size / 2 + 0.5)
    alpha = np.clip(distance + 0.5, 0, 1).astype(np.float32)
    image = alpha[..., None] * np.array([0.9, 0.2, 0.1]) + (1 - alpha[..., None]) * np.array([0.1, 0.3, 0.8])
    return image.astype(np.float32), alpha


def smaller(alpha: Alpha, longest: int) -> tuple[Alpha, LabelMap]:
    small = shrink(alpha, longest)
    unknown = cv2.dilate(((small > 0.02) & (small < 0.98)).astype(np.uint8), np.ones((5, 5), np.uint8))
    return small, from_trimap(np.where(unknown, 0.5, np.round(small)).astype(np.float32))


def test_an_edge_is_sharper_than_the_enlarged_one_and_has_its_own_colours() -> None:
    photograph, truth = disc(160)
    small, _ = smaller(truth, 40)
    matte = matte_at_full_size(photograph, small, np.zeros(small.shape, np.int8))
    assert matte.alpha.shape == (160, 160)
    assert matte.alpha.dtype == np.float32
    assert rmse(matte.alpha, truth) < 0.7 * rmse(enlarge(small, photograph.shape), truth)
    assert matte.foreground is not None
    edge = (truth > 0.3) & (truth < 1)
    assert np.abs(matte.foreground[edge] - [0.9, 0.2, 0.1]).mean() < 0.1


def test_a_rendered_picture_gains_detail() -> None:
    sample = Rendered(split="validation", count=1, size=160)[0]
    session = QuerySession(shrink(sample.image, 80), make_solver("closed-form"), region_size=4)
    _, labels = smaller(sample.alpha, 80)
    for label in (Label.FOREGROUND, Label.BACKGROUND):
        for y, x in np.argwhere(labels == label)[::3]:
            session.click(int(y), int(x), 0, label)
    matte = session.at_full_size(sample.image)
    assert rmse(matte.alpha, sample.alpha) < rmse(enlarge(session.alpha, sample.image.shape), sample.alpha)


def test_what_was_told_holds_at_full_size() -> None:
    photograph, _ = disc(120)
    session = QuerySession(shrink(photograph, 40), make_solver("random-walk"), region_size=6)
    session.answer(Region(20, 20, 6), Label.BACKGROUND)  # against what one sees
    session.answer(Region(3, 3, 6), Label.FOREGROUND)
    session.stroke([(30, 5), (36, 30)], 1, Label.FOREGROUND)
    matte = session.at_full_size(photograph)
    told = cv2.resize(session.label_map, (120, 120), interpolation=cv2.INTER_NEAREST)
    assert (matte.alpha[told == 1] == 1).all()
    assert (matte.alpha[told == -1] == 0).all()


def test_of_the_images_own_size_it_is_the_sessions_matte() -> None:
    session = QuerySession(disc(40)[0], make_solver("random-walk"))
    assert session.at_full_size(session.image) is session.matte


def test_without_both_classes_the_alpha_is_enlarged() -> None:
    photograph = disc(80)[0]
    matte = QuerySession(shrink(photograph, 40), make_solver("shared")).at_full_size(photograph)
    np.testing.assert_array_equal(matte.alpha, np.float32(0.5))


def test_a_trimap_is_unknown_around_what_is_in_between_and_where_a_transition_was_told() -> None:
    alpha = np.zeros((6, 12), np.float32)
    alpha[:, 6:] = 1
    alpha[0, 0] = 0.4
    labels = np.zeros((6, 12), np.int8)
    labels[5, 6], labels[5, 11], labels[2, 11] = 1, 2, -1
    trimap = trimap_at((12, 24, 3), alpha, labels)
    assert trimap.shape == (12, 24)
    small = trimap[::2, ::2]
    assert small[3].tolist() == [-1, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 1]
    assert small[0].tolist()[:3] == [0, 0, -1]
    assert small[5].tolist()[6:] == [1, 0, 1, 1, 1, 0]
    assert small[2, 11] == -1
    np.testing.assert_array_equal(np.kron(small, np.ones((2, 2), np.int8)), trimap)


def test_a_photograph_of_another_shape_is_refused() -> None:
    session = QuerySession(disc(40)[0], make_solver("random-walk"))
    with pytest.raises(InvalidArrayError, match=r"shrinks to the shape \(40, 40\), got \(80, 60\)"):
        session.at_full_size(np.zeros((80, 60, 3), np.float32))
    assert shrunk_shape((80, 60), 40) == (40, 30)


def test_shrinking_keeps_what_is_small_enough() -> None:
    image = disc(40)[0]
    np.testing.assert_array_equal(shrink(image, 400), image)
    assert shrink(image, 20).shape == (20, 20, 3)
