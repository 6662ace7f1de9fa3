"""Composites to learn from: each step alone."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pymatting.foreground.estimate_foreground_ml import estimate_foreground_ml

from active_matting.augmentation import (
    Camera,
    Geometry,
    Layers,
    Light,
    add_behind,
    change_light,
    extend_foreground,
    make_cutout,
    photograph,
    place_object,
    place_scene,
)
from active_matting.augmentation.colours import blurred, compressed, relit
from active_matting.data.own_colours import own_colours
from active_matting.errors import InvalidArgumentError, InvalidArrayError

STILL = Geometry(sides=(40,), scale=(1, 1), rotation=0, shear=0, mirror=0, scene=(1, 1))
RED, GREEN = np.array([[1, 0, 0], [0, 1, 0]], dtype=np.float32)


def disc(size: int, radius: float, softness: float = 8) -> NDArray[np.float32]:
    y, x = np.mgrid[:size, :size]
    return np.asarray(np.clip((radius - np.hypot(y - size / 2, x - size / 2)) / softness + 0.5, 0, 1), np.float32)


def random_layers(seed: int, size: int = 32) -> Layers:
    rng = np.random.default_rng(seed)
    foreground, background = rng.random((2, size, size, 3), dtype=np.float32)
    alpha = np.clip(rng.uniform(-0.5, 1.5, (size, size)), 0, 1).astype(np.float32)
    return Layers(foreground, alpha, background)


def resized(plane: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    how = cv2.INTER_AREA if size < len(plane) else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, (size, size), interpolation=how), dtype=np.float32)


@pytest.mark.parametrize("size", [24, 40, 512])
def test_resizing_spills_what_lies_beyond_alpha_unless_the_foreground_is_extended(size: int) -> None:
    alpha = disc(80, 25)
    colours = np.where(alpha[..., None] > 0, RED, GREEN)  # a red cut-out whose file is green where nobody sees it
    small = resized(alpha, size)
    is_faint = (small > 0) & (small < 0.1)
    assert is_faint.any()
    without, extended = resized(colours, size), resized(extend_foreground(colours, alpha), size)
    assert without[is_faint, 1].max() > 0.2
    assert extended[..., 1].max() < 0.01
    black = np.zeros_like(extended)
    spilt = Layers(without, small, black).image()[..., 1].max()
    assert spilt > 100 * Layers(extended, small, black).image()[..., 1].max()


def test_a_photographs_own_colours_do_not_spill_either() -> None:
    alpha = disc(80, 25)
    photo = alpha[..., None] * RED + (1 - alpha[..., None]) * GREEN
    small = resized(alpha, 40)
    is_faint = (small > 0) & (small < 0.1)
    assert resized(photo, 40)[is_faint, 1].max() > 0.5
    assert resized(own_colours(photo, alpha), 40)[is_faint, 1].max() < 0.1


@pytest.mark.parametrize("shape", [(64, 64), (37, 90), (1, 5), (2, 1)])
def test_own_colours_are_pymattings(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    image = rng.random((*shape, 3), dtype=np.float32)
    alpha = resized(disc(64, 20), 128)[: shape[0], : shape[1]]
    expected = estimate_foreground_ml(image.astype(np.float64), alpha.astype(np.float64))
    found = own_colours(image, alpha)
    np.testing.assert_allclose(found, np.where(alpha[..., None] == 1, image, expected), atol=1e-4)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(own_colours(image[:1, :1], alpha[:1, :1]), image[:1, :1])


def test_an_extended_foreground_keeps_what_is_seen() -> None:
    rng = np.random.default_rng(0)
    colours, alpha = rng.random((48, 48, 3), dtype=np.float32), disc(48, 15)
    extended = extend_foreground(colours, alpha)
    assert extended.dtype == np.float32
    assert extended.min() >= 0
    assert extended.max() <= 1
    np.testing.assert_array_equal(extended[alpha >= 0.1], colours[alpha >= 0.1])


@given(st.integers(0, 1000))
def test_a_second_object_is_seen_through_the_first_and_over_the_background(seed: int) -> None:
    first, second = random_layers(seed), random_layers(seed + 1)
    together = add_behind(first, second.foreground, second.alpha)
    np.testing.assert_allclose(together.alpha, 1 - (1 - first.alpha) * (1 - second.alpha), atol=1e-6)
    behind = Layers(second.foreground, second.alpha, first.background).image()
    np.testing.assert_allclose(together.image(), Layers(first.foreground, first.alpha, behind).image(), atol=1e-6)
    for plane in (together.foreground, together.alpha):
        assert plane.dtype == np.float32
        assert plane.min() >= 0
        assert plane.max() <= 1


def test_a_second_object_that_is_not_there_changes_nothing() -> None:
    layers = random_layers(0)
    together = add_behind(layers, np.ones_like(layers.foreground), np.zeros_like(layers.alpha))
    np.testing.assert_array_equal(together.foreground, layers.foreground)
    np.testing.assert_array_equal(together.alpha, layers.alpha)


def test_layers_must_have_one_shape() -> None:
    layers = random_layers(0)
    with pytest.raises(InvalidArrayError, match=r"foreground must have shape \(32, 32, 3\)"):
        replace(layers, foreground=layers.foreground[1:])
    with pytest.raises(InvalidArrayError, match="alpha must have shape"):
        replace(layers, alpha=layers.foreground)
    with pytest.raises(InvalidArrayError, match=r"alpha must have the layers' shape \(32, 32\)"):
        add_behind(layers, layers.foreground[1:], layers.alpha[1:])
    with pytest.raises(InvalidArrayError, match="foreground"):
        add_behind(layers, layers.foreground[1:], layers.alpha)


def test_an_object_that_is_not_changed_is_cut_out_as_it_is() -> None:
    rng = np.random.default_rng(0)
    colours = (rng.integers(0, 256, (100, 90, 3)) / 255).astype(np.float32)
    alpha = np.zeros((100, 90), dtype=np.float32)
    alpha[20:80, 10:70] = 1
    alpha[50, 40] = 0.6  # the one unknown pixel, around which it is cut
    foreground, opacity = place_object(make_cutout("box", colours, alpha), 40, rng, STILL)
    # A square of an even side around a pixel's middle is half a pixel off.
    square = np.s_[30:71, 20:61]
    np.testing.assert_allclose(foreground, moved_by_half_a_pixel(colours[square]), atol=0.02)
    np.testing.assert_allclose(opacity, moved_by_half_a_pixel(alpha[square]), atol=0.02)


def moved_by_half_a_pixel(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((plane[1:, 1:] + plane[1:, :-1] + plane[:-1, 1:] + plane[:-1, :-1]) / 4, dtype=np.float32)


@given(st.integers(0, 1000))
def test_colours_and_alpha_stay_together_however_they_are_warped(seed: int) -> None:
    rng = np.random.default_rng(seed)
    alpha = disc(120, 30, softness=20)
    cutout = make_cutout("disc", np.repeat(alpha[..., None], 3, axis=2), alpha)  # grey tells what alpha must be
    foreground, opacity = place_object(cutout, 64, rng, Geometry(sides=(60, 100), rotation=180, shear=30))
    assert foreground.shape == (64, 64, 3)
    assert opacity.shape == (64, 64)
    np.testing.assert_allclose(foreground[..., 1], opacity, atol=1e-6)
    assert ((opacity > 0) & (opacity < 1)).any()  # it was cut around an unknown pixel


def test_there_is_no_object_beyond_its_picture_but_its_colours_go_on() -> None:
    colours = np.broadcast_to(RED, (40, 40, 3))
    cutout = make_cutout("square", colours, np.ones((40, 40), dtype=np.float32))
    foreground, alpha = place_object(cutout, 64, np.random.default_rng(0), Geometry(sides=(640,), scale=(0.3, 0.3)))
    assert (alpha == 0).any()
    assert (alpha == 1).any()
    np.testing.assert_array_equal(foreground, np.broadcast_to(RED, (64, 64, 3)))


def test_the_frame_is_moved_inwards_from_an_edge_that_cuts_the_object() -> None:
    alpha = np.zeros((200, 200), dtype=np.float32)
    alpha[100:, 80:120] = 1  # a post, from below
    cutout = make_cutout("post", np.ones((200, 200, 3), dtype=np.float32), alpha)
    assert cutout.is_cut == ((False, True), (False, False))
    for seed in range(20):
        _, placed = place_object(cutout, 40, np.random.default_rng(seed), replace(STILL, sides=(40,)))
        below = len(placed) - 1 - np.flatnonzero(placed.max(axis=1) > 0.5).max()
        assert below <= 7  # a sixth of the frame, not the half that a square around the foot would show


def test_small_objects_come_from_small_levels_without_moire() -> None:
    stripes = np.zeros((256, 256, 3), dtype=np.float32)
    stripes[:, ::2] = 1  # of one pixel
    cutout = make_cutout("stripes", stripes, np.ones((256, 256), dtype=np.float32))
    foreground, _ = place_object(cutout, 64, np.random.default_rng(0), replace(STILL, sides=(256,)))
    np.testing.assert_allclose(foreground, 0.5, atol=0.01)


def test_a_scene_is_a_square_of_the_picture() -> None:
    scene = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    np.testing.assert_allclose(place_scene(scene, 40, np.random.default_rng(0), STILL), scene / 255, atol=1e-6)
    mirrored = place_scene(scene, 40, np.random.default_rng(0), replace(STILL, mirror=1))
    np.testing.assert_allclose(mirrored, scene[:, ::-1] / 255, atol=1e-6)
    large = np.repeat(np.repeat(scene, 4, axis=0), 4, axis=1)
    np.testing.assert_allclose(place_scene(large, 40, np.random.default_rng(0), STILL), scene / 255, atol=0.01)


def test_light_that_does_not_change_changes_nothing() -> None:
    colours = random_layers(0).foreground
    np.testing.assert_allclose(relit(colours, 1, 1, 1, 0), colours, atol=1e-6)
    unchanged = change_light(random_layers(0), np.random.default_rng(0), Light(probability=0))
    np.testing.assert_array_equal(unchanged.foreground, colours)


def test_light_does_what_it_says() -> None:
    colours = np.full((2, 2, 3), [0.2, 0.4, 0.1], dtype=np.float32)
    np.testing.assert_allclose(relit(colours, 2, 1, 1, 0), colours**2, atol=1e-6)
    np.testing.assert_allclose(relit(colours, 1, 1.5, 1, 0), 1.5 * colours, atol=1e-6)
    np.testing.assert_allclose(relit(colours, 1, 5, 1, 0)[0, 0], [1, 1, 0.5], atol=1e-6)  # clipped
    grey = float(colours[0, 0] @ [0.299, 0.587, 0.114])
    np.testing.assert_allclose(relit(colours, 1, 1, 0, 0), grey, atol=1e-6)
    np.testing.assert_allclose(relit(colours, 1, 1, 1, 120), np.roll(colours, 1, axis=-1), atol=1e-6)


@given(st.integers(0, 1000))
def test_alpha_stays_true_in_any_light(seed: int) -> None:
    layers = random_layers(seed)
    lit = change_light(layers, np.random.default_rng(seed), Light(probability=1))
    np.testing.assert_array_equal(lit.alpha, layers.alpha)
    opacity = lit.alpha[..., None]
    np.testing.assert_allclose(
        lit.image(), opacity * lit.foreground + (1 - opacity) * lit.background, atol=1e-6
    )  # the equation holds with the new colours
    for plane in (lit.foreground, lit.background, lit.image()):
        assert plane.dtype == np.float32
        assert plane.min() >= 0
        assert plane.max() <= 1
    assert not np.allclose(lit.foreground, layers.foreground, atol=1e-3)


def test_a_camera_blurs_and_compresses_the_image_alone() -> None:
    image = blurred(random_layers(0, 64).image(), 2)
    softer = blurred(image, 1.0)
    assert np.abs(np.diff(softer, axis=0)).mean() < 0.9 * np.abs(np.diff(image, axis=0)).mean()
    fine, coarse = compressed(image, 95), compressed(image, 20)
    assert 0 < np.abs(fine - image).mean() < np.abs(coarse - image).mean() < 0.1
    assert photograph(image, np.random.default_rng(0), Camera(blur=0, jpeg=0)) is image
    both = photograph(image, np.random.default_rng(0), Camera(blur=1, jpeg=1))
    assert both.dtype == np.float32
    np.testing.assert_allclose(255 * both, np.rint(255 * both), atol=1e-3)


def test_a_compressed_picture_keeps_its_channels_in_order() -> None:
    image = np.full((16, 16, 3), [0.9, 0.5, 0.1], dtype=np.float32)
    np.testing.assert_allclose(compressed(image, 95), image, atol=0.02)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Geometry(sides=()),
        lambda: Geometry(scale=(2, 1)),
        lambda: Geometry(rotation=-1),
        lambda: Geometry(scene=(0, 1)),
        lambda: Light(probability=2),
        lambda: Light(gamma=0.5),
        lambda: Camera(jpeg=-1),
        lambda: Camera(quality=(0, 50)),
    ],
)
def test_impossible_parameters_are_refused(make: type) -> None:
    with pytest.raises(InvalidArgumentError, match=r"must|got"):
        make()
