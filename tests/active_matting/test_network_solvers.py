"""Networks as solvers: what they are shown, what becomes of their answers, and what they refuse."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_up_networks import NETWORK_SOLVERS, prepare, tiny_solver, tiny_weights

from active_matting import QuerySession
from active_matting.labels import Click
from active_matting.models.fusion import fuse
from active_matting.models.hints import marks_of
from active_matting.models.layers import StandardisedConv2d
from active_matting.models.weights import load_network
from active_matting.solvers.base import Matte
from active_matting.solvers.network import loading
from active_matting.solvers.network.components import keep_told_components
from active_matting.solvers.network.prepared import PreparedNetwork
from active_matting.solvers.together import solve_together
from active_matting.testing import check_solver, made_up_image, made_up_labels
from active_matting.types import Label


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
