"""The contract of every solver, and the classical ones against direct solutions of the same equations."""

import dataclasses
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from made_up_networks import NETWORK_SOLVERS, tiny_arguments
from numpy.typing import NDArray
from pymatting.alpha.estimate_alpha_cf import estimate_alpha_cf
from pymatting.laplacian.cf_laplacian import cf_laplacian
from pymatting.laplacian.lbdm_laplacian import lbdm_laplacian
from pymatting.laplacian.lkm_laplacian import lkm_laplacian
from scipy.sparse.linalg import spsolve

from active_matting.errors import ConvergenceError
from active_matting.labels import to_trimap
from active_matting.solvers import SOLVERS, Matte, make_solver
from active_matting.solvers.base import PreparedClassical
from active_matting.testing import check_solver, made_up_image, made_up_labels
from active_matting.types import Image, Label, LabelMap, check_image

SMALL: dict[str, dict[str, Any]] = {"lkm": {"radius": 3, "epsilon": 1e-3, "tolerance": 1e-5}}
"""What a solver is told for images as small as those of the contract's checks, to fit and to be quick."""


def small_solver(name: str) -> Any:
    return make_solver(name, **SMALL.get(name, {}), **tiny_arguments(name))


@dataclass(frozen=True)
class Faulty:
    """A solver that takes the grey level for alpha where nothing is told, and is right but for one fault."""

    fault: str = ""

    def prepare(self, image: Image) -> Any:
        if self.fault != "takes any image":
            image = check_image(image)
        return FaultyPrepared(self, image if self.fault == "keeps a view" else image.copy())

    def __hash__(self) -> int:
        return id(self) if self.fault == "hashes by identity" else hash(self.fault)


class FaultyPrepared:
    def __init__(self, solver: Faulty, image: Image) -> None:
        self.fault = solver.fault
        self.image = image
        h, w = image.shape[:2]
        self.shape = (w, h) if self.fault == "turns its shape" else (h, w)
        self.prepared = PreparedClassical((h, w), self.method)
        self.calls = 0

    def method(self, label_map: LabelMap, previous: Matte | None) -> Matte:
        if self.fault == "takes previous for truth" and previous is not None:
            return previous
        grey = self.image.mean(axis=2, dtype=np.float32)
        return Matte(np.clip(grey, 0, 1))

    def solve(self, label_map: LabelMap, previous: Matte | None = None) -> Matte:
        self.calls += 1
        h, w = self.image.shape[:2]
        match self.fault:
            case "looks for neighbours" if min(h, w) < 2:
                raise ValueError("no neighbours")
            case "divides by the contrast" if np.ptp(self.image) == 0:
                return Matte(np.full((h, w), np.nan, dtype=np.float32))
            case "smooths over labels" if h > 8 and (label_map[:, 1:] * label_map[:, :-1] == -1).any():
                return Matte(np.full((h, w), 0.5, dtype=np.float32))
        if self.fault == "takes any labels" and label_map.dtype != np.int8:
            label_map = np.zeros(self.image.shape[:2], dtype=np.int8)
        matte = self.prepared.solve(label_map, previous)
        alpha = matte.alpha
        match self.fault:
            case "ignores labels":
                alpha = np.full_like(alpha, 0.5)
            case "softens labels":
                alpha = np.clip(alpha, np.float32(0.001), np.float32(0.999))
            case "float64":
                return Matte(alpha.astype(np.float64))
            case "writes to labels":
                label_map[label_map == Label.TRANSITION] = Label.UNLABELLED
            case "not deterministic":
                alpha[label_map == Label.UNLABELLED] *= np.float32(1 - 1e-5 * self.calls)
            case "not a number":
                alpha[label_map == Label.TRANSITION] = np.nan
            case "out of range":
                alpha[label_map == Label.TRANSITION] = 1.2
            case "decides alone":
                alpha = np.where(alpha == 0.5, np.float32(0.4), alpha)
            case "flat":
                alpha = alpha.ravel()
        return Matte(alpha)

    def solve_many(self, label_maps: NDArray[np.int8]) -> NDArray[np.float32]:
        alphas = np.stack([self.solve(label_map).alpha for label_map in label_maps])
        return alphas[::-1].copy() if self.fault == "batch in another order" else alphas


@pytest.mark.parametrize("name", SOLVERS.names())
def test_the_contract_is_kept(name: str) -> None:
    check_solver(small_solver(name), needs_both_classes=name not in NETWORK_SOLVERS)


@pytest.mark.parametrize("name", SOLVERS.names())
def test_a_solver_survives_json(name: str) -> None:
    solver: Any = make_solver(name)
    arguments = json.loads(json.dumps(dataclasses.asdict(solver)))
    assert make_solver(name, **arguments) == solver
    assert hash(make_solver(name, **arguments)) == hash(solver)


@pytest.mark.parametrize("name", SOLVERS.names())
def test_a_solver_can_be_read_but_not_changed(name: str) -> None:
    solver: Any = make_solver(name)
    field = dataclasses.fields(solver)[0]
    assert f"{field.name}={getattr(solver, field.name)!r}" in repr(solver)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(solver, field.name, 3)


@pytest.mark.parametrize("name", SOLVERS.names())
def test_a_prepared_solver_can_be_sent_to_another_process(name: str) -> None:
    prepared = small_solver(name).prepare(made_up_image()[0])
    copy = pickle.loads(pickle.dumps(prepared))
    np.testing.assert_array_equal(copy.solve(made_up_labels()).alpha, prepared.solve(made_up_labels()).alpha)


@pytest.mark.parametrize("name", [name for name in SOLVERS.names() if name not in NETWORK_SOLVERS])  # these learn it
def test_a_composite_is_solved_better_than_by_saying_nothing(name: str) -> None:
    image, truth = made_up_image((40, 40))
    alpha = small_solver(name).prepare(image).solve(made_up_labels((40, 40))).alpha
    error, error_of_nothing = (float(np.sqrt(np.mean((a - truth) ** 2))) for a in (alpha, np.full_like(truth, 0.5)))
    assert error < 0.6 * error_of_nothing


def test_a_solver_without_fault_passes() -> None:
    check_solver(Faulty())


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("ignores labels", "pixels labelled foreground must have alpha 1, got values from 0.5 to 0.5"),
        ("softens labels", "pixels labelled foreground must have alpha 1, got values from 0.999 to 0.999"),
        ("float64", "alpha must be float32, got float64"),
        ("flat", r"alpha must have the image's shape \(24, 24\), got \(576,\)"),
        ("not a number", "alpha must be finite"),
        ("out of range", r"alpha must lie in \[0, 1\], got values from 0 to 1.2"),
        ("turns its shape", r"the prepared shape must be \(16, 29\), got \(29, 16\)"),
        ("writes to labels", "the label map must not be written to"),
        ("not deterministic", "solving twice must give the same alpha"),
        ("keeps a view", "writing to the image or to an earlier matte must not change later ones"),
        ("takes previous for truth", "the previous matte must not be written to"),
        ("decides alone", "nothing labelled: alpha must be 0.5 where"),
        ("batch in another order", "solve_many must equal solve, differs by 0.5"),
        ("divides by the contrast", "a flat image of 0: alpha must be finite"),
        ("smooths over labels", "answers that overlap: pixels labelled foreground must have alpha 1"),
        ("takes any image", "an image without channels must raise InvalidArrayError"),
        ("takes any labels", "labels that are floats must raise InvalidArrayError, got no error"),
        ("hashes by identity", "equal solvers must have equal hashes"),
    ],
)
def test_a_faulty_solver_is_caught_with_a_sentence(fault: str, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_solver(Faulty(fault))


def test_a_solver_that_fails_on_the_smallest_images_is_caught() -> None:
    with pytest.raises(AssertionError, match=r"image of \(1, 2\) must have a matte, got ValueError: no neighbours"):
        check_solver(Faulty("looks for neighbours"))


def test_a_solver_that_knows_better_with_one_class_may_be_excused() -> None:
    check_solver(Faulty("decides alone"), needs_both_classes=False)


def solve_directly(laplacian: Any, label_map: LabelMap) -> NDArray[np.float64]:
    """The solution (H, W) of `L alpha = 0` with the known pixels eliminated, by sparse factorisation."""
    labels = label_map.ravel()
    known, unknown = np.flatnonzero(np.abs(labels) == 1), np.flatnonzero(np.abs(labels) != 1)
    alpha = (labels == 1).astype(np.float64)
    matrix = scipy.sparse.csc_matrix(laplacian)
    alpha[unknown] = spsolve(matrix[unknown][:, unknown], -matrix[unknown][:, known] @ alpha[known])
    return np.asarray(np.clip(alpha, 0, 1).reshape(label_map.shape))


def graph_laplacian(weights: NDArray[np.float64]) -> Any:
    return scipy.sparse.csc_matrix(np.diag(weights.sum(axis=1)) - weights)


def walk_laplacian(image: Image) -> Any:
    """Grady et al. 2005, eq. 4, pair by pair of neighbours, of eight each."""
    h, w = image.shape[:2]
    colour = image.astype(np.float64).reshape(-1, 3)
    weights = np.zeros((h * w, h * w))
    for i in range(h * w):
        for j in range(h * w):
            if i != j and abs(i // w - j // w) <= 1 and abs(i % w - j % w) <= 1:
                weights[i, j] = 1e-6 + np.exp(-((np.linalg.norm(colour[i] - colour[j]) / 0.033) ** 2))
    return graph_laplacian(weights)


def knn_laplacian(image: Image) -> Any:
    """Chen et al. 2013, with neighbours found by sorting all distances."""
    h, w = image.shape[:2]
    y, x = np.meshgrid(np.linspace(0, 1, h), np.linspace(0, 1, w), indexing="ij")
    weights = np.zeros((h * w, h * w))
    for count, of_place in ((20, 2.0), (10, 0.1)):
        features = np.column_stack([image.reshape(-1, 3), of_place * y.ravel(), of_place * x.ravel()])
        for i in range(h * w):
            for j in np.argsort(np.linalg.norm(features - features[i], axis=1))[:count]:
                weights[i, j] += 1
                weights[j, i] += 1
    return graph_laplacian(weights)


@pytest.mark.parametrize(
    ("name", "make_laplacian"),
    [
        ("closed-form", lambda image: cf_laplacian(image.astype(np.float64), epsilon=1e-7, radius=1)),
        ("lbdm", lambda image: lbdm_laplacian(image.astype(np.float64), epsilon=1e-7, radius=1)),
        ("random-walk", walk_laplacian),
        ("knn", knn_laplacian),
    ],
)
@pytest.mark.parametrize("seed", range(2))
def test_a_matte_is_the_direct_solution(name: str, make_laplacian: Callable[[Image], Any], seed: int) -> None:
    shape = (17, 20)
    image, label_map = made_up_image(shape, seed)[0], made_up_labels(shape)
    alpha = make_solver(name).prepare(image).solve(label_map).alpha
    np.testing.assert_allclose(alpha, solve_directly(make_laplacian(image), label_map), atol=1e-3)


def test_closed_form_is_what_pymatting_gives_for_the_trimap() -> None:
    image, label_map = made_up_image()[0], made_up_labels()
    alpha = make_solver("closed-form").prepare(image).solve(label_map).alpha
    expected = estimate_alpha_cf(image.astype(np.float64), to_trimap(label_map).astype(np.float64))
    np.testing.assert_allclose(alpha, expected, atol=1e-3)


def test_lkm_is_closed_form_with_large_windows_and_a_penalty() -> None:
    shape = (10, 10)
    image, label_map = made_up_image(shape)[0], np.zeros(shape, dtype=np.int8)
    label_map[4:6, 4:6], label_map[0, 0], label_map[9, 9], label_map[0, 9] = 1, -1, -1, 2
    multiply, diagonal = lkm_laplacian(image.astype(np.float64), epsilon=1e-4, radius=2)
    dense = np.column_stack([multiply(unit) for unit in np.eye(100)])
    expected = cf_laplacian(image.astype(np.float64), epsilon=1e-4, radius=2).toarray()
    np.testing.assert_allclose(dense, expected, atol=1e-9)
    np.testing.assert_allclose(diagonal, np.diag(expected), atol=1e-9)

    is_known = np.abs(label_map.ravel()) == 1
    solution = np.linalg.solve(expected + np.diag(100.0 * is_known), 100.0 * (label_map.ravel() == 1))
    alpha = make_solver("lkm", radius=2, epsilon=1e-4).prepare(image).solve(label_map).alpha.ravel()
    np.testing.assert_allclose(alpha[~is_known], np.clip(solution, 0, 1)[~is_known], atol=1e-3)


def test_lkm_makes_its_windows_as_large_as_the_image_allows() -> None:
    image = made_up_image()[0]  # 24 pixels a side: two windows of 11
    label_map = made_up_labels()
    largest, wished = (make_solver("lkm", radius=r, epsilon=1e-3).prepare(image).solve(label_map) for r in (5, 10))
    np.testing.assert_array_equal(wished.alpha, largest.alpha)


@pytest.mark.parametrize("name", ["information-flow", "knn", "lkm"])
def test_giving_up_is_an_error_that_says_what_to_raise(name: str) -> None:
    solver = make_solver(name, **SMALL.get(name, {}) | {"max_iterations": 1, "tolerance": 1e-12})
    prepared = solver.prepare(made_up_image()[0])
    with pytest.raises(ConvergenceError, match=r"within 1 iterations; raise tolerance or max_iterations"):
        prepared.solve(made_up_labels())


@pytest.mark.parametrize("name", ["closed-form", "information-flow", "knn", "lbdm", "lkm", "random-walk"])
@pytest.mark.parametrize("shape", [(1, 9), (2, 2), (3, 8)])
def test_the_smallest_images_are_solved(name: str, shape: tuple[int, int]) -> None:
    label_map = np.zeros(shape, dtype=np.int8)
    label_map[0, 0], label_map[-1, -1] = 1, -1
    alpha = make_solver(name).prepare(made_up_image(shape)[0]).solve(label_map).alpha
    assert alpha.shape == shape
    assert np.isfinite(alpha).all()
    assert (alpha[0, 0], alpha[-1, -1]) == (1, 0)
