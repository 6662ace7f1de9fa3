"""Networks as solvers: what they are shown, what becomes of their answers, and what they refuse."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_up_networks import NETWORK_SOLVERS, TINY, tiny_arguments, tiny_weights

from active_matting import QuerySession, make_solver
from active_matting.compiled import threads_at_most
from active_matting.errors import ConvergenceError, FileError, InvalidArgumentError, MemoryLimitError
from active_matting.labels import Click
from active_matting.models import make_network
from active_matting.models.fusion import fuse
from active_matting.models.hints import marks_of
from active_matting.models.layers import StandardisedConv2d
from active_matting.models.weights import find_weights, load_network, read_network, shipped_weights, write_network
from active_matting.solvers.base import Matte
from active_matting.solvers.network import loading
from active_matting.solvers.network.components import keep_told_components
from active_matting.solvers.network.prepared import PreparedNetwork
from active_matting.solvers.network.tiles import run_in_tiles, tile_spans
from active_matting.solvers.network.upsampling import joint_upsampling, resize_planes
from active_matting.solvers.network.views import AUGMENTATIONS, Canvas, Turn, resize_picture
from active_matting.solvers.together import solve_together
from active_matting.testing import check_solver, made_up_image, made_up_labels
from active_matting.types import Label


def tiny_solver(name: str, **kwargs: Any) -> Any:
    return make_solver(name, **tiny_arguments(name), **kwargs)


def prepare(name: str, shape: tuple[int, int], **kwargs: Any) -> PreparedNetwork:
    prepared = tiny_solver(name, **kwargs).prepare(made_up_image(shape)[0])
    assert isinstance(prepared, PreparedNetwork)
    return prepared


def only(label: Label, shape: tuple[int, int]) -> np.ndarray:
    labels = made_up_labels(shape)
    return np.where(labels == label, labels, 0).astype(np.int8)


@pytest.mark.parametrize("options", [{"side": 20, "augmentations": 2}, {"side": 40, "guided": False}])
def test_the_contract_is_kept_at_another_size(options: dict[str, Any]) -> None:
    check_solver(tiny_solver("imatting", **options), needs_both_classes=False)


@pytest.mark.parametrize("name", NETWORK_SOLVERS)
def test_nothing_changes_where_the_size_fits_the_network(name: str) -> None:
    shape = (32, 40)
    image, labels = made_up_image(shape)[0], made_up_labels(shape)
    network = load_network(tiny_weights(NETWORK_SOLVERS[name]), NETWORK_SOLVERS[name]).eval()
    marks = marks_of(labels)
    told = [torch.from_numpy(each)[None] for each in (np.moveaxis(image, 2, 0).copy(), marks, network.hint_maps(marks))]
    with torch.inference_mode():
        expected = fuse(network(*told, torch.zeros(1, 1, *shape)), told[0])
    options = {} if name != "interactive-segmentation" else {"keep_connected": False}
    matte = prepare(name, shape, **options).solve(labels)
    is_told = (labels == Label.FOREGROUND) | (labels == Label.BACKGROUND)
    np.testing.assert_array_equal(matte.alpha[~is_told], expected.alpha[0, 0].numpy()[~is_told])
    if expected.foreground is None:
        assert matte.foreground is None
        assert matte.background is None
        return
    assert expected.background is not None
    for found, colour, pure in (
        (matte.foreground, expected.foreground, 1),
        (matte.background, expected.background, 0),
    ):
        assert found is not None
        is_pure = matte.alpha == pure
        assert is_pure.any()
        np.testing.assert_array_equal(found[is_pure], image[is_pure])
        np.testing.assert_array_equal(found[~is_pure], colour[0].permute(1, 2, 0).numpy()[~is_pure])


def test_kernels_standardised_ahead_are_the_same_to_the_last_bit() -> None:
    with torch.inference_mode():
        network = load_network(tiny_weights("fba"), "fba").eval()
        planes = [torch.rand(1, count, 24, 32) for count in (3, 2, 6, 1)]
        before = network(*planes).alpha
        loading.standardise_ahead(network)
        assert not any(isinstance(layer, StandardisedConv2d) for layer in network.modules())
        assert torch.equal(network(*planes).alpha, before)


def test_padding_repeats_the_edge_tells_nothing_and_carries_the_hints_on() -> None:
    shape = (13, 22)
    image, labels = made_up_image(shape)[0], made_up_labels(shape)
    prepared = prepare("fba", shape)
    planes = prepared.canvases[0].planes(labels, np.full(shape, 0.25, np.float32), prepared.loaded)[0].numpy()
    assert planes.shape == (12, 16, 24)
    np.testing.assert_array_equal(planes[:3, :13, :22], np.moveaxis(image, 2, 0))
    np.testing.assert_array_equal(planes[:3, 13:, 22:], np.broadcast_to(planes[:3, 12:13, 21:22], (3, 3, 2)))
    assert not planes[3:5, 13:].any()
    assert not planes[3:5, :, 22:].any()
    np.testing.assert_array_equal(planes[3:5, :13, :22], marks_of(labels))
    padded = np.pad(labels, ((0, 3), (0, 2)))
    np.testing.assert_array_equal(planes[5:11], prepared.loaded.hints(marks_of(padded)))
    assert (planes[11] == 0.25).all()


@pytest.mark.parametrize("name", NETWORK_SOLVERS)
def test_one_class_is_asked_about_and_none_is_not(name: str) -> None:
    shape = (24, 31)
    prepared = prepare(name, shape)
    for label in (Label.UNLABELLED, Label.TRANSITION):
        assert (prepared.solve(only(label, shape)).alpha == 0.5).all()
    for label, value in ((Label.FOREGROUND, 1), (Label.BACKGROUND, 0)):
        labels = only(label, shape)
        alpha = prepared.solve(labels).alpha
        assert (alpha[labels == label] == value).all()
        assert (alpha != 0.5).any()


def test_where_everything_is_told_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = (24, 24)
    prepared = prepare("fba", shape)
    monkeypatch.setattr(PreparedNetwork, "_predict", lambda *_: pytest.fail("the network was asked"))
    labels = np.where(np.indices(shape)[0] < 12, Label.FOREGROUND, Label.BACKGROUND).astype(np.int8)
    matte = prepared.solve(labels)
    np.testing.assert_array_equal(matte.alpha, labels == Label.FOREGROUND)
    assert matte.foreground is not None
    np.testing.assert_array_equal(matte.foreground, prepared.image)


def test_transitions_tell_the_network_nothing() -> None:
    labels = made_up_labels()
    assert (labels == Label.TRANSITION).any()
    prepared = prepare("imatting", labels.shape)
    without = np.where(labels == Label.TRANSITION, 0, labels).astype(np.int8)
    np.testing.assert_array_equal(prepared.solve(labels).alpha, prepared.solve(without).alpha)


def test_fusion_brings_alpha_and_colours_nearer_to_the_image() -> None:
    labels = made_up_labels((32, 32))

    def error(fusion: bool) -> float:
        prepared = prepare("fba", (32, 32), fusion=fusion)
        matte = prepared.solve(labels)
        assert matte.foreground is not None
        assert matte.background is not None
        alpha = matte.alpha[..., None]
        return float(np.abs(alpha * matte.foreground + (1 - alpha) * matte.background - prepared.image).mean())

    assert error(fusion=True) < 0.8 * error(fusion=False)


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


def test_components_that_hold_nothing_told_are_taken_away() -> None:
    alpha = np.array([[0.9, 0.2, 0.0, 0.6], [0.0, 0.0, 0.3, 0.05], [0.7, 0.0, 0.0, 0.0]], np.float32)
    told = np.zeros(alpha.shape, dtype=bool)
    np.testing.assert_array_equal(keep_told_components(alpha, told), alpha)
    told[0, 0] = True
    kept = keep_told_components(alpha, told)
    np.testing.assert_array_equal(kept > 0, [[1, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]])  # by corners too
    np.testing.assert_array_equal(kept[kept > 0], alpha[kept > 0])


def segmentation(shape: tuple[int, int], **kwargs: Any) -> Any:
    return prepare("interactive-segmentation", shape, keep_connected=False, **kwargs)


def test_the_segmentation_is_made_of_the_one_before() -> None:
    shape = (24, 24)
    labels, prepared = made_up_labels(shape), segmentation(shape)
    first = prepared.solve(labels)
    rng = np.random.default_rng(0)
    other = prepared.solve(labels, previous=Matte(rng.random(shape, dtype=np.float32)))
    assert not np.array_equal(first.alpha, other.alpha)
    for nothing in (np.zeros(shape, np.float32), np.full(shape, 0.5, np.float32)):
        np.testing.assert_array_equal(prepared.solve(labels, previous=Matte(nothing)).alpha, first.alpha)


def click_twice(session: QuerySession, looks: bool) -> np.ndarray:
    session.click(12, 12, 3, Label.FOREGROUND)
    if looks:
        assert session.alpha.shape == (24, 24)
    session.click(2, 2, 2, Label.BACKGROUND)
    return session.alpha


def test_a_session_hands_over_the_matte_before_looked_at_or_not(tmp_path: Path) -> None:
    image = made_up_image((24, 24))[0]
    solver = tiny_solver("interactive-segmentation", keep_connected=False)
    seen, unseen = (QuerySession(image, solver, region_size=4) for _ in range(2))
    alpha = click_twice(seen, looks=True)
    np.testing.assert_array_equal(click_twice(unseen, looks=False), alpha)
    first = solver.prepare(image).solve(seen.label_map).alpha
    assert not np.array_equal(first, alpha)

    seen.save(tmp_path / "said.json")
    np.testing.assert_array_equal(QuerySession.load(tmp_path / "said.json", image, solver).alpha, alpha)
    said = Click(20, 4, 2, Label.BACKGROUND)
    (preview,) = seen.preview([said])
    seen.click(said.y, said.x, said.radius, said.label)
    np.testing.assert_array_equal(preview, seen.alpha)
    seen.undo()
    np.testing.assert_array_equal(seen.alpha, alpha)


def test_a_batch_of_images_hands_over_the_mattes_before() -> None:
    shape = (24, 24)
    labels, prepared = made_up_labels(shape), [segmentation(shape) for _ in range(2)]
    before = [Matte(np.full(shape, level, dtype=np.float32)) for level in (0.2, 0.9)]
    found = solve_together(prepared, [labels[None]] * 2, before)
    for alphas, one, previous in zip(found, prepared, before, strict=True):
        assert not isinstance(alphas, Exception)
        np.testing.assert_array_equal(alphas[0], one.solve(labels, previous).alpha)


def test_many_prepared_images_share_one_network_until_its_files_change(tmp_path: Path) -> None:
    for seed in (0, 1):
        torch.manual_seed(seed)
        write_network(tmp_path, make_network("fba", **TINY), "fba", TINY)
        os.utime(tmp_path / "weights.safetensors", (seed, seed))
        solver = make_solver("fba", weights=str(tmp_path))
        loading._loaded.cache_clear() if seed == 0 else None
        prepared = [solver.prepare(made_up_image((8, 8 + i))[0]) for i in range(20)]
        assert len({id(each.loaded) for each in prepared}) == 1  # type: ignore[attr-defined]
        assert loading._loaded.cache_info().misses == seed + 1


def test_making_a_solver_loads_nothing() -> None:
    solver = make_solver("imatting", weights="/nowhere/at/all")
    with pytest.raises(FileError, match=r"there are no weights at /nowhere/at/all; give a folder, a checkpoint file"):
        solver.prepare(made_up_image()[0])


def test_the_package_loads_torch_only_where_it_is_needed() -> None:
    script = "import active_matting, active_matting.session, sys; print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert told == "False\n"


@pytest.mark.parametrize("name", NETWORK_SOLVERS)
def test_where_none_are_shipped_the_error_says_what_to_give(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("active_matting.models.weights.shipped_weights", lambda: ["other"])
    with pytest.raises(
        FileError, match=rf"no weights for the network '{NETWORK_SOLVERS[name]}' .*other.* give weights=PATH"
    ):
        make_solver(name).prepare(made_up_image()[0])


def test_shipped_weights_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("active_matting.models.weights.SHIPPED", tmp_path)
    assert shipped_weights() == []
    write_network(tmp_path / "imatting", read_network(tiny_weights("imatting")), "imatting", TINY)
    assert shipped_weights() == ["imatting"]
    assert find_weights(None, "imatting") == find_weights("imatting", "imatting") == tmp_path / "imatting"
    assert np.isfinite(make_solver("imatting").prepare(made_up_image()[0]).solve(made_up_labels()).alpha).all()


@pytest.mark.parametrize("name", shipped_weights())
def test_shipped_weights_load(name: str) -> None:
    assert read_network(find_weights(name, name)).stride == 8


def _spoil(folder: Path, what: str) -> None:
    config = folder / "config.json"
    content = json.loads(config.read_text())
    if what == "torn":
        weights = folder / "weights.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
    elif what == "missing":
        (folder / "weights.safetensors").unlink()
    elif what == "wider":
        config.write_text(json.dumps({"network": content["network"] | {"width": 16}}))
    elif what == "unknown":
        config.write_text(json.dumps({"network": {"name": "unet"}}))
    elif what == "nonsense":
        config.write_text(json.dumps({"network": content["network"] | {"width": "wide"}}))
    else:
        config.write_text("[]")


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("torn", "cannot read .*weights.safetensors"),
        ("missing", "cannot read .*weights.safetensors"),
        ("wider", "does not fit fba of config.json"),
        ("unknown", "holds the network 'unet', not 'fba'"),
        ("nonsense", "describes no network"),
        ("empty", 'must hold {"network"'),
    ],
)
def test_folders_that_are_not_whole_are_refused(what: str, message: str, tmp_path: Path) -> None:
    write_network(tmp_path, read_network(tiny_weights("fba")), "fba", TINY)
    _spoil(tmp_path, what)
    with pytest.raises(FileError, match=message):
        make_solver("fba", weights=str(tmp_path)).prepare(made_up_image()[0])


def test_another_networks_weights_are_refused() -> None:
    with pytest.raises(FileError, match="holds the network 'two-stream', not 'fba'"):
        make_solver("fba", weights=tiny_weights("two-stream")).prepare(made_up_image()[0])


def test_a_published_checkpoint_file_is_a_solver_too(tmp_path: Path) -> None:
    from active_matting.models.checkpoints import published_names

    network = read_network(tiny_weights("fba"))
    torch.save(published_names(network.state_dict(), "fba"), tmp_path / "FBA.pth")
    alpha = (
        make_solver("fba", weights=str(tmp_path / "FBA.pth")).prepare(made_up_image()[0]).solve(made_up_labels()).alpha
    )
    assert np.isfinite(alpha).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"augmentations": 3}, r"augmentations must be one of \[1, 2, 8, 24\], got 3"),
        ({"side": 0}, "side must be at least 1 px or None, got 0"),
        ({"tile": 8}, "tile must be at least 64 px, got 8"),
        ({"memory": 0}, "memory must be above 0 GiB, got 0"),
        ({"device": "gpu"}, "device must be one of .*got 'gpu'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        make_solver("fba", **options)


def test_an_automatic_device_is_one_that_is_there() -> None:
    prepared = prepare("fba", (8, 8), device="auto")
    assert prepared.loaded.device.type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_numbers_that_are_none_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = prepare("fba", (8, 8))
    monkeypatch.setattr(loading.LoadedNetwork, "predict", lambda self, planes: planes[:, :7] * float("nan"))
    labels = np.zeros((8, 8), dtype=np.int8)
    labels[0, 0] = Label.FOREGROUND
    with pytest.raises(ConvergenceError, match="'fba' gave alphas that are no numbers"):
        prepared.solve(labels)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_threads_are_limited_and_given_back(two_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared, seen = prepare("fba", (16, 16)), []
    predict = loading.LoadedNetwork.predict

    def spy(self: Any, planes: torch.Tensor) -> torch.Tensor:
        seen.append(torch.get_num_threads())
        return predict(self, planes)

    monkeypatch.setattr(loading.LoadedNetwork, "predict", spy)
    with threads_at_most(1):
        prepared.solve(made_up_labels((16, 16)))
    assert seen == [1]
    assert torch.get_num_threads() == 2


def test_several_threads_may_ask_one_prepared_image() -> None:
    prepared, label_map = prepare("imatting", (24, 24)), made_up_labels()
    label_maps = [label_map, np.where(label_map == 1, 1, 0).astype(np.int8)] * 4
    expected = [prepared.solve(each).alpha for each in label_maps]
    with ThreadPoolExecutor(4) as pool:
        for found, alpha in zip(pool.map(prepared.solve, label_maps), expected, strict=True):
            np.testing.assert_array_equal(found.alpha, alpha)


def test_a_prepared_image_is_sent_without_its_network() -> None:
    prepared = prepare("fba", (24, 24))
    sent = pickle.dumps(prepared)
    assert len(sent) < 2 * prepared.image.nbytes
    copy = pickle.loads(sent)
    np.testing.assert_array_equal(copy.solve(made_up_labels()).alpha, prepared.solve(made_up_labels()).alpha)


def test_the_network_finds_the_object_for_another_solver() -> None:
    shape = (40, 48)
    solver = make_solver(
        "segment-then-matte",
        segmenter="network",
        segmenter_kwargs={"solver": "imatting", "solver_kwargs": tiny_arguments("imatting"), "side": 32},
    )
    labels = made_up_labels(shape)
    alpha = solver.prepare(made_up_image(shape)[0]).solve(labels).alpha
    assert alpha.shape == shape
    assert (alpha[labels == Label.FOREGROUND] == 1).all()


def test_a_canvas_of_the_images_own_size_is_the_image() -> None:
    prepared = prepare("fba", (16, 24))
    canvas = Canvas.of(prepared.image, (16, 24), prepared.loaded)
    np.testing.assert_array_equal(canvas.image[0].permute(1, 2, 0).numpy(), prepared.image)
