"""Masks out of polygons and run lengths, against ones made by hand and against slow twins."""

import json
from pathlib import Path

import numpy as np
import pytest
from made_up import SETS
from numpy.typing import NDArray

from active_matting.data import make_data
from active_matting.data.readers.outlines import decode_runs, fill_polygons, unpack_counts
from active_matting.errors import FileError, InvalidArgumentError


def pack_counts(lengths: list[int]) -> str:
    """The other way round, after the description of the format."""
    packed = ""
    for index, length in enumerate(lengths):
        value = length - lengths[index - 2] if index > 2 else length
        is_last = False
        while not is_last:
            bits, value = value & 31, value >> 5
            is_last = value == (-1 if bits & 16 else 0)
            packed += chr(48 + (bits if is_last else bits | 32))
    return packed


def test_a_rectangle_covers_its_pixels() -> None:
    mask = fill_polygons([[10, 20, 30, 20, 30, 40, 10, 40]], (50, 60))
    assert mask.dtype == np.float32
    expected = np.zeros((50, 60))
    expected[20:40, 10:30] = 1
    np.testing.assert_array_equal(mask, expected)


def test_a_pixel_belongs_to_the_polygon_that_covers_half_of_it() -> None:
    assert fill_polygons([[0.4, 0, 2.6, 0, 2.6, 1, 0.4, 1]], (1, 4)).tolist() == [[1, 1, 1, 0]]
    assert fill_polygons([[0.8, 0, 2.2, 0, 2.2, 1, 0.8, 1]], (1, 4)).tolist() == [[0, 1, 0, 0]]


def test_polygons_are_united_and_cut_by_the_image() -> None:
    left, overlapping = [-5, -5, 2, -5, 2, 9, -5, 9], [1, 0, 3, 0, 3, 9, 1, 9]
    assert fill_polygons([left, overlapping], (2, 4)).tolist() == [[1, 1, 1, 0]] * 2


@pytest.mark.parametrize("seed", range(4))
def test_areas_of_polygons_are_kept(seed: int) -> None:
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 15))
    points = 60 + rng.uniform(25, 50, 15)[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    x, y = points.T
    area = 0.5 * abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))
    length = np.hypot(*(points - np.roll(points, -1, axis=0)).T).sum()
    drawn = fill_polygons([points.ravel().tolist()], (120, 120)).sum()
    assert abs(drawn - area) < 0.04 * length


def is_inside(points: NDArray[np.float64], x: float, y: float) -> bool:
    """Whether a ray to the right crosses the outline an odd number of times."""
    inside = False
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            inside = not inside
    return inside


@pytest.mark.parametrize("seed", range(4))
def test_polygons_that_cross_themselves_are_filled_as_rays_tell(seed: int) -> None:
    points = np.random.default_rng(seed).uniform(-3, 15, (7, 2))
    offsets = (np.arange(12) + 0.5) / 12
    shares = np.array(
        [
            [np.mean([is_inside(points, x + dx, y + dy) for dx in offsets for dy in offsets]) for x in range(12)]
            for y in range(9)
        ]
    )
    drawn = fill_polygons([points.ravel().tolist()], (9, 12))
    is_clear = abs(shares - 0.5) > 0.05
    np.testing.assert_array_equal(drawn[is_clear], (shares >= 0.5)[is_clear])
    assert is_clear.mean() > 0.9


def test_half_a_polygon_is_refused() -> None:
    for polygon in ([1, 2, 3, 4], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5, float("nan")]):
        with pytest.raises(ValueError, match=r"a polygon needs three points|cannot reshape"):
            fill_polygons([polygon], (9, 9))


def test_runs_go_down_the_columns_and_begin_with_zeros() -> None:
    assert decode_runs({"size": [3, 2], "counts": [2, 3, 1]}, (3, 2)).tolist() == [[0, 1], [0, 1], [1, 0]]
    assert decode_runs({"size": [1, 2], "counts": [0, 2]}, (1, 2)).tolist() == [[1, 1]]
    assert decode_runs({"size": [1, 2], "counts": [2]}, (1, 2)).tolist() == [[0, 0]]


@pytest.mark.parametrize("seed", range(4))
def test_packed_runs_are_the_same_as_plain_ones(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (37, 53)
    expected = (rng.random(shape) < (0.01, 0.2, 0.5, 0.999)[seed]).astype(np.float32)
    flat = np.concatenate([[0], expected.T.ravel(), [-1]])
    edges = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff(np.concatenate([[1], edges])).tolist()  # the first zero is one more
    np.testing.assert_array_equal(decode_runs({"size": list(shape), "counts": lengths}, shape), expected)
    packed = pack_counts(lengths)
    assert unpack_counts(packed) == lengths
    np.testing.assert_array_equal(decode_runs({"size": list(shape), "counts": packed}, shape), expected)


def test_packed_numbers_by_hand() -> None:
    # 40 = 1·32 + 8: the lower five bits, 8, with the sign that more follow, 32 + 8 + 48 = "X", then 1 + 48 = "1".
    assert unpack_counts("X1") == [40]
    # 16 needs a second character, as its own fifth bit would be the sign: 32 + 16 + 48 = "`", then "0".
    assert unpack_counts("`0") == [16]
    # The fourth is stored less the second: 5 - 9 = -4, in five bits 28, + 48 = "L".
    assert unpack_counts("393L") == [3, 9, 3, 5]


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ({"size": [2, 3], "counts": [6]}, r"are for a size of \[2, 3\], the image has \[3, 2\]"),
        ({"size": [3, 2], "counts": [5]}, "sum to 5, the image has 6 pixels"),
        ({"size": [3, 2], "counts": [8, -2]}, "sum to 6, the image has 6 pixels"),
        ({"size": [3, 2], "counts": "X"}, "end in the middle of a number"),
        ({"size": [3, 2], "counts": "6 0"}, "hold the character ' '"),
    ],
)
def test_runs_that_do_not_fit_are_refused(runs: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decode_runs(runs, (3, 2))


def test_objects_are_those_of_their_outlines(tmp_path: Path) -> None:
    SETS["coco"](tmp_path)
    by_runs, by_polygon = make_data("coco", path=str(tmp_path))
    assert by_polygon.alpha.astype(int).tolist() == [[0] * 6, [0, 1, 1, 1, 1, 0], [0, 1, 1, 1, 1, 0], [0] * 6]
    np.testing.assert_array_equal(by_runs.alpha, by_polygon.alpha)
    assert len(make_data("coco", path=str(tmp_path), smallest=0)) == 3
    with pytest.raises(InvalidArgumentError, match="smallest must be a share"):
        make_data("coco", path=str(tmp_path), smallest=1)


def test_an_outline_that_does_not_fit_is_named_by_its_annotation(tmp_path: Path) -> None:
    SETS["coco"](tmp_path)
    path = tmp_path / "annotations" / "instances_val2017.json"
    content = json.loads(path.read_text())
    content["annotations"][1]["segmentation"]["counts"] = [1]
    path.write_text(json.dumps(content))
    source = make_data("coco", path=str(tmp_path))
    with pytest.raises(FileError, match=r"_val2017\.json has no readable outline in annotation 5: run lengths"):
        source[0]
    content["annotations"][1]["image_id"] = 77
    path.write_text(json.dumps(content))
    with pytest.raises(FileError, match=r"is not a file of COCO annotations: KeyError\(77\)"):
        make_data("coco", path=str(tmp_path))
    path.write_text("[]")
    with pytest.raises(FileError, match="is not a file of COCO annotations"):
        make_data("coco", path=str(tmp_path))


def test_areas_that_are_not_written_down_are_measured(tmp_path: Path) -> None:
    SETS["coco"](tmp_path)
    path = tmp_path / "annotations" / "instances_val2017.json"
    content = json.loads(path.read_text())
    for annotation in content["annotations"]:
        del annotation["area"]
    path.write_text(json.dumps(content))
    assert [sample.name for sample in make_data("coco", path=str(tmp_path))] == ["09#5", "10#7"]
