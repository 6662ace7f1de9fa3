"""Dense kernels against NumPy, for sizes around their tiles and panels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_matting.solvers.grid.dense_kernels import divide_rows, eliminate, subtract_product, subtract_square

SIZES = st.integers(1, 9) | st.sampled_from([31, 32, 33, 63, 64, 65, 70, 100])


@given(SIZES, SIZES, SIZES, st.integers(0, 5))
def test_a_product_is_subtracted_from_some_columns(n: int, m: int, k: int, column: int) -> None:
    rng = np.random.default_rng([n, m, k])
    A, B, C = rng.normal(size=(n, k + 4)), rng.normal(size=(m, k + 4)), rng.normal(size=(n, m + 7))
    expected = C.copy()
    expected[:, column : column + m] -= A[:, 3 : k + 3] @ B[:, 3 : k + 3].T
    subtract_product(A, B, 3, k + 3, C, column)
    np.testing.assert_allclose(C, expected, atol=1e-12)


@given(SIZES, SIZES)
def test_a_square_is_subtracted_from_a_packed_triangle(n: int, k: int) -> None:
    rng = np.random.default_rng([n, k])
    A, packed = rng.normal(size=(n, k)), rng.normal(size=n * (n + 1) // 2)
    expected = packed - (A @ A.T)[np.tril_indices(n)]
    subtract_square(A, packed)
    np.testing.assert_allclose(packed, expected, atol=1e-12)


@given(SIZES, SIZES)
def test_columns_are_eliminated_as_by_numpy(own: int, below: int) -> None:
    rng = np.random.default_rng([own, below])
    half = rng.normal(size=(own, own + 5))
    A, B = half @ half.T + np.eye(own), rng.normal(size=(below, own))
    L = np.linalg.cholesky(A)
    P = np.concatenate([np.tril(A), B])
    assert eliminate(P, np.diag(A).copy()) == 0
    np.testing.assert_allclose(P[:own], L, atol=1e-8)
    np.testing.assert_allclose(P[own:], np.linalg.solve(L, B.T).T, atol=1e-8)

    wide = np.concatenate([B, B], axis=1)
    divide_rows(wide, P[:own])
    np.testing.assert_allclose(wide, np.concatenate([P[own:], B], axis=1), atol=1e-8)


@pytest.mark.parametrize("tie", [0.0, 1.0])
def test_pivots_that_are_noise_are_replaced(tie: float) -> None:
    A = tie * np.array([[2.0, -1, -1], [-1, 2, -1], [-1, -1, 2]])  # singular: nothing ties it to a label
    P = np.concatenate([A, np.zeros((1, 3))])
    assert eliminate(P, np.diag(A).copy()) == (1 if tie else 3)
    np.testing.assert_array_equal(P[3], 0)
    assert (np.diag(P[:3]) > 0).all()
