"""The families of foregrounds beyond the embedded set's: alpha against what can be computed, and what each is for."""

import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from active_matting.data import make_data
from active_matting.data.drawing import Placement, Sheet, ellipse
from active_matting.data.foregrounds import CLASSIC, FAMILIES
from active_matting.data.foregrounds.holes import lattice
from active_matting.data.foregrounds.lines import hairs, radii, wires
from active_matting.data.foregrounds.motion import exposed, flight
from active_matting.data.foregrounds.veil import cloth_alpha
from active_matting.data.images import write_image
from active_matting.data.rendered import Rendered, render, scenes_of
from active_matting.errors import FileError, InvalidArgumentError

MIDDLE = Placement((0.5, 0.5), 0.4, 0.0)

EMBEDDED = [  # name; mean of alpha, of alpha · x, of alpha · y, of red and of blue, 60×60, x and y from 0 to 1
    ("train-0000-discs", 0.2005, 7.4579, 7.0866, 0.3300, 0.3361),
    ("train-0001-hair", 0.2074, 3.6544, 4.4457, 0.2455, 0.2336),
    ("train-0002-leaves", 0.2935, 7.7907, 10.2039, 0.5490, 0.5691),
    ("train-0003-net", 0.1634, 4.0529, 2.9618, 0.3619, 0.3773),
    ("train-0004-smoke", 0.2025, 4.2045, 5.3349, 0.4179, 0.2170),
    ("train-0005-glass", 0.2744, 6.5354, 9.5822, 0.3435, 0.3172),
    ("train-0006-discs", 0.2891, 7.3100, 7.6448, 0.4453, 0.5330),
    ("train-0007-hair", 0.1767, 8.2572, 4.0832, 0.5019, 0.4056),
    ("train-0008-leaves", 0.2119, 7.7117, 7.1123, 0.2962, 0.2543),
    ("train-0009-net", 0.2533, 5.0581, 8.8608, 0.2170, 0.2505),
    ("train-0010-smoke", 0.2687, 9.7971, 9.4113, 0.3409, 0.4113),
    ("train-0011-glass", 0.2470, 7.1322, 8.3168, 0.3721, 0.7051),
]


def thin_share(alpha: NDArray[np.float32], width: int = 9) -> float:
    """How much of alpha, as a share of the frame, lies in what is narrower than `width` pixels."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    return float((alpha - cv2.morphologyEx(alpha, cv2.MORPH_OPEN, kernel)).mean())


def parts_of(is_inside: NDArray[np.bool_], at_least: int = 4) -> int:
    """Connected parts of so many pixels at least."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(is_inside.astype(np.uint8))
    return int(np.count_nonzero(stats[1:, cv2.CC_STAT_AREA] >= at_least))


def alphas(family: str, count: int = 6) -> list[NDArray[np.float32]]:
    return [render(family, 200, np.random.default_rng([index, 3])).alpha for index in range(count)]


def test_the_embedded_set_is_what_it_was_before_there_were_more_families() -> None:
    weight = np.linspace(0, 1, 60)
    for sample, (name, *expected) in zip(Rendered("train", len(EMBEDDED), 60, 0), EMBEDDED, strict=True):
        assert sample.name == name
        found = [sample.alpha.mean(), (sample.alpha @ weight).mean(), (weight @ sample.alpha).mean()]
        found += [sample.image[..., 0].mean(), sample.image[..., 2].mean()]
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_the_embedded_families_come_first_among_all() -> None:
    classic, every = Rendered(count=13, size=40), Rendered(count=13, size=40, families="all")
    assert [sample.name[11:] for sample in every] == list(FAMILIES)
    for index in range(len(CLASSIC)):
        np.testing.assert_array_equal(classic[index].image, every[index].image)


@pytest.mark.parametrize("drop", [0.0, 0.1])
@pytest.mark.parametrize("size", [60, 200])
def test_a_moving_disc_keeps_its_area(size: int, drop: float) -> None:
    poses = flight(size, MIDDLE, stretch=0.6, drop=drop, turn=0.3)
    moved = exposed(size, [(ellipse((0, 0), (0.5, 0.5)), np.ones(3))], poses)
    # an ellipse of 96 corners is 0.07 % smaller
    assert moved.alpha.mean() == pytest.approx(np.pi * 0.2**2, rel=0.01)
    still = exposed(size, [(ellipse((0, 0), (0.5, 0.5)), np.ones(3))], [MIDDLE])
    assert np.mean((moved.alpha > 0.02) & (moved.alpha < 0.98)) > 2 * np.mean(
        (still.alpha > 0.02) & (still.alpha < 0.98)
    )


def test_the_edge_of_a_moving_bar_is_a_straight_ramp_as_wide_as_its_way() -> None:
    size, way = 200, 0.5 * 0.4
    bar = np.array([(-2.0, -0.6), (-2.0, 0.6), (2.0, 0.6), (2.0, -0.6)])
    alpha = exposed(size, [(bar, np.ones(3))], flight(size, MIDDLE, 0.5, 0.0, 0.0)).alpha
    x = (np.arange(size) + 0.5) / size
    from_middle = np.abs(x - 0.5)
    trapezoid = np.clip((0.24 + way / 2 - from_middle) / way, 0, 1)
    np.testing.assert_allclose(alpha[size // 2], trapezoid, atol=0.03)


def test_what_moves_shows_its_own_colours_unmixed_with_what_it_passes() -> None:
    layer = exposed(80, [(ellipse((0, 0), (0.7, 0.7)), np.array([0.8, 0.4, 0.2]))], flight(80, MIDDLE, 0.5, 0.0, 0.0))
    colour = layer.colour(np.zeros(3, np.float32))
    assert np.abs(colour - [0.8, 0.4, 0.2])[layer.alpha > 0.01].max() < 0.01


@pytest.mark.parametrize("count", [12, 40])
def test_spokes_cover_their_number_times_width_times_length(count: int) -> None:
    sheet, width, inner, outer = Sheet.blank(200), 0.008, 0.4, 0.95
    wires(sheet, MIDDLE.to_frame(radii(count, inner, outer)), width, np.ones(3))
    assert sheet.layer().alpha.mean() == pytest.approx(count * width * (outer - inner) * MIDDLE.scale, rel=0.05)


def test_a_hair_that_tapers_covers_three_fifths_of_a_straight_one() -> None:
    sheet = Sheet.blank(200)
    start = np.linspace(0.1, 0.9, 40)
    steps = np.linspace(0, 0.4, 60)
    paths = np.stack(np.broadcast_arrays(0.3 + steps, start[:, None]), axis=-1)
    hairs(sheet, np.random.default_rng(0), paths, np.ones((40, 3)), thickest=0.01)
    drawn = np.random.default_rng(0).uniform(0.0025, 0.01, 40)
    assert sheet.layer().alpha.mean() == pytest.approx(0.6 * 0.4 * drawn.sum(), rel=0.05)


@pytest.mark.parametrize("is_staggered", [False, True])
def test_round_holes_leave_one_minus_their_share_of_the_cell(is_staggered: bool) -> None:
    sheet, spacing, radius = Sheet.blank(200), 0.125, 0.04
    sheet.fill(np.array([(0, 0), (0, 1), (1, 1), (1, 0)], dtype=np.float64), np.ones(3))
    for point in lattice(spacing, is_staggered):
        sheet.cut(MIDDLE.to_frame(point + ellipse((0, 0), (radius, radius))))
    inside = sheet.layer().alpha[60:140, 60:140]  # eight cells each way
    assert inside.mean() == pytest.approx(1 - np.pi * radius**2 / spacing**2, rel=0.01)


def test_a_cloth_seen_twice_as_thick_is_as_opaque_as_two_cloths() -> None:
    flat = cloth_alpha(0.3, np.zeros(1))
    assert flat == pytest.approx(0.3)
    assert cloth_alpha(0.3, np.array([3**0.5])) == pytest.approx(flat + (1 - flat) * flat)


@pytest.mark.parametrize("family", ["fur", "feathers", "spokes", "holes"])
def test_thin_things_are_thin(family: str) -> None:
    assert np.median([thin_share(alpha) for alpha in alphas(family)]) > 3 * thin_share(alphas("motion", 1)[0])


def test_holes_let_the_background_through_in_many_places() -> None:
    assert all(parts_of(alpha < 0.1, at_least=2) >= 10 for alpha in alphas("holes"))


def test_veils_are_translucent_over_an_area() -> None:
    assert all(np.mean((alpha > 0.08) & (alpha < 0.9)) > 0.03 for alpha in alphas("veil"))


def test_several_objects_lie_apart_now_and_then() -> None:
    assert sum(parts_of(alpha > 0.5, at_least=200) >= 2 for alpha in alphas("several", 8)) >= 4


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Twelve pictures, each of one grey of its own with a gradient."""
    folder = tmp_path / "photographs"
    for index in range(12):
        ramp = np.linspace(0, 0.05, 60, dtype=np.float32)[:, None, None] * np.ones((60, 80, 3), np.float32)
        write_image(folder / ("b" if index % 2 else "a") / f"{index:02d}.png", ramp + np.float32(index / 13))
    return folder


def test_photographs_are_backgrounds_and_no_split_sees_another_s(photographs: Path) -> None:
    used = [set(scenes_of(split, str(photographs))) for split in ("train", "validation", "test")]
    assert [len(scenes) for scenes in used] == [10, 1, 1]
    assert len(set.union(*used)) == 12
    source = make_data("rendered", count=4, size=60, families=["fur", "veil"], backgrounds=str(photographs))
    first = source[0]
    assert first.name == "train-0000-fur"
    is_clear = first.alpha == 0
    # shadows only darken, and noise is at most 0.02 strong: the grey of one photograph
    brightest = np.quantile(first.image[is_clear], 0.5)
    assert np.abs(first.image[is_clear] - brightest).mean() < 0.15
    crc = [zlib.crc32(source[1].image.tobytes()) for _ in range(2)]
    assert crc[0] == crc[1]


def test_over_photographs_too_the_image_is_composed_of_its_parts(photographs: Path) -> None:
    source = Rendered(count=len(FAMILIES), size=60, families="all", backgrounds=str(photographs))
    for index in range(len(source)):
        _, parts = source.parts(index)
        opacity = parts.alpha[..., None].astype(np.float64)
        composed = opacity * parts.foreground + (1 - opacity) * parts.background
        np.testing.assert_allclose(parts.image, composed, atol=1e-6)


def test_an_object_takes_on_the_tint_of_its_scene(tmp_path: Path) -> None:
    def red_to_blue(colour: tuple[float, float, float], folder: Path) -> NDArray[np.float64]:
        for index in range(3):
            write_image(folder / f"{index}.png", np.full((40, 40, 3), colour, np.float32))
        source = Rendered(count=8, size=40, families=["discs"], backgrounds=str(folder))
        parts = [source.parts(index)[1] for index in range(8)]
        colours = np.array([part.foreground[part.alpha > 0.5].mean(axis=0) for part in parts], dtype=np.float64)
        return np.asarray(colours[:, 0] / colours[:, 2])

    warm, cold = red_to_blue((0.8, 0.5, 0.2), tmp_path / "warm"), red_to_blue((0.2, 0.5, 0.8), tmp_path / "cold")
    # objects in colours of their own, as some of eight are, differ by (0.85 / 0.25) ** 0.8 where nothing is clipped
    assert (warm / cold).min() == pytest.approx(2.66, rel=0.15)


def test_another_size_shows_the_same_crop_of_the_photograph(photographs: Path) -> None:
    small, large = (
        Rendered(count=2, size=size, families=["several"], backgrounds=str(photographs))[1].resized(60)
        for size in (60, 240)
    )
    assert np.abs(small.alpha - large.alpha).mean() < 0.03
    assert np.abs(cv2.GaussianBlur(small.image - large.image, (0, 0), 3)).mean() < 0.03


@pytest.mark.parametrize(
    ("families", "message"),
    [
        ("fog", r"families must be one of \['classic', 'all'\] or a list of names, got 'fog'"),
        ([], r"families must be one of .*, got \[\]"),
        (3, "families must be one of .*, got 3"),
        (["fur", "fog"], r"unknown family 'fog'; choose from \['discs', "),
    ],
)
def test_bad_families_are_named_with_what_is_allowed(families: object, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        Rendered(families=families)  # type: ignore[arg-type]


def test_too_few_photographs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="and the folders below hold no pictures"):
        Rendered(backgrounds=str(tmp_path))
    for name in "ab":
        write_image(tmp_path / f"{name}.png", np.zeros((30, 30, 3), np.float32))
    with pytest.raises(FileError, match="must hold a picture for each of 3 splits, got 2"):
        Rendered(backgrounds=str(tmp_path))
    with pytest.raises(InvalidArgumentError, match="backgrounds must be the path of a folder or None, got 3"):
        Rendered(backgrounds=3)  # type: ignore[arg-type]
