"""Shared sampling: every stage against a slow twin written from the paper, and the whole against known mattes."""

import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pymatting.alpha.estimate_alpha_sm import estimate_alpha_sm

from active_matting.errors import InvalidArgumentError
from active_matting.solvers.sampling.blocks import cover, unknown_bits
from active_matting.solvers.sampling.changes import Changed
from active_matting.solvers.sampling.expansion import expand
from active_matting.solvers.sampling.gathering import gather, offer_arrays
from active_matting.solvers.sampling.rays import Met, cast_rays
from active_matting.solvers.sampling.refinement import refine
from active_matting.solvers.sampling.rows import Workers
from active_matting.solvers.sampling.smoothing import TERMS, smooth, window_radius
from active_matting.solvers.shared import Shared
from active_matting.types import Alpha, Image, LabelMap

Array = NDArray[Any]

PHOTOGRAPHS = Path(__file__).parents[2].parent / "shared" / "data" / "alphamatting"


def small_case(seed: int = 0, shape: tuple[int, int] = (16, 13)) -> tuple[Image, LabelMap]:
    """A smooth random image, a labelled block of either kind, a few labelled pixels, and a transition block."""
    rng = np.random.default_rng(seed)
    image = cv2.GaussianBlur(rng.random((*shape, 3)), (5, 5), 1.2)
    image = ((image - image.min()) / (image.max() - image.min())).astype(np.float32)
    label_map = np.zeros(shape, dtype=np.int8)
    label_map[1:4, 2:5], label_map[-4:-1, -5:-2], label_map[-4:-2, :3] = 1, -1, 2
    label_map[9, 11], label_map[3, 9] = 1, -1
    return image, label_map


def stages(image: Image, label_map: LabelMap, solver: Shared, threads: int = 1) -> dict[str, Any]:
    """What each stage makes of what the stage before it made, without margins."""
    prepared = solver.prepare(image)
    planes, frame = prepared._planes, prepared._planes.frame
    h, w = label_map.shape
    offers, met, nothing = offer_arrays(frame), Met.of(frame, solver.rays, solver.tile), frame.full(1, 1)[0]
    refined, terms = frame.full(8, 0), frame.full(TERMS, 0)
    sizes = solver.smoothing_neighbours, solver.confidence_decay
    with Workers(threads) as workers:
        known = expand(frame, planes.alike, label_map, workers)
        cast_rays(frame, planes.tensor, solver.tile, known, Changed.all_of(frame), met, workers)
        gather(frame, planes.colour, planes.samples, (nothing, known), met, offers, workers)
        unknown = unknown_bits(frame, known), cover(frame, unknown_bits(frame, known))
        given = unknown[1], offers, solver.refinement_neighbours, solver.confidence_decay
        refine(frame, planes.colour, *given, refined, workers)
        matte = smooth(frame, image, planes.colour, known, unknown, refined, *sizes, terms, workers)
    # Known pixels are what they are: their own colours, wholly one of the two, and sure.
    is_known, inside = frame.inside(known) != 0, frame.inside(refined)
    inside[:3], inside[3:6] = (np.where(is_known, image.transpose(2, 0, 1), inside[c : c + 3]) for c in (0, 3))
    inside[6], inside[7] = np.where(is_known, frame.inside(known) == 1, inside[6]), np.where(is_known, 1, inside[7])
    met.energies[met.hits < 0] = 0
    hits, energies = (a.reshape(h, w, solver.rays, 2)[:, met.ranks] for a in (met.hits, met.energies))
    hits[is_known], energies[is_known] = -2, 0
    return {
        "image": image, "tensor": planes.tensor[0],
        "variance": planes.samples[:, 3].reshape(h, w),
        "known": frame.inside(known), "hits": hits, "energies": energies,
        "pairs": frame.inside(offers[0].T).transpose(1, 2, 0), "refined": frame.inside(refined).transpose(1, 2, 0),
        "matte": matte,
    }  # fmt: skip


@pytest.fixture(params=[(0, (16, 13)), (1, (16, 13)), (2, (12, 75))], ids=str, scope="module")
def case(request: pytest.FixtureRequest) -> tuple[Array, LabelMap, Shared, dict[str, Any]]:
    image, label_map = small_case(*request.param)
    solver = Shared(expansion_radius=3, expansion_threshold=0.06, refinement_neighbours=40, smoothing_neighbours=30)
    return image.astype(np.float64), label_map, solver, stages(image, label_map, solver)


def unknown_pixels(known: Array) -> Iterator[tuple[int, int]]:
    return zip(*np.nonzero(known == 0), strict=True)


def project(colour: Array, foreground: Array, background: Array) -> tuple[float, float]:
    """α̂ = (C - B)·(F - B) / ‖F - B‖² in [0, 1], and M = ‖C - (α̂ F + (1 - α̂) B)‖."""
    way = foreground - background
    alpha = float(np.clip((colour - background) @ way / (way @ way + 1e-6), 0, 1))
    return alpha, float(np.linalg.norm(colour - alpha * foreground - (1 - alpha) * background))


def nearest_first(shape: tuple[int, int], y: int, x: int) -> list[tuple[int, int]]:
    """All pixels by their distance from (y, x), then by row, then by column."""
    pixels = [(qy, qx) for qy in range(shape[0]) for qx in range(shape[1])]
    return sorted(pixels, key=lambda q: ((q[0] - y) ** 2 + (q[1] - x) ** 2, q))


def neighbours(shape: tuple[int, int], y: int, x: int, count: int, is_chessboard: bool) -> list[tuple[int, int]]:
    """The nearest `count` places of the plane, of one colour of a chessboard or all, those within the image."""
    reach = range(-12, 13)
    places = [(dy, dx) for dy in reach for dx in reach if not is_chessboard or (dy + dx) % 2 == 0]
    places = sorted(places, key=lambda d: (d[0] ** 2 + d[1] ** 2, d))[:count]
    return [(y + dy, x + dx) for dy, dx in places if 0 <= y + dy < shape[0] and 0 <= x + dx < shape[1]]


def test_labels_grow_to_the_nearest_like_colour(case: Any) -> None:
    image, label_map, solver, result = case
    expected = np.where(label_map == 2, 0, label_map)
    told = expected.copy()
    for y, x in unknown_pixels(told):
        for q in nearest_first(told.shape, y, x):
            if np.hypot(q[0] - y, q[1] - x) > solver.expansion_radius:
                break
            if told[q] != 0 and np.linalg.norm(image[y, x] - image[q]) <= solver.expansion_threshold:
                expected[y, x] = told[q]
                break
    assert (expected != told).any()
    np.testing.assert_array_equal(result["known"], expected)


def test_structure_tensor_gives_the_squared_slope_in_any_direction(case: Any) -> None:
    image, _, _, result = case
    slopes = np.gradient(image, axis=(0, 1))
    direction = np.array([0.6, -0.8])
    expected = ((direction[0] * slopes[0] + direction[1] * slopes[1]) ** 2).sum(2)
    yy, yx, xx = result["tensor"]
    np.testing.assert_allclose(0.36 * yy - 0.96 * yx + 0.64 * xx, expected, atol=1e-6)


def test_variance_is_that_of_the_5x5_pixels_around(case: Any) -> None:
    image, _, solver, result = case
    h, w = image.shape[:2]
    for y, x in [(0, 0), (7, 6), (h - 1, 3)]:
        rows, columns = np.clip(range(y - 2, y + 3), 0, h - 1), np.clip(range(x - 2, x + 3), 0, w - 1)
        around = image[np.ix_(rows, columns)]
        expected = ((around - image[y, x]) ** 2).sum(2).mean() * solver.variance_factor
        assert result["variance"][y, x] == pytest.approx(expected, abs=1e-6)


def test_rays_hit_the_first_labelled_pixel_and_sum_the_energy_before_it(case: Any) -> None:
    _, _, solver, result = case
    known, tensor = result["known"], result["tensor"].astype(np.float64)
    h, w = known.shape
    for y, x in unknown_pixels(known):
        phase = (y % solver.tile) * solver.tile + x % solver.tile
        for ray in range(solver.rays):
            angle = 2 * np.pi * (ray + (phase + 0.5) / solver.tile**2) / solver.rays
            dy, dx = np.sin(angle), np.cos(angle)
            is_steep = abs(dy) >= abs(dx)
            sign = int(np.sign(dy if is_steep else dx))
            slope = dx / dy if is_steep else dy / dx
            step = 1 / max(abs(dy), abs(dx))

            hit, energy, total, k = [-1, -1], [0.0, 0.0], 0.0, 0
            while True:
                major = (y if is_steep else x) + k * sign
                shift = int(np.floor(major * slope + 0.5)) - int(np.floor((y if is_steep else x) * slope + 0.5))
                qy, qx = (major, x + shift) if is_steep else (y + shift, major)
                if not (0 <= qy < h and 0 <= qx < w):
                    break
                for kind, label in enumerate((1, -1)):
                    if hit[kind] < 0 and known[qy, qx] == label:
                        hit[kind], energy[kind] = qy * w + qx, total
                yy, yx, xx = tensor[:, qy, qx]
                total += step * (dy * dy * yy + 2 * dy * dx * yx + dx * dx * xx)
                k += 1
            np.testing.assert_array_equal(result["hits"][y, x, ray], hit)
            for kind in range(2):
                if hit[kind] >= 0:
                    assert result["energies"][y, x, ray, kind] == pytest.approx(energy[kind], abs=1e-5)


Sample = tuple[Array, float, float]  # colour, variance, distance


def cost_of_pair(image: Array, y: int, x: int, f: Sample, b: Sample, likely: float) -> float:
    """g = N³ A² D_f D_b⁴."""
    h, w = image.shape[:2]
    around = [(np.clip(y + dy, 0, h - 1), np.clip(x + dx, 0, w - 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    fit = sum(project(image[q], f[0], b[0])[1] ** 2 for q in around)
    agreement = likely + (1 - 2 * likely) * project(image[y, x], f[0], b[0])[0]
    return float((fit + 1e-6) ** 3 * (agreement + 1e-6) ** 2 * f[2] * b[2] ** 4)


def test_gathered_pair_has_the_least_cost_of_all_pairs(case: Any) -> None:
    image, _, _, result = case
    known, hits, energies, pairs = (result[k] for k in ("known", "hits", "energies", "pairs"))
    fallbacks = 0
    for y, x in unknown_pixels(known):
        samples: list[list[Sample]] = []
        least = []
        for kind, label in enumerate((1, -1)):
            is_hit = hits[y, x, :, kind] >= 0
            places = [divmod(int(q), known.shape[1]) for q in hits[y, x, is_hit, kind]]
            samples.append([(image[q], result["variance"][q], np.hypot(q[0] - y, q[1] - x)) for q in places])
            least.append(energies[y, x, is_hit, kind].min(initial=np.inf))
            if not places:
                fallbacks += 1
                of_kind = known == label
                samples[-1] = [(image[of_kind].mean(0), result["variance"][of_kind].mean(), 1.0)]
        likely = (least[1] + 1e-6) / (sum(least) + 2e-6) if np.isfinite(least).all() else 0.5
        choices = [(f, b) for f in samples[0] for b in samples[1]]
        f, b = min(choices, key=lambda pair: cost_of_pair(image, y, x, pair[0], pair[1], likely))
        np.testing.assert_allclose(pairs[y, x], np.concatenate([f[0], b[0], [f[1], b[1]]]), atol=1e-5)
    assert fallbacks > 0


def coarse_cost(colour: Array, pair: Array) -> int:
    """M² in single precision, as its leading 15 bits after the sign and exponent: so much decides between pairs."""
    way, rest = pair[:3] - pair[3:6], colour - pair[3:6]
    square = np.float32(1e-6) + way[0] ** 2 + way[1] ** 2 + way[2] ** 2
    dot = rest[0] * way[0] + rest[1] * way[1] + rest[2] * way[2]
    rest = rest - np.clip(dot * (np.float32(1) / square), np.float32(0), np.float32(1)) * way
    return int((rest[0] ** 2 + rest[1] ** 2 + rest[2] ** 2).view(np.int32)) >> 8


def test_refinement_averages_the_three_best_neighbouring_pairs(case: Any) -> None:
    image, _, solver, result = case
    known, pairs = result["known"], result["pairs"].astype(np.float64)

    for y, x in unknown_pixels(known):
        colour = image[y, x]
        near = neighbours(known.shape, y, x, solver.refinement_neighbours, is_chessboard=True)
        near = [q for q in near if known[q] == 0]
        costs = [coarse_cost(result["image"][y, x], result["pairs"][q]) for q in near]
        best = sorted(range(len(near)), key=lambda k: costs[k])[:3]
        mean = np.mean([pairs[near[k]] for k in best], axis=0)

        is_foreground = ((colour - mean[:3]) ** 2).sum() <= mean[6]
        is_background = ((colour - mean[3:6]) ** 2).sum() <= mean[7]
        foreground = colour if is_foreground else mean[:3]
        background = colour if is_background else mean[3:6]
        decay = solver.confidence_decay * project(colour, mean[:3], mean[3:6])[1]
        confidence = 0 if is_foreground and is_background else np.exp(-decay)
        alpha = project(colour, foreground, background)[0]
        expected = np.concatenate([foreground, background, [alpha, confidence]])
        np.testing.assert_allclose(result["refined"][y, x], expected, atol=1e-5)


def test_smoothing_weighs_by_confidence_distance_and_difference(case: Any) -> None:
    image, _, solver, result = case
    known, refined, matte = result["known"], result["refined"].astype(np.float64), result["matte"]
    m = solver.smoothing_neighbours
    radius = window_radius(m)
    for y, x in unknown_pixels(known):
        near = neighbours(known.shape, y, x, m, is_chessboard=False)
        foregrounds = np.array([refined[q][:3] for q in near])
        backgrounds = np.array([refined[q][3:6] for q in near])
        alphas, confidences = np.array([refined[q][6:8] for q in near]).T
        distances = np.array([np.hypot(q[0] - y, q[1] - x) for q in near])
        gauss = np.exp(-(distances**2) / (2 * m / (9 * np.pi)))

        weights = gauss * confidences * np.where(distances > 0, abs(alphas - refined[y, x, 6]), 1)
        foreground, background = refined[y, x, :3], refined[y, x, 3:6]
        if (weights * alphas).sum() > 0:
            foreground = (weights * alphas) @ foregrounds / (weights * alphas).sum()
        if (weights * (1 - alphas)).sum() > 0:
            background = (weights * (1 - alphas)) @ backgrounds / (weights * (1 - alphas)).sum()

        # The rest is summed over the square of about as many pixels.
        rows, columns = (slice(max(c - radius, 0), c + radius + 1) for c in (y, x))
        square = refined[rows, columns].reshape(-1, 8)
        is_known = (known[rows, columns] != 0).ravel()
        qy, qx = (q[rows, columns].ravel() for q in np.indices(known.shape))
        gauss = np.exp(-((qy - y) ** 2 + (qx - x) ** 2) / (2 * m / (9 * np.pi)))
        alphas, confidences = square[:, 6], square[:, 7]
        mixed = confidences * alphas * (1 - alphas)
        apart = (mixed * np.linalg.norm(square[:, :3] - square[:, 3:6], axis=1)).sum()
        ratio = np.linalg.norm(foreground - background) * mixed.sum() / apart if apart > 0 else 1
        alpha, distance = project(image[y, x], foreground, background)
        confidence = min(1, ratio) * np.exp(-solver.confidence_decay * distance)
        low_weights = gauss * confidences + is_known
        low = (low_weights * alphas).sum() / low_weights.sum() if low_weights.sum() > 0 else refined[y, x, 6]

        np.testing.assert_allclose(matte.foreground[y, x], foreground, atol=1e-5)
        np.testing.assert_allclose(matte.background[y, x], background, atol=1e-5)
        assert matte.alpha[y, x] == pytest.approx(confidence * alpha + (1 - confidence) * low, abs=1e-5)


def composite(side: int) -> tuple[Image, Alpha, LabelMap]:
    """Two flat colours blended over a ramp: where the colours are flat, so is what is labelled."""
    x = np.linspace(-1, 2, side, dtype=np.float32)
    alpha = np.broadcast_to(np.clip(x, 0, 1), (side, side)).copy()
    foreground, background = np.array([[0.9, 0.3, 0.1], [0.1, 0.4, 0.8]], dtype=np.float32)
    image = alpha[..., None] * foreground + (1 - alpha[..., None]) * background
    label_map = np.zeros((side, side), dtype=np.int8)
    label_map[:, : side // 5], label_map[:, -(side // 5) :] = -1, 1
    return image, alpha, label_map


def test_two_flat_colours_are_told_apart_exactly() -> None:
    image, alpha, label_map = composite(32)
    matte = Shared().prepare(image).solve(label_map)
    np.testing.assert_allclose(matte.alpha, alpha, atol=0.01)
    is_mixed = (alpha > 0.1) & (alpha < 0.9)
    assert matte.foreground is not None
    assert matte.background is not None
    np.testing.assert_allclose(
        matte.foreground[is_mixed], np.broadcast_to([0.9, 0.3, 0.1], (is_mixed.sum(), 3)), atol=0.02
    )
    np.testing.assert_allclose(
        matte.background[is_mixed], np.broadcast_to([0.1, 0.4, 0.8], (is_mixed.sum(), 3)), atol=0.02
    )


@pytest.mark.parametrize(
    "shape", [(1, 2), (1, 40), (40, 1), (2, 2), (4, 90), (90, 4), (7, 300), (3, 1100), (65, 33), (150, 17)]
)
def test_any_shape_gives_a_fresh_matte_that_keeps_labels(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((*shape, 3), dtype=np.float32)
    label_map = np.zeros(shape, dtype=np.int8)
    if min(shape) > 3:
        label_map[-1, 0], label_map[0, -1] = 2, 1
    label_map[0, 0], label_map[-1, -1] = 1, -1
    prepared = Shared().prepare(image)
    matte = prepared.solve(label_map)
    assert matte.alpha.shape == shape
    assert matte.alpha.dtype == np.float32
    assert matte.alpha.flags.writeable
    assert (matte.alpha[label_map == 1] == 1).all()
    assert (matte.alpha[label_map == -1] == 0).all()
    for array in (matte.alpha, matte.foreground, matte.background):
        assert array is not None
        assert array.min() >= 0
        assert array.max() <= 1
    expected = matte.alpha.copy()
    matte.alpha[:] = 7
    np.testing.assert_array_equal(prepared.solve(label_map).alpha, expected)


def test_all_pixels_labelled_gives_the_labels() -> None:
    image, _ = small_case()
    label_map = np.where(np.arange(13) < 6, 1, -1) * np.ones((16, 1), dtype=int)
    np.testing.assert_array_equal(Shared().prepare(image).solve(label_map.astype(np.int8)).alpha, label_map == 1)


def test_turning_the_image_over_keeps_the_matte_close() -> None:
    image, alpha, label_map = composite(40)
    turned = Shared().prepare(np.ascontiguousarray(image.transpose(1, 0, 2))).solve(np.ascontiguousarray(label_map.T))
    np.testing.assert_allclose(turned.alpha.T, alpha, atol=0.01)


def test_number_of_threads_does_not_matter() -> None:
    image, label_map = small_case(2, (170, 161))
    one, two = (stages(image, label_map, Shared(), threads)["matte"] for threads in (1, 2))
    for name in ("alpha", "foreground", "background"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_many_solves_at_once_equal_single_ones_bit_by_bit() -> None:
    image, label_map = small_case(5, (60, 51))
    label_maps = np.stack([np.roll(label_map, (7 * i, 11 * i), axis=(0, 1)) for i in range(9)] + [0 * label_map])
    prepared = Shared().prepare(image)
    singly = [prepared.solve(one).alpha for one in label_maps]
    np.testing.assert_array_equal(prepared.solve_many(label_maps), singly)
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(lambda one: prepared.solve(one).alpha, label_maps))
    np.testing.assert_array_equal(at_once, singly)
    assert prepared.solve_many(label_maps[:0]).shape == (0, 60, 51)


def test_labels_never_grow_into_a_transition() -> None:
    image = np.full((30, 30, 3), 0.5, dtype=np.float32)
    label_map = np.zeros((30, 30), dtype=np.int8)
    label_map[:5], label_map[-5:], label_map[8:14, 8:14] = 1, -1, 2
    known = stages(image, label_map, Shared())["known"]
    assert (known[label_map == 2] == 0).all()
    assert (known[5:10][label_map[5:10] == 0] == 1).all()


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_an_image_of_one_colour_has_a_finite_matte(value: float) -> None:
    image = np.full((21, 34, 3), value, dtype=np.float32)
    label_map = np.zeros((21, 34), dtype=np.int8)
    label_map[0, 0], label_map[-1, -1] = 1, -1
    matte = Shared().prepare(image).solve(label_map)
    for array in (matte.alpha, matte.foreground, matte.background):
        assert array is not None
        assert np.isfinite(array).all()


def test_same_labels_same_matte_also_after_pickling() -> None:
    image, label_map = small_case(3)
    prepared = Shared().prepare(image)
    expected = prepared.solve(label_map).alpha.copy()
    np.testing.assert_array_equal(prepared.solve(label_map).alpha, expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(prepared)).solve(label_map).alpha, expected)


def test_inputs_stay_untouched() -> None:
    image, label_map = small_case(4)
    originals = image.copy(), label_map.copy()
    Shared().prepare(image).solve(label_map)
    np.testing.assert_array_equal(image, originals[0])
    np.testing.assert_array_equal(label_map, originals[1])


@pytest.mark.parametrize(
    "parameters", [{"rays": 0}, {"tile": 0}, {"refinement_neighbours": 257}, {"smoothing_neighbours": 0}]
)
def test_impossible_parameters_are_refused(parameters: dict[str, int]) -> None:
    with pytest.raises(InvalidArgumentError, match=next(iter(parameters))):
        Shared(**parameters)


@pytest.mark.parametrize("parameters", [{"rays": 3}, {"rays": 7, "tile": 1}, {"tile": 5}, {"expansion_radius": 0}])
def test_other_parameters_find_the_ramp_too(parameters: dict[str, int]) -> None:
    image, alpha, label_map = composite(30)
    matte = Shared(**parameters).prepare(image).solve(label_map)
    np.testing.assert_allclose(matte.alpha, alpha, atol=0.02)


def rmse(a: Array, b: Array) -> float:
    return float(np.sqrt(np.mean((a - b) ** 2)))


def reference(image: Image, label_map: LabelMap) -> Array:
    trimap = np.where(label_map == 1, 1.0, np.where(label_map == -1, 0.0, 0.5))
    alpha: Array = estimate_alpha_sm(image.astype(np.float64), trimap)
    return alpha


@pytest.mark.parametrize("is_sparse", [False, True])
def test_not_worse_than_pymatting_on_a_textured_disc(is_sparse: bool) -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    alpha = np.clip((0.7 - np.hypot(y, x)) * 8, 0, 1).astype(np.float32)
    texture = [cv2.GaussianBlur(rng.random((64, 64, 3)), (0, 0), 2) - 0.5 for _ in range(2)]
    foreground, background = np.array([0.8, 0.5, 0.2]) + texture[0], np.array([0.2, 0.4, 0.7]) + texture[1]
    image = (alpha[..., None] * foreground + (1 - alpha[..., None]) * background).clip(0, 1).astype(np.float32)
    label_map = ((alpha == 1).astype(np.int8) - (alpha == 0)).astype(np.int8)
    if is_sparse:  # 5×5 pixels around every 16th
        label_map[((np.indices((64, 64)) + 2) % 16 > 4).any(axis=0)] = 0
    ours = Shared().prepare(image).solve(label_map).alpha
    assert rmse(ours, alpha) <= rmse(reference(image, label_map), alpha)


def read(folder: str, name: str, interpolation: int) -> Image:
    """(200, 200, 3) in [0, 1]; grey files get three like channels."""
    array = cv2.imread(str(PHOTOGRAPHS / folder / name), cv2.IMREAD_COLOR)
    assert array is not None
    array = cv2.resize(array, (200, 200), interpolation=interpolation)[..., ::-1]
    scaled: Image = np.ascontiguousarray(array).astype(np.float32) / np.float32(255)
    return scaled


@pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason="the photographs of alphamatting.com are not there")
def test_not_worse_than_pymatting_on_photographs() -> None:
    errors = []
    for name in ("GT01.png", "GT05.png", "GT13.png"):
        image, alpha = read("images", name, cv2.INTER_AREA), read("alphas", name, cv2.INTER_AREA)[..., 0]
        trimap = read("trimaps/Trimap1", name, cv2.INTER_NEAREST)[..., 0]
        label_map = ((trimap == 1).astype(np.int8) - (trimap == 0)).astype(np.int8)
        ours = Shared().prepare(image).solve(label_map).alpha
        errors.append((rmse(ours, alpha), rmse(reference(image, label_map), alpha)))
    ours_mean, reference_mean = np.mean(errors, axis=0)
    assert ours_mean <= reference_mean
