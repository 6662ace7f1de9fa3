"""Shared sampling, one label map after the other: what it keeps from one solve to the next leaves no trace."""

import pickle
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from active_matting.solvers.base import Matte
from active_matting.solvers.sampling.changes import Changed
from active_matting.solvers.sampling.rays import Met, cast_rays
from active_matting.solvers.sampling.rows import Frame, Workers
from active_matting.solvers.shared import PreparedShared, Shared, _Workspace
from active_matting.types import Image, LabelMap

SHAPE = 60, 53


def mottled(seed: int, shape: tuple[int, int] = SHAPE) -> Image:
    """Blurred noise in few shades: areas of one colour, into which labels grow, and edges."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).random((*shape, 3)), (0, 0), 3)
    shades: Image = np.round(8 * (noise - noise.min()) / np.ptp(noise)).astype(np.float32) / np.float32(8)
    return shades


def from_scratch(solver: Shared, image: Image, label_map: LabelMap, threads: int) -> Matte:
    """In memory that nothing was solved in before."""
    with patch.object(_Workspace, "_idle", deque()):
        return solver.prepare(image)._solve_with(threads, label_map)


def assert_same(matte: Matte, other: Matte) -> None:
    for name in ("alpha", "foreground", "background"):
        ours, theirs = getattr(matte, name), getattr(other, name)
        assert (ours is None) == (theirs is None)
        if ours is not None:
            np.testing.assert_array_equal(ours, theirs)
            assert np.isfinite(ours).all()


@st.composite
def sequences(draw: st.DrawFn) -> list[tuple[int, LabelMap]]:
    """Label maps, each for one of two images: regions of any label, or of none, over the last or an earlier map."""
    h, w = SHAPE
    steps = [(0, np.zeros(SHAPE, dtype=np.int8))]
    for _ in range(draw(st.integers(2, 9))):
        _, label_map = steps[-1] if draw(st.integers(0, 3)) else draw(st.sampled_from(steps))
        label_map, side = label_map.copy(), draw(st.sampled_from([1, 4, 11, 30]))
        y, x = draw(st.integers(0, h - side)), draw(st.integers(0, w - side))
        label_map[y : y + side, x : x + side] = draw(st.sampled_from([1, -1, 1, -1, 2, 0]))
        steps.append((int(draw(st.integers(0, 5)) == 0), label_map))
    return steps


@settings(max_examples=40, deadline=None)
@given(sequences(), st.sampled_from([1, 2]), st.sampled_from([(4, 4), (3, 5), (5, 1)]))
def test_what_was_solved_before_leaves_no_trace(
    steps: list[tuple[int, LabelMap]], threads: int, sizes: tuple[int, int]
) -> None:
    images = mottled(0), mottled(1)
    solver = Shared(rays=sizes[0], tile=sizes[1])
    prepared = [solver.prepare(image) for image in images]
    with patch.object(_Workspace, "_idle", deque()):  # one for both
        for which, label_map in steps:
            matte = prepared[which]._solve_with(threads, label_map)
            assert_same(matte, from_scratch(solver, images[which], label_map, threads))


def regions_in_turn(shape: tuple[int, int], count: int, seed: int = 0) -> list[LabelMap]:
    """Of either kind by turns, 20 pixels wide; the label map after each from the second on."""
    rng, label_map, label_maps = np.random.default_rng(seed), np.zeros(shape, dtype=np.int8), []
    for i in range(count):
        y, x = (int(rng.integers(0, side - 20)) for side in shape)
        label_map = label_map.copy()
        label_map[y : y + 20, x : x + 20] = 1 - 2 * (i % 2)
        label_maps.append(label_map)
    return label_maps[1:]


@pytest.mark.parametrize("shape", [(170, 161), (150, 260)])
def test_regions_added_and_undone_in_a_larger_image(shape: tuple[int, int]) -> None:
    image, label_maps = mottled(2, shape), regions_in_turn(shape, 7)
    prepared = Shared().prepare(image)
    for i, label_map in enumerate(label_maps + label_maps[:-1][::-1]):
        assert_same(prepared._solve_with(1 + i % 2, label_map), from_scratch(Shared(), image, label_map, 1))


def test_images_that_take_turns_do_not_disturb_each_other() -> None:
    images = [mottled(seed, (90, 80)) for seed in range(3)]
    prepared = [Shared().prepare(image) for image in images]
    with patch.object(_Workspace, "_idle", deque(maxlen=2)):  # one fewer than images
        for label_map in regions_in_turn((90, 80), 5):
            for image, one in zip(images, prepared, strict=True):
                for _ in range(2):
                    assert_same(one.solve(label_map), from_scratch(Shared(), image, label_map, 1))


def test_threads_that_solve_at_once_do_not_disturb_each_other() -> None:
    images = [mottled(seed, (90, 80)) for seed in range(2)]
    prepared = [Shared().prepare(image) for image in images]
    label_maps = np.stack(regions_in_turn((90, 80), 12))
    expected = [[from_scratch(Shared(), image, one, 1).alpha for one in label_maps] for image in images]
    tasks = [(which, i) for i in range(len(label_maps)) for which in (0, 1)]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            alphas = pool.map(lambda task: prepared[task[0]].solve(label_maps[task[1]]).alpha, tasks)
            for (which, i), alpha in zip(tasks, alphas, strict=True):
                np.testing.assert_array_equal(alpha, expected[which][i])
    np.testing.assert_array_equal(prepared[0].solve_many(label_maps), expected[0])


def test_what_is_kept_is_the_processs_and_no_part_of_a_prepared_image() -> None:
    image, label_maps = mottled(3), regions_in_turn(SHAPE, 4)
    prepared = Shared().prepare(image)
    size = len(pickle.dumps(prepared))
    for label_map in label_maps:
        prepared.solve(label_map)
    assert len(pickle.dumps(prepared)) == size
    twin: PreparedShared = pickle.loads(pickle.dumps(prepared))
    assert_same(twin.solve(label_maps[0]), from_scratch(Shared(), image, label_maps[0], 1))


def test_a_solve_that_fails_leaves_no_trace() -> None:
    image, label_maps = mottled(4), regions_in_turn(SHAPE, 4)
    prepared = Shared().prepare(image)
    prepared.solve(label_maps[0])
    for stage in ("gather", "refine", "smooth"):
        failing = patch(f"active_matting.solvers.shared.{stage}", side_effect=KeyboardInterrupt)
        with failing, pytest.raises(KeyboardInterrupt):
            prepared.solve(label_maps[1])
        assert_same(prepared.solve(label_maps[2]), from_scratch(Shared(), image, label_maps[2], 1))


def slow_extents(differs: NDArray[Any]) -> list[list[int]]:
    columns = [np.flatnonzero(row) for row in differs]
    return [[int(c[0]), int(c[-1]) + 1] if len(c) else [0, 0] for c in columns]


@pytest.mark.parametrize("shape", [(1, 1), (7, 30), (30, 7), (17, 64)])
def test_changes_are_bounded_by_rows_and_columns(shape: tuple[int, int]) -> None:
    frame, rng = Frame(*shape, margin=3), np.random.default_rng(0)
    before = frame.full(1, 2)[0]
    frame.inside(before)[:] = rng.integers(-1, 2, shape)
    known = before.copy()
    frame.inside(known)[rng.random(shape) < 0.05] = 1
    differs = np.not_equal(frame.inside(before), frame.inside(known))
    changed = Changed.between(frame, before, known)
    assert changed.rows.tolist() == slow_extents(differs)
    assert changed.columns.tolist() == slow_extents(differs.T)


def test_rays_that_no_change_can_have_touched_are_not_cast() -> None:
    frame, (h, w) = Frame(40, 40, margin=3), (40, 40)
    tensor = np.random.default_rng(0).random((3, h, w)).astype(np.float32)
    both = tensor, np.ascontiguousarray(tensor[::-1].transpose(0, 2, 1))
    known = frame.full(1, 0)[0]
    frame.inside(known)[3:6, 3:6] = 1
    met, after = Met.of(frame, 4, 4), known.copy()
    frame.inside(after)[20:23, 30:33] = -1
    with Workers(1) as workers:
        cast_rays(frame, both, 4, known, Changed.all_of(frame), met, workers)
        assert met.is_new.all()
        met.is_new[:] = False
        cast_rays(frame, both, 4, after, Changed.between(frame, known, known), met, workers)
        assert not met.is_new.any()
        cast_rays(frame, both, 4, after, Changed.between(frame, known, after), met, workers)
    is_new = met.is_new.reshape(h, w)[:, met.ranks]
    assert 0 < is_new.mean() < 0.5
    hits = met.hits.reshape(h, w, 4, 2)[:, met.ranks]
    is_unknown = ~frame.inside(after).astype(np.bool_)
    np.testing.assert_array_equal(hits[is_unknown, :, 1].max(1) >= 0, is_new[is_unknown])
