"""Many images solved at once are each solved as alone."""

import threading
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from active_matting import make_solver
from active_matting.compiled import set_thread_count, thread_count, threads_at_most
from active_matting.solvers import Matte
from active_matting.solvers.together import in_threads, solve_together
from active_matting.types import LabelMap


def problems(count: int) -> tuple[list[NDArray[np.float32]], list[NDArray[np.int8]]]:
    """Images, and 1, 2, 3, 1, … label maps of each."""
    rng = np.random.default_rng(0)
    images = [rng.random((21, 26, 3), dtype=np.float32) for _ in range(count)]
    label_maps = []
    for number in range(count):
        maps = np.zeros((1 + number % 3, 21, 26), dtype=np.int8)
        for label_map in maps:
            y, x = rng.integers(0, 10, 2)
            label_map[y : y + 6, x : x + 5] = 1
            label_map[y + 8 : y + 11, x + 6 : x + 15] = -1
        label_maps.append(maps)
    return images, label_maps


@pytest.mark.parametrize("name", ["shared", "closed-form", "knn", "lkm", "segment-then-matte"])
def test_alphas_are_those_of_each_image_alone(name: str) -> None:
    images, label_maps = problems(5)
    prepared = [make_solver(name).prepare(image) for image in images]
    for alphas, one, maps in zip(solve_together(prepared, label_maps), prepared, label_maps, strict=True):
        np.testing.assert_array_equal(alphas, one.solve_many(maps))


@pytest.mark.parametrize("name", ["shared-torch", "closed-form-torch"])
def test_a_torch_solver_takes_them_as_one_batch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from active_matting.solvers.batched.batch import PreparedTorch

    images, label_maps = problems(5)
    prepared = [make_solver(name).prepare(image) for image in images]
    expected = [one.solve_many(maps) for one, maps in zip(prepared, label_maps, strict=True)]
    monkeypatch.delattr(PreparedTorch, "solve_many")  # nothing may be solved alone
    for alphas, alone in zip(solve_together(prepared, label_maps), expected, strict=True):
        assert isinstance(alphas, np.ndarray)
        assert alphas.shape == alone.shape
        np.testing.assert_allclose(alphas, alone, atol=2e-5)


@dataclass(frozen=True)
class Moody:
    """Solves, unless its number is 2; and remembers who asked and how many threads it was given."""

    number: int
    seen: list[tuple[int, int]]
    shape: tuple[int, int] = (3, 4)

    def solve(self, label_map: LabelMap, previous: Matte | None = None) -> Matte:
        raise NotImplementedError

    def solve_many(self, label_maps: NDArray[np.int8]) -> NDArray[np.float32]:
        self.seen.append((threading.get_ident(), thread_count()))
        if self.number == 2:
            raise ZeroDivisionError("two")
        return np.full(label_maps.shape, self.number / 10, dtype=np.float32)


@pytest.mark.parametrize("threads", [1, 2])
def test_one_failure_leaves_the_others_alone(threads: int) -> None:
    seen: list[tuple[int, int]] = []
    before = thread_count()
    set_thread_count(threads)
    try:
        made = solve_together([Moody(k, seen) for k in range(5)], [np.zeros((k + 1, 3, 4), np.int8) for k in range(5)])
    finally:
        set_thread_count(before)
    assert isinstance(made[2], ZeroDivisionError)
    for k in (0, 1, 3, 4):
        np.testing.assert_array_equal(made[k], np.full((k + 1, 3, 4), k / 10, dtype=np.float32))
    assert {given for _, given in seen} == {1}


def test_a_batch_that_fails_as_one_is_solved_one_by_one() -> None:
    class Joint(Moody):
        @staticmethod
        def solve_together(prepared: object, label_maps: object) -> list[NDArray[np.float32]]:
            raise ArithmeticError("all at once")

    made = solve_together([Joint(k, []) for k in (1, 2, 3)], [np.zeros((1, 3, 4), np.int8)] * 3)
    assert [type(each).__name__ for each in made] == ["ndarray", "ZeroDivisionError", "ndarray"]


def test_a_lone_job_may_use_all_threads() -> None:
    assert in_threads([thread_count]) == [thread_count()]


def test_a_limit_is_the_threads_own_and_ends() -> None:
    def count_in_another_thread() -> int:
        counts: list[int] = []
        thread = threading.Thread(target=lambda: counts.append(thread_count()))
        thread.start()
        thread.join()
        return counts[0]

    before, before_elsewhere = thread_count(), count_in_another_thread()
    with threads_at_most(1):
        assert thread_count() == 1
        with threads_at_most(5):
            assert thread_count() == 1
        assert count_in_another_thread() == before_elsewhere
    assert thread_count() == before
