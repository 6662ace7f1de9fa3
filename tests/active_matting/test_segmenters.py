"""What finds the object from a few labels, and the bands around it, against slow twins and other libraries."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import scipy.sparse
import scipy.special
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_networks import tiny_arguments
from numpy.typing import NDArray
from safetensors.numpy import save_file
from scipy.ndimage import convolve1d, map_coordinates  # type: ignore[attr-defined]
from scipy.sparse.csgraph import dijkstra

from active_matting.annotators import ExactAnnotator
from active_matting.data.rendered import Rendered
from active_matting.errors import FileError, InvalidArgumentError
from active_matting.labels import RegionAnswer, record
from active_matting.metrics import rmse
from active_matting.regions import Region
from active_matting.robots import is_askable
from active_matting.segmenters import SEGMENTERS, make_segmenter
from active_matting.segmenters.band import BANDS, PreparedBand, make_band
from active_matting.segmenters.base import label_cores, resize_labels, resize_plane, scaled_shape
from active_matting.segmenters.bilateral_grid import BilateralGrid
from active_matting.segmenters.geodesic import FAR, StepCosts, distances, step_costs, step_differences
from active_matting.segmenters.likeness import likeness
from active_matting.segmenters.perceptron import Perceptron, read_perceptron, write_perceptron
from active_matting.testing import made_up_image, made_up_labels
from active_matting.types import Label, LabelMap


def segmenter_of(name: str) -> Any:
    """The segmenter, asking a tiny network where it asks any."""
    return make_segmenter(name, **({"solver_kwargs": tiny_arguments("imatting")} if name == "network" else {}))


def random_costs(shape: tuple[int, int], seed: int) -> StepCosts:
    """Differences of random features, so that steps cost differently to each side."""
    features = np.random.default_rng(seed).random((*shape, 3), dtype=np.float32)
    return step_costs(step_differences(features), 0.05)


def as_graph(costs: StepCosts, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Costs between all pairs of pixels, infinite between those that are no neighbours."""
    h, w = shape
    graph = np.full((h * w, h * w), np.inf)
    number = np.arange(h * w).reshape(shape)
    for cost, here, there in (
        (costs.right, number[:, :-1], number[:, 1:]),
        (costs.down, number[:-1], number[1:]),
        (costs.down_right, number[:-1, :-1], number[1:, 1:]),
        (costs.down_left, number[:-1, 1:], number[1:, :-1]),
    ):
        graph[here.ravel(), there.ravel()] = graph[there.ravel(), here.ravel()] = cost.ravel()
    return graph


def some_sources(shape: tuple[int, int], seed: int) -> NDArray[np.bool_]:
    sources = np.zeros(shape, dtype=bool)
    sources.ravel()[np.random.default_rng(seed).choice(sources.size, 2, replace=False)] = True
    return sources


@pytest.mark.parametrize("shape", [(8, 9), (1, 7), (7, 1), (2, 2), (5, 12)])
@pytest.mark.parametrize("seed", range(4))
def test_the_cheapest_way_is_dijkstras(shape: tuple[int, int], seed: int) -> None:
    costs, sources = random_costs(shape, seed), some_sources(shape, seed)
    graph = as_graph(costs, shape)
    graph[np.isinf(graph)] = 0  # no edge
    expected = dijkstra(scipy.sparse.csr_matrix(graph), indices=np.flatnonzero(sources)).min(axis=0)
    np.testing.assert_allclose(distances(costs, sources).ravel(), expected, rtol=1e-4)


@pytest.mark.parametrize("shape", [(6, 7), (1, 7), (7, 1)])
@pytest.mark.parametrize("seed", range(4))
def test_the_lowest_barrier_is_the_minimax_way(shape: tuple[int, int], seed: int) -> None:
    costs, sources = random_costs(shape, seed), some_sources(shape, seed)
    barrier = as_graph(costs, shape)
    for through in range(len(barrier)):  # Floyd and Warshall's, with the highest step for the sum
        barrier = np.minimum(barrier, np.maximum(barrier[:, through, None], barrier[None, through]))
    np.fill_diagonal(barrier, 0)
    expected = barrier[np.flatnonzero(sources)].min(axis=0)
    np.testing.assert_allclose(distances(costs, sources, highest_step=True).ravel(), expected, rtol=1e-5)


def test_nothing_to_go_to_is_far() -> None:
    costs = random_costs((4, 5), 0)
    assert (distances(costs, np.zeros((4, 5), dtype=bool)) == FAR).all()


@pytest.mark.parametrize("examples", [1, 7, 450])
def test_likeness_is_what_it_says(examples: int) -> None:
    rng = np.random.default_rng(examples)
    features = rng.random((23, 31, 4), dtype=np.float32)
    is_example = np.zeros((23, 31), dtype=bool)
    is_example.ravel()[rng.choice(is_example.size, examples, replace=False)] = True
    chosen = features[is_example][:: -(-examples // 200)].astype(np.float64)
    distance = np.linalg.norm(features[:, :, None].astype(np.float64) - chosen, axis=-1)
    found = likeness(features, is_example, (0.05, 0.2, 0.6))
    np.testing.assert_allclose(found[0], distance.min(axis=-1), atol=1e-5)
    for plane, scale in zip(found[1:], (0.05, 0.2, 0.6), strict=True):
        np.testing.assert_allclose(plane, ((1 + (distance / scale) ** 2) ** -2).mean(axis=-1), rtol=1e-3)


def average_slowly(
    grid: BilateralGrid, colour: NDArray[np.float32], values: NDArray[np.float32], weights: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Chen et al. 2007: splat into the nearest cell, blur by (1 2 1) / 4 along each axis, slice linearly."""
    h, w = values.shape
    bins = [int(extent / grid.width) + 3 for extent in (1.0, 1.6, 1.6)]
    places = [grid.cells + 2] * 2 if grid.cells > 1 else [1, 1]
    cells = np.zeros((2, *places, *bins))
    lowest = np.array([0, -0.8, -0.8], dtype=np.float32)
    for y, x in np.ndindex(h, w):
        place = [int((i + 0.5) / n * grid.cells + 0.5) if grid.cells > 1 else 0 for i, n in ((y, h), (x, w))]
        of_colour = ((colour[y, x] - lowest) / np.float32(grid.width) + 1).astype(int)
        cell = (*place, *np.clip(of_colour, 1, np.array(bins) - 2))
        cells[(0, *cell)] += weights[y, x] * values[y, x]
        cells[(1, *cell)] += weights[y, x]
    for axis in range(1 if grid.cells > 1 else 3, 6):
        cells = convolve1d(cells, [0.25, 0.5, 0.25], axis=axis, mode="constant")
    y, x = np.mgrid[:h, :w]
    many = grid.cells > 1
    where = [(y + 0.5) / h * grid.cells if many else 0.0 * y, (x + 0.5) / w * grid.cells if many else 0.0 * x]
    where += [np.clip((colour[..., c] - lowest[c]) / np.float32(grid.width) + 0.5, 0.5, bins[c] - 1) for c in range(3)]
    sums, weight = (map_coordinates(plane, where, order=1, mode="nearest") for plane in cells)
    return (sums + 0.005) / (weight + 0.01), weight


@pytest.mark.parametrize("grid", [BilateralGrid(1, 0.1), BilateralGrid(6, 0.2), BilateralGrid(3, 0.37)])
@pytest.mark.parametrize("shape", [(14, 19), (1, 11)])
def test_averages_over_place_and_colour_are_the_twins(grid: BilateralGrid, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    colour = (rng.random((*shape, 3)) * [1, 1.6, 1.6] - [0, 0.8, 0.8]).astype(np.float32)
    values, weights = rng.random((2, *shape), dtype=np.float32)
    average, weight = grid.average(colour, values, weights)
    expected_average, expected_weight = average_slowly(grid, colour, values, weights)
    np.testing.assert_allclose(weight, expected_weight, atol=1e-4)
    np.testing.assert_allclose(average, expected_average, atol=1e-3)


def random_perceptron(sizes: tuple[int, ...], seed: int = 0) -> Perceptron:
    rng = np.random.default_rng(seed)
    weights = tuple(rng.normal(size=(b, a)).astype(np.float32) for a, b in pairwise(sizes))
    return Perceptron(weights, tuple(rng.normal(size=len(w)).astype(np.float32) for w in weights))


@pytest.mark.parametrize(
    ("sizes", "shape"), [((6, 9, 5, 2), (300, 200)), ((23, 64, 32, 3), (100, 103)), ((6, 9, 5, 2), (1, 1))]
)  # much more than is multiplied at once, and a rest; less than that
def test_a_perceptron_is_torchs(sizes: tuple[int, ...], shape: tuple[int, int]) -> None:
    perceptron = random_perceptron(sizes)
    features = np.random.default_rng(1).normal(0, 0.3, size=(sizes[0], *shape)).astype(np.float32)
    layers: list[torch.nn.Module] = []
    for weight, bias in zip(perceptron.weights, perceptron.biases, strict=True):
        layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
        layer.weight.data, layer.bias.data = torch.from_numpy(weight), torch.from_numpy(bias)
        layers += [layer, torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1], torch.nn.Sigmoid())
    with torch.no_grad():
        expected = network(torch.from_numpy(features.reshape(sizes[0], -1).T)).T.reshape(sizes[-1], *shape)
    np.testing.assert_allclose(perceptron(features), expected, atol=1e-5)


def test_a_perceptron_is_read_as_it_was_written(tmp_path: Path) -> None:
    perceptron, path = random_perceptron((3, 4, 1)), tmp_path / "new" / "p.safetensors"
    write_perceptron(path, perceptron, ("a", "b", "c"))
    twin = read_perceptron(path, ("a", "b", "c"))
    for ours, theirs in zip(perceptron.weights + perceptron.biases, twin.weights + twin.biases, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_weights_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"cannot read the weights .*missing\.safetensors"):
        read_perceptron(tmp_path / "missing.safetensors", ("a",))
    (tmp_path / "text.safetensors").write_text("no")
    with pytest.raises(FileError, match="cannot read the weights"):
        read_perceptron(tmp_path / "text.safetensors", ("a",))
    write_perceptron(tmp_path / "other.safetensors", random_perceptron((2, 1)), ("a", "b"))
    with pytest.raises(FileError, match=r"was made for the features \('a', 'b'\), not \('b', 'a'\)"):
        read_perceptron(tmp_path / "other.safetensors", ("b", "a"))
    save_file({"layer.0.weight": np.zeros((1, 1), np.float32)}, tmp_path / "half.safetensors", {"features": "a"})
    with pytest.raises(FileError, match="cannot read the weights"):
        read_perceptron(tmp_path / "half.safetensors", ("a",))


sides = st.integers(1, 14)


@settings(max_examples=200)
@given(st.data(), sides, sides, sides, sides)
def test_a_told_class_never_vanishes_with_the_size(data: Any, h: int, w: int, height: int, width: int) -> None:
    labels = data.draw(st.lists(st.sampled_from([-1, 0, 0, 0, 1, 2]), min_size=h * w, max_size=h * w))
    label_map = np.array(labels, dtype=np.int8).reshape(h, w)
    resized = resize_labels(label_map, (height, width))
    assert resized.shape == (height, width)
    assert resized.dtype == np.int8
    assert set(np.unique(resized)) <= {-1, 0, 1}
    told = {label for label in (-1, 1) if (label_map == label).any()}
    kept = set(np.unique(resized).tolist()) - {0}
    assert kept <= told
    assert kept == told or height * width == 1
    if (height, width) == (h, w):
        np.testing.assert_array_equal(resized, np.where(label_map == 2, 0, label_map))


@given(st.data(), sides, sides)
def test_cores_lie_inside_and_no_class_is_without(data: Any, h: int, w: int) -> None:
    drawn = data.draw(st.lists(st.sampled_from([-1, -1, 0, 1, 1]), min_size=h * w, max_size=h * w))
    labels = np.array(drawn, dtype=np.int8).reshape(h, w)
    cores = label_cores(labels)
    assert ((cores == labels) | (cores == 0)).all()
    assert set(np.unique(labels)) - {0} == set(np.unique(cores)) - {0}


def test_the_core_of_a_region_is_without_its_rim_and_a_thin_stroke_is_all_core() -> None:
    labels = np.zeros((12, 16), dtype=np.int8)
    labels[1:6, 1:6] = Label.FOREGROUND
    labels[7:10, 13:16] = Label.FOREGROUND  # at the image's border there is no rim
    labels[9:11, 1:8] = Label.BACKGROUND
    expected = np.zeros_like(labels)
    expected[2:5, 2:5], expected[8, 14:16] = Label.FOREGROUND, Label.FOREGROUND
    expected[9:11, 1:8] = Label.BACKGROUND
    np.testing.assert_array_equal(label_cores(labels), expected)


def test_a_label_that_touches_an_edge_does_not_stand_for_what_lies_beyond() -> None:
    # An object at the left; sky, which is told, and rock, of which nobody spoke, at the right. The edge at 202 halves
    # a pixel of the reduced picture, and the region that is told reaches up to it.
    rng = np.random.default_rng(0)
    image = np.zeros((400, 400, 3), dtype=np.float32)
    image[:, :202], image[:200, 202:], image[200:, 202:] = (0.8, 0.6, 0.3), (0.4, 0.5, 0.7), (0.45, 0.4, 0.4)
    image = np.clip(image + rng.normal(0, 0.03, image.shape), 0, 1).astype(np.float32)
    label_map = np.zeros((400, 400), dtype=np.int8)
    label_map[100:120, 60:80], label_map[60:80, 300:320] = Label.FOREGROUND, Label.BACKGROUND
    prepared = make_segmenter("cues").prepare(image)
    before = prepared.segment(label_map)
    label_map[290:310, 182:202] = Label.FOREGROUND
    after, rock = prepared.segment(label_map), np.s_[220:, 220:]
    assert after[rock].mean() < before[rock].mean() + 0.1


@given(sides, sides, st.integers(1, 200))
def test_a_scaled_shape_keeps_its_proportions(h: int, w: int, side: int) -> None:
    scaled = scaled_shape((h, w), side)
    assert max(scaled) == side
    assert min(scaled) == max(1, round(min(h, w) * side / max(h, w)))


def two_labels(shape: tuple[int, int]) -> LabelMap:
    label_map = np.zeros(shape, dtype=np.int8)
    label_map[shape[0] // 2, shape[1] // 2], label_map[0, 0] = Label.FOREGROUND, Label.BACKGROUND
    return label_map


@pytest.mark.parametrize("name", SEGMENTERS.names())
@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (1, 30), (30, 1), (3, 3), (24, 29), (230, 120)])
def test_segmenters_segment_images_of_any_size(name: str, shape: tuple[int, int]) -> None:
    for image in (made_up_image(shape)[0], np.full((*shape, 3), 0.5, dtype=np.float32)):
        probability = segmenter_of(name).prepare(image).segment(two_labels(shape))
        assert probability.shape == shape
        assert probability.dtype == np.float32
        assert probability.min() >= 0
        assert probability.max() <= 1


@pytest.mark.parametrize("name", SEGMENTERS.names())
def test_classes_told_pixel_beside_pixel_are_both_seen(name: str) -> None:
    label_map = np.zeros((420, 420), dtype=np.int8)
    label_map[200, 200], label_map[201, 201] = Label.FOREGROUND, Label.BACKGROUND
    probability = segmenter_of(name).prepare(made_up_image((420, 420))[0]).segment(label_map)
    assert np.isfinite(probability).all()


@pytest.mark.parametrize("name", SEGMENTERS.names())
def test_segmenting_is_deterministic_and_finds_the_object(name: str) -> None:
    image, truth = made_up_image((90, 110))
    label_map, prepared = made_up_labels((90, 110)), segmenter_of(name).prepare(image)
    first = prepared.segment(label_map)
    prepared.segment(np.where(label_map == Label.TRANSITION, label_map, -label_map))
    np.testing.assert_array_equal(prepared.segment(label_map), first)
    np.testing.assert_array_equal(segmenter_of(name).prepare(image).segment(label_map), first)
    assert name == "network" or ((first > 0.5) == (truth > 0.1)).mean() > 0.8  # whose weights are random here


@pytest.mark.parametrize("index", [0, 3, 5, 7])
def test_an_answer_that_agrees_changes_little(index: int) -> None:
    sample, side = Rendered("test", size=200)[index], 10
    truth, rng = sample.alpha, np.random.default_rng(0)
    annotator, prepared = ExactAnnotator(truth), make_segmenter("cues").prepare(sample.image)

    def answer_one_of(places: NDArray[np.bool_], label_map: LabelMap) -> LabelMap:
        y, x = np.nonzero(is_askable(truth, label_map, side) & places)
        chosen = int(rng.integers(len(y)))
        region = Region(int(y[chosen]), int(x[chosen]), side)
        return record(label_map, RegionAnswer(region, annotator.answer(region)))

    label_map = np.zeros(truth.shape, dtype=np.int8)
    for number in range(6):
        label_map = answer_one_of((truth > 0.5) == (number % 2 == 0), label_map)
    before = prepared.segment(label_map)
    window = np.ones((side + 1, side + 1), dtype=np.uint8)
    surely = (cv2.erode(before, window) > 0.9) & (truth > 0.5) | (cv2.dilate(before, window) < 0.1) & (truth < 0.5)
    flips, harm = [], []
    for _ in range(6):
        after = prepared.segment(answer_one_of(surely, label_map))
        flips.append(((after > 0.5) != (before > 0.5)).mean())
        harm.append(rmse(after, truth) - rmse(before, truth))
    assert np.mean(flips) < 0.03
    assert np.mean(harm) < 0.01
    assert max(harm) < 0.07


def test_grabcut_refuses_what_it_cannot_do() -> None:
    with pytest.raises(InvalidArgumentError, match="iterations must be at least 1, got 0"):
        make_segmenter("grabcut", iterations=0)


@pytest.mark.parametrize("name", BANDS.names())
def test_a_band_keeps_what_was_told(name: str) -> None:
    shape = (60, 75)
    image, truth = made_up_image(shape)
    label_map = made_up_labels(shape)
    label_map[3, 70], label_map[40, 40] = Label.FOREGROUND, Label.BACKGROUND  # single pixels, against the segmentation
    band = PreparedBand.of(image, make_band(name))
    small = resize_plane((truth > 0.5).astype(np.float32), (80, 100))
    trimap, expected = band.draw(small, label_map, 0.95)
    told = label_map != Label.UNLABELLED
    assert (label_map == Label.TRANSITION).any()
    np.testing.assert_array_equal(trimap[told], label_map[told])
    assert trimap.dtype == np.int8
    assert {Label.FOREGROUND, Label.BACKGROUND, Label.UNLABELLED} <= set(trimap[~told].tolist())
    wider, _ = band.draw(small, label_map, 0.999)
    assert expected.shape == shape
    assert expected.dtype == np.float32
    assert (expected[trimap == Label.FOREGROUND].mean()) > 0.9
    assert (wider == Label.UNLABELLED).sum() > (trimap == Label.UNLABELLED).sum()
