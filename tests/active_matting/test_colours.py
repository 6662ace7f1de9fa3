"""Foreground and background of a matte."""

from pathlib import Path

import numpy as np
import pytest

from active_matting import QuerySession, make_solver
from active_matting.colours import cut_out, estimate_colours
from active_matting.data.images import read_cutout, to_bytes, write_picture
from active_matting.errors import FileError, InvalidArrayError
from active_matting.solvers.base import Matte
from active_matting.testing import made_up_image
from active_matting.types import Label

SHAPES = [(40, 50), (1, 9), (9, 1), (1, 1), (2, 2), (1, 100)]


def true_colours(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Of `made_up_image`."""
    y, x = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
    return np.array([0.9, 0.5, 0.2]) + 0.1 * y[..., None], np.array([0.1, 0.3, 0.6]) + 0.1 * x[..., None]


@pytest.mark.parametrize("shape", SHAPES)
def test_colours_make_up_the_image(shape: tuple[int, int]) -> None:
    image, alpha = made_up_image(shape)
    matte = estimate_colours(image, Matte(alpha))
    assert matte.foreground is not None
    assert matte.background is not None
    for colours in (matte.foreground, matte.background):
        assert colours.shape == (*shape, 3)
        assert colours.dtype == np.float32
        assert colours.min() >= 0
        assert colours.max() <= 1
    composite = alpha[..., None] * matte.foreground + (1 - alpha[..., None]) * matte.background
    np.testing.assert_allclose(composite, image, atol=0.04)
    is_pure = (alpha == 0) | (alpha == 1)
    np.testing.assert_allclose(composite[is_pure], image[is_pure], atol=1e-6)


def test_colours_are_the_ones_that_were_mixed() -> None:
    shape = (60, 80)
    image, alpha = made_up_image(shape)
    matte = estimate_colours(image, Matte(alpha))
    for found, true, opacity in zip(
        (matte.foreground, matte.background), true_colours(shape), (alpha, 1 - alpha), strict=True
    ):
        assert found is not None
        error = np.abs(found - true)[opacity > 0.1]
        mixed = np.abs(image - true)[opacity > 0.1]
        assert error.mean() < 0.03
        assert np.sqrt((error**2).mean()) < 0.35 * np.sqrt((mixed**2).mean())


def test_what_the_solver_told_beside_its_colours_is_kept() -> None:
    image, alpha = made_up_image()
    matte = estimate_colours(image, Matte(alpha, foreground=image, aleatoric=alpha))
    assert matte.alpha is alpha
    assert matte.aleatoric is alpha
    assert not np.array_equal(matte.foreground, image)  # type: ignore[arg-type]


@pytest.mark.parametrize("alpha", [np.zeros((3, 4), np.float32), np.full((24, 24), np.nan, np.float32)])
def test_an_alpha_that_is_none_is_refused(alpha: np.ndarray) -> None:
    with pytest.raises(InvalidArrayError, match="alpha must"):
        estimate_colours(made_up_image()[0], Matte(alpha))


def test_a_session_cuts_the_object_out(tmp_path: Path) -> None:
    image = made_up_image((40, 40))[0]
    session = QuerySession(image, make_solver("closed-form"), region_size=5)
    session.click(20, 20, 4, Label.FOREGROUND)
    session.stroke(((0, 0), (0, 39)), 2, Label.BACKGROUND)
    rgba = session.cutout()
    assert rgba.shape == (40, 40, 4)
    assert rgba.dtype == np.float32
    np.testing.assert_array_equal(rgba[..., 3], session.alpha)
    np.testing.assert_array_equal(rgba, cut_out(image, session.matte))

    write_picture(tmp_path / "object.png", to_bytes(rgba))
    colours, alpha = read_cutout(tmp_path / "object.png")
    np.testing.assert_allclose(np.dstack([colours, alpha]), rgba, atol=0.5 / 255 + 1e-6)
    with pytest.raises(FileError, match="RGBA"):
        write_picture(tmp_path / "object.jpg", to_bytes(rgba))


def test_the_solvers_own_colours_are_cut_out() -> None:
    image, alpha = made_up_image()
    own = np.full_like(image, 0.25)
    np.testing.assert_array_equal(cut_out(image, Matte(alpha, foreground=own)), np.dstack([own, alpha]))


def test_an_object_cut_out_and_put_over_something_else_has_no_halo(tmp_path: Path) -> None:
    shape = (80, 100)
    image, alpha = made_up_image(shape)
    foreground, other = true_colours(shape)[0], np.array([0.95, 0.95, 0.9])  # over the image's: a cool, dark slope
    opacity = alpha[..., None]
    truth = opacity * foreground + (1 - opacity) * other
    write_picture(tmp_path / "cutout.png", to_bytes(cut_out(image, Matte(alpha))))
    colours, read = read_cutout(tmp_path / "cutout.png")
    is_edge = (alpha > 0) & (alpha < 1)

    def error(of: np.ndarray) -> float:
        composite = read[..., None] * of + (1 - read[..., None]) * other
        return float(np.sqrt(np.mean((composite - truth)[is_edge] ** 2)))

    assert error(colours) < 0.25 * error(image)
