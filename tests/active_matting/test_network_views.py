"""What networks are shown: turns, scales, tiles, and the way back to the image's size."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from made_up_networks import prepare, tiny_solver

from active_matting.errors import MemoryLimitError
from active_matting.solvers.network import loading
from active_matting.solvers.network.tiles import run_in_tiles, tile_spans
from active_matting.solvers.network.upsampling import joint_upsampling, resize_planes
from active_matting.solvers.network.views import AUGMENTATIONS, Turn, resize_picture
from active_matting.testing import made_up_image, made_up_labels
from active_matting.types import Label


@pytest.mark.parametrize("turn", AUGMENTATIONS[8][1])
def test_a_turn_is_undone(turn: Turn) -> None:
    planes = torch.rand(1, 2, 3, 5)
    assert torch.equal(turn.undo(turn.show(planes)), planes)
    assert turn.show(planes).shape[2:] == ((5, 3) if turn.quarters % 2 else (3, 5))


def test_the_eight_turns_are_all_there_are() -> None:
    planes = torch.arange(9.0).reshape(1, 1, 3, 3)
    assert len({tuple(turn.show(planes).flatten().tolist()) for turn in AUGMENTATIONS[8][1]}) == 8


@pytest.mark.parametrize("augmentations", [2, 8])
def test_with_all_turns_the_matte_turns_with_the_image(augmentations: int) -> None:
    shape = (24, 24)
    image, labels = made_up_image(shape)[0], made_up_labels(shape)
    solver = tiny_solver("imatting", augmentations=augmentations)
    alpha = solver.prepare(image).solve(labels).alpha
    turns: list[Callable[[Any], Any]] = [np.fliplr, np.rot90] if augmentations == 8 else [np.fliplr]
    for turn in turns:
        turned = solver.prepare(np.ascontiguousarray(turn(image))).solve(np.ascontiguousarray(turn(labels))).alpha
        np.testing.assert_allclose(turned, turn(alpha), atol=1e-4)
    alone = tiny_solver("imatting").prepare(image).solve(labels).alpha
    assert np.abs(alone - alpha).max() > 1e-3


def test_scales_are_averaged_too(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = prepare("imatting", (40, 24), augmentations=24)
    assert [canvas.shape for canvas in prepared.canvases] == [(40, 24), (30, 18), (50, 30)]
    monkeypatch.setattr(loading.LoadedNetwork, "predict", lambda self, planes: planes[:, :1])  # the red of the image
    found = prepared._predict(made_up_labels((40, 24)), None).alpha[0, 0].numpy()
    assert np.abs(found - prepared.image[..., 0]).mean() < 0.03


@pytest.mark.parametrize(("length", "tile", "stride"), [(64, 64, 8), (72, 64, 8), (800, 200, 8), (1000, 333, 8)])
def test_tiles_cover_a_side_and_overlap(length: int, tile: int, stride: int) -> None:
    spans = tile_spans(length, tile, stride)
    assert (spans[0][0], spans[-1][1]) == (0, length)
    sizes = {stop - start for start, stop in spans}
    assert sizes == {min(length, tile // stride * stride)}
    for (start, stop), (following, _) in pairwise(spans):
        assert start % stride == following % stride == 0
        assert stop - following >= sizes.copy().pop() / 4 - stride


def test_what_is_run_in_tiles_is_what_is_run_at_once_where_places_do_not_matter() -> None:
    planes = torch.rand(1, 12, 200, 136)
    sizes: list[tuple[int, ...]] = []

    def predict(part: torch.Tensor) -> torch.Tensor:
        sizes.append(tuple(part.shape[2:]))
        return part[:, :7] ** 2

    found = run_in_tiles(predict, planes, 64, 8)
    torch.testing.assert_close(found, planes[:, :7] ** 2)
    assert set(sizes) == {(64, 64)}
    assert len(sizes) == 4 * 3


def test_of_what_is_larger_each_tile_gets_its_own_part() -> None:
    planes = torch.rand(1, 3, 136, 72)
    larger = torch.nn.functional.interpolate(planes, scale_factor=3, mode="nearest")

    def predict(part: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
        assert torch.equal(same[:, :, ::3, ::3], part)
        return part + same[:, :, 2::3, 2::3]

    torch.testing.assert_close(run_in_tiles(predict, planes, 64, 8, larger), 2 * planes)


def test_tiles_that_disagree_are_blended_smoothly() -> None:
    count = iter(range(100))

    def predict(part: torch.Tensor) -> torch.Tensor:
        return torch.full_like(part[:, :1], float(next(count) % 2))

    found = run_in_tiles(predict, torch.rand(1, 12, 64, 400), 64, 8)[0, 0].numpy()
    assert np.abs(np.diff(found, axis=1)).max() < 0.1
    assert np.ptp(found) == 1


def test_a_tiled_matte_is_near_to_the_whole_one() -> None:
    shape = (150, 90)
    labels = made_up_labels(shape)
    whole, tiled = (prepare("imatting", shape, tile=tile).solve(labels) for tile in (1024, 64))
    assert tiled.alpha.shape == shape
    assert not np.array_equal(whole.alpha, tiled.alpha)
    assert np.abs(whole.alpha - tiled.alpha).mean() < 0.2


def test_what_would_take_too_much_memory_is_refused_with_the_limit() -> None:
    image = np.zeros((900, 1200, 3), dtype=np.float32)
    solver = tiny_solver("fba", memory=0.5)
    with pytest.raises(
        MemoryLimitError, match=r"900×1200 px .* more than memory=0.5; tile may be at most \d+ px"
    ) as told:
        solver.prepare(image)
    allowed = int(str(told.value).split("tile may be at most ")[1].split()[0])
    assert 64 <= allowed < 1024
    replace(solver, tile=allowed).prepare(image)
    with pytest.raises(MemoryLimitError, match=r"side at most \d+ px, or memory more") as told:
        tiny_solver("fba", memory=0.01, tile=64).prepare(image[:400, :400])
    tiny_solver("fba", memory=0.01, side=int(str(told.value).split("side at most ")[1].split()[0]), tile=64)


def test_a_smaller_alpha_comes_back_by_the_images_colours() -> None:
    rng = np.random.default_rng(0)
    y, x = np.indices((160, 160))
    strands = np.clip(1.5 - np.abs((x + 7 * np.sin(y / 20)) % 40 - 20) / 2, 0, 1).astype(np.float32)
    image = strands[..., None] * np.array([0.9, 0.6, 0.2]) + (1 - strands[..., None]) * np.array([0.1, 0.3, 0.5])
    image = np.clip(image + rng.normal(0, 0.01, image.shape), 0, 1).astype(np.float32)
    small = resize_picture(strands, (40, 40))
    linear = resize_planes(torch.from_numpy(small)[None, None], (160, 160))[0, 0].numpy()
    joint = joint_upsampling(small, image)
    assert joint.dtype == np.float32
    assert joint.min() >= 0
    assert joint.max() <= 1
    assert np.sqrt(np.mean((joint - strands) ** 2)) < 0.4 * np.sqrt(np.mean((linear - strands) ** 2))


def test_joint_upsampling_of_one_pixel_and_of_one_colour_is_that_alpha() -> None:
    assert np.allclose(joint_upsampling(np.full((1, 1), 0.3, np.float32), np.full((5, 3, 3), 0.5, np.float32)), 0.3)
    flat = joint_upsampling(np.full((6, 4), 0.7, np.float32), made_up_image((24, 16))[0])
    np.testing.assert_allclose(flat, 0.7, atol=1e-5)


@pytest.mark.parametrize("side", [16, 60])
def test_the_network_works_at_the_side_it_is_told(side: int) -> None:
    prepared = prepare("imatting", (40, 30), side=side)
    assert prepared.canvases[0].shape == (side, round(side * 3 / 4))
    matte = prepared.solve(made_up_labels((40, 30)))
    assert matte.alpha.shape == (40, 30)
    assert matte.foreground is not None
    assert matte.foreground.shape == (40, 30, 3)


def test_a_single_pixel_that_was_told_is_seen_at_a_smaller_side() -> None:
    shape = (64, 64)
    labels = np.zeros(shape, dtype=np.int8)
    labels[31, 31], labels[0, 63] = Label.FOREGROUND, Label.BACKGROUND
    prepared = prepare("imatting", shape, side=16)
    planes = prepared.canvases[0].planes(labels, None, prepared.loaded)
    assert planes[0, 3].sum() >= 1
    assert planes[0, 4].sum() >= 1
