"""Large-kernel matting's operator, its coarse form and its mattes, against dense ones."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray
from pymatting.laplacian.lkm_laplacian import lkm_laplacian

from active_matting.errors import InvalidArgumentError
from active_matting.solvers import make_solver
from active_matting.solvers.large_kernel.coarse import Coarse
from active_matting.solvers.large_kernel.windows import Windows
from active_matting.testing import made_up_image, made_up_labels
from active_matting.types import Image, LabelMap

SHAPE = (25, 34)


def dense_laplacian(image: Image, radius: int, epsilon: float) -> NDArray[np.float64]:
    """He, Sun and Tang 2010, eq. 3, window by window, by the singular values of its colours."""
    h, w = image.shape[:2]
    numbers = np.arange(h * w).reshape(h, w)
    colours = image.reshape(-1, 3).astype(np.float64)
    L = np.zeros((h * w, h * w))
    size = 2 * radius + 1
    for y in range(h - size + 1):
        for x in range(w - size + 1):
            pixels = numbers[y : y + size, x : x + size].ravel()
            U, s, _ = np.linalg.svd(colours[pixels] - colours[pixels].mean(axis=0), full_matrices=False)
            fitted = 1 / size**2 + (U * (s**2 / (s**2 + epsilon))) @ U.T
            L[np.ix_(pixels, pixels)] += np.eye(size**2) - fitted
    return L


def awkward_image(name: str) -> Image:
    rng = np.random.default_rng(0)
    h, w = SHAPE
    y, x = np.mgrid[:h, :w]
    image = np.full((h, w, 3), 0.7)
    match name:
        case "noise":
            image = rng.random((h, w, 3))
        case "black and white":
            image = np.repeat(rng.integers(0, 2, (h, w, 1)), 3, axis=2).astype(np.float64)
        case "dots":
            image[rng.random((h, w)) < 0.02] = 0.1
        case "one dot":
            image[12, 20] = 0.1
        case "half flat":
            image = np.where(x[..., None] < w / 2, 0, rng.random((h, w, 3)))
        case "grey slope":
            image = np.repeat((x / w + y / h)[..., None] / 2, 3, axis=2)
    return image.astype(np.float32)


def prolongation(coarse: Coarse) -> NDArray[np.float64]:
    """The coarse form's functions as columns, one hat at a time."""
    _, h, w = coarse.windows.colours.shape
    ny, nx = coarse.frames.shape[:2]
    y, x = (np.linspace(0, n - 1, length) for n, length in ((ny, h), (nx, w)))
    columns = []
    for i in range(ny):
        for j in range(nx):
            hat = np.outer(np.maximum(0, 1 - abs(y - i)), np.maximum(0, 1 - abs(x - j)))
            for b, *a in coarse.frames[i, j]:
                columns.append((hat * (b + np.tensordot(a, coarse.windows.colours, 1))).ravel())
    return np.column_stack(columns)


@pytest.mark.parametrize(("shape", "radius"), [((21, 21), 10), ((23, 50), 10), ((9, 7), 1), ((3, 12), 1)])
def test_the_product_and_the_diagonal_are_those_of_the_windows_written_out(shape: tuple[int, int], radius: int) -> None:
    image = made_up_image(shape)[0]
    windows, L = Windows.of(image, 2 * radius + 1, 1e-5), dense_laplacian(image, radius, 1e-5)
    p = np.random.default_rng(1).random(shape)
    np.testing.assert_allclose(windows.multiply(p).ravel(), L @ p.ravel(), atol=1e-9)
    np.testing.assert_allclose(windows.diagonal().ravel(), np.diag(L), atol=1e-7)


def test_the_product_and_the_diagonal_are_those_of_pymatting() -> None:
    image = made_up_image((45, 60))[0]
    windows = Windows.of(image, 21, 1e-7)
    multiply, diagonal = lkm_laplacian(image.astype(np.float64), epsilon=1e-7, radius=10)
    p = np.random.default_rng(1).random((45, 60))
    np.testing.assert_allclose(windows.multiply(p).ravel(), multiply(p), atol=1e-8)
    np.testing.assert_allclose(windows.diagonal().ravel(), diagonal, atol=1e-8)


@pytest.mark.parametrize("shape", [SHAPE, (7, 40)])
def test_the_coarse_form_is_the_laplacian_between_its_functions(shape: tuple[int, int]) -> None:
    windows = Windows.of(made_up_image(shape)[0], 7, 1e-4)
    coarse = Coarse.of(windows)
    P, L = prolongation(coarse), dense_laplacian(made_up_image(shape)[0], 3, 1e-4)
    np.testing.assert_allclose(coarse.energy, P.T @ L @ P, atol=1e-8 * np.abs(coarse.energy).max())

    rng = np.random.default_rng(2)
    weight, r = rng.random(shape) * (rng.random(shape) < 0.3), rng.random(shape)
    A = P.T @ (L + np.diag(weight.ravel())) @ P
    expected = P @ np.linalg.solve(A, P.T @ r.ravel())
    np.testing.assert_allclose(coarse.factorise(weight).solve(r).ravel(), expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["flat", "noise", "black and white", "dots", "one dot", "half flat", "grey slope"])
@pytest.mark.parametrize("are_few_told", [False, True])
def test_a_matte_is_the_dense_solution(name: str, are_few_told: bool) -> None:
    image, label_map = awkward_image(name), made_up_labels(SHAPE)
    if are_few_told:  # a corner, where one window holds the pixel, among them
        label_map[:] = 0
        label_map[0, 0], label_map[12, 17] = -1, 1
    alpha = make_solver("lkm", epsilon=1e-5).prepare(image).solve(label_map).alpha
    np.testing.assert_allclose(alpha, dense_matte(image, label_map, 6, 1e-5), atol=1e-4)


def dense_matte(image: Image, label_map: LabelMap, radius: int, epsilon: float) -> NDArray[np.float64]:
    is_known = np.abs(label_map) == 1
    A = dense_laplacian(image, radius, epsilon) + np.diag(100.0 * is_known.ravel())
    solution = np.linalg.solve(A, 100.0 * (label_map.ravel() == 1)).reshape(label_map.shape)
    return np.where(is_known, label_map == 1, np.clip(solution, 0, 1))


@pytest.mark.parametrize("shape", [(100, 100), (60, 200)])
def test_few_iterations_are_enough(shape: tuple[int, int]) -> None:
    image, label_map = made_up_image(shape)[0], made_up_labels(shape)
    make_solver("lkm", max_iterations=40).prepare(image).solve(label_map)


@pytest.mark.parametrize("arguments", [{"radius": 0}, {"epsilon": 0.0}, {"penalty": -1.0}])
def test_what_makes_no_sense_is_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(InvalidArgumentError, match="radius must be at least 1, epsilon and penalty positive, got"):
        make_solver("lkm", **arguments)


def test_pymatting_is_not_loaded() -> None:
    script = "import sys, active_matting.solvers.lkm; sys.exit('pymatting' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
