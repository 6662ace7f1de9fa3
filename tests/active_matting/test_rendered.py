"""The embedded data set: determinism, exact alpha, and that its images suit region labelling."""

import subprocess
import sys
import zlib
from functools import cache
from typing import Any, cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from active_matting.data.drawing import Layer, Sheet
from active_matting.data.foregrounds import CLASSIC, FAMILIES
from active_matting.data.rendered import Rendered, Rendering, render
from active_matting.data.samples import DataSource, Sample
from active_matting.errors import InvalidArgumentError

REGIONS_PER_SIDE = 20


NEW_FAMILIES = [family for family in FAMILIES if family not in CLASSIC]


@cache
def samples(family: str) -> tuple[Sample, ...]:
    """Ten samples of a family, 100×100; those of the embedded set as they are in it."""
    if family in CLASSIC:
        source = Rendered(split="validation", count=60, size=100, seed=5)
        first = list(CLASSIC).index(family)
        return tuple(source[index] for index in range(first, 60, 6))
    return tuple(Rendered("validation", 10, 100, 5, families=[family]))


def grid_cells(alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    """Alpha as `(400, pixels)`: one row for each cell of the 20 × 20 grid."""
    side = len(alpha) // REGIONS_PER_SIDE
    cells = alpha.reshape(REGIONS_PER_SIDE, side, REGIONS_PER_SIDE, side).transpose(0, 2, 1, 3)
    return cells.reshape(REGIONS_PER_SIDE**2, -1)


def drawn(outline: NDArray[np.float64], size: int) -> Layer:
    sheet = Sheet.blank(size)
    sheet.fill(outline, np.ones(3))
    return sheet.layer()


def global_random_state() -> Any:
    return cast(tuple[Any, ...], np.random.get_state())[1]  # noqa: NPY002


def assert_same(one: Sample, other: Sample) -> None:
    assert one.name == other.name
    np.testing.assert_array_equal(one.image, other.image)
    np.testing.assert_array_equal(one.alpha, other.alpha)


def test_the_same_index_gives_the_same_sample_in_any_order_and_for_any_count() -> None:
    forwards = list(Rendered(count=7, size=60, seed=3))
    other = Rendered(count=100, size=60, seed=3)
    for index in reversed(range(7)):
        assert_same(forwards[index], other[index])


def test_another_process_draws_the_same_sample() -> None:
    program = (
        "import sys, zlib; from active_matting.data.rendered import Rendered; s = Rendered('test', 5, 60, 9)[4];"
        "sys.stdout.write(str([zlib.crc32(s.image.tobytes()), zlib.crc32(s.alpha.tobytes())]))"
    )
    here = Rendered("test", 5, 60, 9)[4]
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert there == str([zlib.crc32(here.image.tobytes()), zlib.crc32(here.alpha.tobytes())])


def test_drawing_leaves_the_global_random_state_alone() -> None:
    before = global_random_state()
    assert len(list(Rendered(count=6, size=40))) == 6
    np.testing.assert_array_equal(before, global_random_state())


def test_splits_seeds_and_indices_share_no_scene() -> None:
    alphas = [
        Rendered(split=split, count=13, size=40, seed=seed)[index].alpha.tobytes()
        for split in ("train", "validation", "test")
        for seed in (0, 1, 2)
        for index in (0, 6, 12)
    ]
    assert len(set(alphas)) == len(alphas)


def test_it_is_a_data_source_with_named_samples() -> None:
    source: DataSource = Rendered(split="test", count=8, size=40)
    assert len(source) == 8
    assert [sample.name for sample in source][6:] == ["test-0006-discs", "test-0007-hair"]
    assert all(sample.shape == (40, 40) for sample in source)
    with pytest.raises(IndexError, match=r"index must lie in \[0, 8\), got 8"):
        source[8]
    with pytest.raises(IndexError):
        source[-1]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [57, 100])
def test_the_image_is_composed_of_its_parts(family: str, size: int) -> None:
    rendering: Rendering = render(family, size, np.random.default_rng(1))
    opacity = rendering.alpha[..., None].astype(np.float64)
    composed = opacity * rendering.foreground + (1 - opacity) * rendering.background
    np.testing.assert_allclose(rendering.image, composed, atol=1e-6)
    for part in (rendering.image, rendering.alpha, rendering.foreground, rendering.background):
        assert part.dtype == np.float32
        assert part.min() >= 0
        assert part.max() <= 1


@pytest.mark.parametrize("size", [40, 100, 400])
@pytest.mark.parametrize("radius", [0.03, 0.1, 0.35])
def test_the_alpha_of_a_disc_sums_to_its_area(size: int, radius: float) -> None:
    angle = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    disc = np.stack([0.503 + radius * np.sin(angle), 0.498 + radius * np.cos(angle)], axis=-1)
    assert drawn(disc, size).alpha.mean() == pytest.approx(np.pi * radius**2, rel=0.01)
    assert drawn(disc[::-1], size).alpha.mean() == pytest.approx(np.pi * radius**2, rel=0.01)


@pytest.mark.parametrize("slope", [0.0, 0.4, -1.0, 2.5])
def test_the_alpha_of_a_half_plane_is_its_exact_coverage(slope: float) -> None:
    size, fine = 50, 64
    border = np.array([-2.0, 3.0])
    height = 0.513 + slope * (border - 0.5)
    outline = np.array([(height[0], -2), (height[1], 3), (20, 3), (20, -2)])
    centres = (np.arange(size * fine) + 0.5) / (size * fine)
    below = centres[:, None] > 0.513 + slope * (centres[None, :] - 0.5)
    exact = below.reshape(size, fine, size, fine).mean(axis=(1, 3))
    alpha = drawn(outline, size).alpha
    # a pixel is sampled on 16 × 16 points here: an edge is off by at most one line of them
    assert np.abs(alpha - exact).max() <= 1 / 16
    assert alpha.mean() == pytest.approx(exact.mean(), abs=1 / (16 * size))


def test_strokes_cover_their_width() -> None:
    sheet = Sheet.blank(100)
    path = np.stack([np.linspace(0.2, 0.8, 20), np.linspace(0.3, 0.7, 20)], axis=-1)
    width, length = 0.02, np.hypot(0.6, 0.4)
    sheet.stroke(path[None], np.full((1, 20), width), np.ones((1, 3)))
    assert sheet.layer().alpha.mean() == pytest.approx(width * length, rel=0.05)


def test_a_layer_over_another_composes_like_two_compositions() -> None:
    rng = np.random.default_rng(0)
    alphas = rng.random((2, 4, 4), dtype=np.float32)
    colours = rng.random((3, 4, 4, 3), dtype=np.float32)
    front, back = (Layer(alpha, alpha[..., None] * colour) for alpha, colour in zip(alphas, colours[:2], strict=True))
    opacity = alphas[..., None]
    expected = opacity[0] * colours[0] + (1 - opacity[0]) * (opacity[1] * colours[1] + (1 - opacity[1]) * colours[2])
    both = front.over(back)
    np.testing.assert_allclose(both.paint + (1 - both.alpha[..., None]) * colours[2], expected, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_image_offers_regions_of_both_kinds(family: str) -> None:
    assert len(samples(family)) == 10
    for sample in samples(family):
        cells = grid_cells(sample.alpha)
        assert np.count_nonzero(cells.min(axis=1) >= 0.98) >= 8, sample.name
        assert np.count_nonzero(cells.max(axis=1) <= 0.02) >= 60, sample.name


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "discs"])
def test_every_image_has_mixed_pixels(family: str) -> None:
    for sample in samples(family):
        assert np.mean((sample.alpha > 0.02) & (sample.alpha < 0.98)) > 0.015, sample.name


def test_objects_vary_in_place_and_size() -> None:
    alphas = np.stack([sample.alpha for family in CLASSIC for sample in samples(family)])
    covered = alphas.mean(axis=(1, 2))
    assert covered.min() < 0.15
    assert 0.3 < covered.max() < 0.6
    rows = np.arange(alphas.shape[1]) / alphas.shape[1]
    middle = (alphas.sum(axis=2) @ rows) / alphas.sum(axis=(1, 2))
    assert middle.std() > 0.08


@pytest.mark.parametrize("family", FAMILIES)
def test_another_size_shows_the_same_scene(family: str) -> None:
    for scene in (0, 1):
        small = Rendered(count=12, size=100, families=[family])[scene]
        large = Rendered(count=12, size=400, families=[family])[scene].resized(100)
        assert np.abs(small.alpha - large.alpha).mean() < 0.02
        blurred = [cv2.GaussianBlur(sample.image, (0, 0), 2) for sample in (small, large)]
        assert np.abs(blurred[0] - blurred[1]).mean() < 0.03


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "dev"}, r"unknown split 'dev'; choose from \['train', 'validation', 'test'\]"),
        ({"count": 0}, "count must be an integer of at least 1, got 0"),
        ({"size": 10}, "size must be an integer of at least 20, got 10"),
        ({"size": 100.5}, "size must be an integer of at least 20, got 100.5"),
        ({"seed": -1}, "seed must be an integer of at least 0, got -1"),
        ({"seed": None}, "seed must be an integer of at least 0, got None"),
    ],
)
def test_bad_arguments_are_named_with_what_is_allowed(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        Rendered(**arguments)  # type: ignore[arg-type]


def test_an_unknown_family_is_named_with_the_known_ones() -> None:
    with pytest.raises(InvalidArgumentError, match=r"unknown family 'fog'; choose from \['discs', "):
        render("fog", 100, np.random.default_rng(0))
