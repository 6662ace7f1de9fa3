"""What users say, and the label maps that come of it."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from active_matting.errors import InvalidArgumentError, InvalidArrayError
from active_matting.labels import (
    Click,
    Interaction,
    RegionAnswer,
    Skip,
    Stroke,
    check_protocol,
    from_trimap,
    interaction_from_json,
    interaction_to_json,
    rasterise,
    record,
    tells,
    to_trimap,
)
from active_matting.regions import Region
from active_matting.types import Label, LabelMap

BACKGROUND, UNLABELLED, FOREGROUND, TRANSITION = Label.BACKGROUND, Label.UNLABELLED, Label.FOREGROUND, Label.TRANSITION

quick = settings(deadline=None, derandomize=True)
numbers = st.integers(-1000, 1000)
labels = st.sampled_from(list(Label))
interactions: st.SearchStrategy[Interaction] = st.one_of(
    st.builds(RegionAnswer, st.builds(Region, numbers, numbers, st.integers(1, 50)), labels),
    st.builds(Click, numbers, numbers, st.integers(0, 50), labels),
    st.builds(
        Stroke,
        st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5).map(tuple),
        st.integers(0, 50),
        labels,
    ),
    st.builds(Skip, st.builds(Region, numbers, numbers, st.integers(1, 50))),
)


def distance_to_line(points: list[tuple[int, int]], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Euclidean distance (H, W) of every pixel's centre to the line through `points`."""
    y, x = np.indices(shape).astype(np.float64)
    nearest = np.full(shape, np.inf)
    for (y0, x0), (y1, x1) in zip(points, points[1:] or points, strict=False):
        length = (y1 - y0) ** 2 + (x1 - x0) ** 2
        along = ((y - y0) * (y1 - y0) + (x - x0) * (x1 - x0)) / length if length else np.zeros(shape)
        along = np.clip(along, 0, 1)
        nearest = np.minimum(nearest, np.hypot(y - y0 - along * (y1 - y0), x - x0 - along * (x1 - x0)))
    return nearest


def stroked(points: list[tuple[int, int]], radius: int, shape: tuple[int, int]) -> NDArray[np.bool_]:
    return np.asarray(rasterise([Stroke(tuple(points), radius, FOREGROUND)], shape) == FOREGROUND)


def test_nothing_said_leaves_everything_unlabelled() -> None:
    label_map = rasterise([], (3, 4))
    assert label_map.dtype == np.int8
    assert label_map.tolist() == [[0] * 4] * 3


def test_a_region_answer_labels_its_square_and_nothing_else() -> None:
    assert rasterise([RegionAnswer(Region(1, 2, 2), BACKGROUND)], (3, 4)).tolist() == [
        [0, -1, -1, 0],
        [0, -1, -1, 0],
        [0, 0, 0, 0],
    ]


def test_a_newer_answer_overwrites_an_older_one() -> None:
    first, second = RegionAnswer(Region(1, 1, 2), FOREGROUND), Click(1, 1, 0, BACKGROUND)
    assert rasterise([first, second], (2, 2)).tolist() == [[1, 1], [1, -1]]
    assert rasterise([second, first], (2, 2)).tolist() == [[1, 1], [1, 1]]


def test_recording_leaves_the_given_label_map_alone() -> None:
    label_map = np.zeros((4, 4), dtype=np.int8)
    recorded = record(label_map, Click(1, 1, 1, FOREGROUND))
    assert not label_map.any()
    assert recorded.sum() == 5  # the pixel and its four neighbours


def test_a_transition_answer_changes_nothing_under_the_papers_protocol() -> None:
    before = rasterise([RegionAnswer(Region(1, 1, 2), FOREGROUND)], (4, 4))
    after = record(before, RegionAnswer(Region(2, 2, 3), TRANSITION))
    np.testing.assert_array_equal(after, before)


def test_a_transition_answer_is_recorded_under_the_extended_protocol() -> None:
    before = rasterise([RegionAnswer(Region(1, 1, 2), FOREGROUND)], (4, 4))
    assert record(before, RegionAnswer(Region(2, 2, 3), TRANSITION), "extended").tolist() == [
        [1, 1, 0, 0],
        [1, 2, 2, 2],
        [0, 2, 2, 2],
        [0, 2, 2, 2],
    ]


def test_a_transition_drawn_by_hand_is_recorded_under_both_protocols() -> None:
    for protocol in ("paper", "extended"):
        said: list[Interaction] = [Click(0, 0, 0, TRANSITION), Stroke(((2, 0), (2, 2)), 0, TRANSITION)]
        label_map = rasterise(said, (3, 3), check_protocol(protocol))
        assert label_map.tolist() == [[2, 0, 0], [0, 0, 0], [2, 2, 2]]


def test_a_label_can_be_taken_away_again() -> None:
    for protocol in ("paper", "extended"):
        said: list[Interaction] = [RegionAnswer(Region(1, 1, 3), FOREGROUND), Click(1, 1, 0, UNLABELLED)]
        label_map = rasterise(said, (3, 3), check_protocol(protocol))
        assert label_map.tolist() == [[1, 1, 1], [1, 0, 1], [1, 1, 1]]
        label_map = record(label_map, Stroke(((0, 0), (0, 2)), 0, UNLABELLED), check_protocol(protocol))
        assert label_map.tolist() == [[0, 0, 0], [1, 0, 1], [1, 1, 1]]


@pytest.mark.parametrize("protocol", ["paper", "extended"])
def test_a_region_without_an_answer_changes_nothing(protocol: str) -> None:
    before = rasterise([RegionAnswer(Region(1, 1, 2), FOREGROUND), Click(3, 3, 0, TRANSITION)], (4, 4))
    after = record(before, RegionAnswer(Region(2, 2, 3), UNLABELLED), check_protocol(protocol))
    np.testing.assert_array_equal(after, before)
    assert after is not before


@pytest.mark.parametrize("label", list(Label))
@pytest.mark.parametrize("protocol", ["paper", "extended"])
def test_an_answer_tells_something_exactly_where_it_is_recorded(label: Label, protocol: str) -> None:
    known = check_protocol(protocol)
    changed = record(np.full((3, 3), 9, dtype=np.int8), RegionAnswer(Region(1, 1, 3), label), known)
    assert (changed == label).all() == tells(label, known)


@quick
@given(st.integers(-6, 20), st.integers(-6, 25), st.integers(0, 12))
def test_a_click_labels_all_pixels_within_its_radius(y: int, x: int, radius: int) -> None:
    shape = (15, 19)
    clicked = rasterise([Click(y, x, radius, FOREGROUND)], shape) == FOREGROUND
    np.testing.assert_array_equal(clicked, distance_to_line([(y, x)], shape) <= radius)


@quick
@given(st.integers(0, 14), st.integers(-5, 24), st.integers(-5, 24), st.integers(0, 6))
def test_a_straight_stroke_labels_all_pixels_within_its_radius(row: int, start: int, stop: int, radius: int) -> None:
    shape = (15, 19)
    across = [(row, start), (row, stop)]
    np.testing.assert_array_equal(stroked(across, radius, shape), distance_to_line(across, shape) <= radius + 1e-9)
    down = [(x, y) for y, x in across]
    np.testing.assert_array_equal(stroked(down, radius, shape), distance_to_line(down, shape) <= radius + 1e-9)


@quick
@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 20)), min_size=1, max_size=4), st.integers(0, 6))
def test_a_sloping_stroke_is_as_wide_as_its_radius_to_a_pixels_diagonal(
    points: list[tuple[int, int]], radius: int
) -> None:
    shape = (20, 21)
    drawn, distance = stroked(points, radius, shape), distance_to_line(points, shape)
    assert drawn[distance <= radius - 0.75].all()
    assert not drawn[distance > radius + 0.75].any()


@quick
@given(st.lists(st.tuples(st.integers(-9, 29), st.integers(-9, 29)), min_size=1, max_size=4), st.integers(0, 6))
def test_a_stroke_may_leave_the_image_and_come_back(points: list[tuple[int, int]], radius: int) -> None:
    shape = (20, 21)
    drawn, distance = stroked(points, radius, shape), distance_to_line(points, shape)
    assert drawn[distance <= radius - 1.5].all()  # where a line is cut, its end is rounded once more
    assert not drawn[distance > radius + 1.5].any()


def test_a_diagonal_stroke_of_radius_zero_is_one_pixel_wide() -> None:
    np.testing.assert_array_equal(stroked([(0, 0), (4, 4)], 0, (5, 5)), np.eye(5, dtype=bool))


def test_a_negative_radius_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="radius must be from 0 to 6 pixels, got -1"):
        rasterise([Click(0, 0, -1, FOREGROUND)], (3, 3))


def test_a_stroke_without_points_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="a stroke must have at least one point, got none"):
        rasterise([Stroke((), 1, FOREGROUND)], (3, 3))


@pytest.mark.parametrize("region", [Region(0, 5, 4), Region(5, 0, 4), Region(9, 5, 4), Region(5, 9, 4)])
def test_an_answer_to_a_region_that_is_not_inside_is_refused(region: Region) -> None:
    with pytest.raises(InvalidArgumentError, match=r"must lie inside the image of shape \(10, 10\)"):
        rasterise([RegionAnswer(region, FOREGROUND)], (10, 10))


@pytest.mark.parametrize("protocol", ["paper", "extended"])
def test_both_protocols_are_known(protocol: str) -> None:
    assert check_protocol(protocol) == protocol


def test_an_unknown_protocol_is_refused_with_the_choices() -> None:
    with pytest.raises(InvalidArgumentError, match=r"protocol must be one of \['paper', 'extended'\], got 'dug'"):
        check_protocol("dug")


@quick
@given(interactions)
def test_an_interaction_comes_back_from_json(interaction: Interaction) -> None:
    assert interaction_from_json(json.loads(json.dumps(interaction_to_json(interaction)))) == interaction


def test_interactions_are_written_in_words() -> None:
    assert interaction_to_json(RegionAnswer(Region(3, 4, 20), FOREGROUND)) == {
        "kind": "region",
        "centre": [3, 4],
        "side": 20,
        "label": "foreground",
    }
    assert interaction_to_json(Stroke(((1, 2), (3, 4)), 5, TRANSITION)) == {
        "kind": "stroke",
        "points": [[1, 2], [3, 4]],
        "radius": 5,
        "label": "transition",
    }


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"kind": "click", "centre": [1, 2], "radius": 3},  # no label
        {"kind": "click", "centre": [1, 2], "radius": 3, "label": "grey"},
        {"kind": "click", "centre": [1, 2], "radius": 3, "label": 1},
        {"kind": "click", "centre": [1], "radius": 3, "label": "foreground"},
        {"kind": "region", "centre": [1, 2], "label": "foreground"},  # no side
        {"kind": "stroke", "points": [1, 2], "radius": 3, "label": "foreground"},
        {"kind": "skip", "centre": [1, 2]},  # no side
        {"kind": "stroke", "points": [[1, 2]], "radius": "wide", "label": "foreground"},
        [],
    ],
)
def test_what_is_not_an_interaction_is_refused(entry: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="not an interaction"):
        interaction_from_json(entry)


def test_an_unknown_kind_of_interaction_is_refused_with_the_choices() -> None:
    with pytest.raises(InvalidArgumentError, match="unknown kind of interaction 'lasso'; allowed: region, click"):
        interaction_from_json({"kind": "lasso", "centre": [1, 2], "label": "foreground"})


def test_a_trimap_is_white_black_and_grey() -> None:
    trimap = to_trimap(np.array([[1, -1, 0, 2]], dtype=np.int8))
    assert trimap.dtype == np.float32
    assert trimap.tolist() == [[1, 0, 0.5, 0.5]]


@quick
@given(arrays(np.int8, (4, 5), elements=st.integers(-1, 2)))
def test_a_label_map_comes_back_from_its_trimap_without_transitions(label_map: LabelMap) -> None:
    np.testing.assert_array_equal(from_trimap(to_trimap(label_map)), np.where(label_map == TRANSITION, 0, label_map))


@quick
@given(arrays(np.float32, (4, 5), elements=st.sampled_from([0.0, 0.5, 1.0])))
def test_a_trimap_comes_back_from_its_label_map(trimap: NDArray[np.float32]) -> None:
    label_map = from_trimap(trimap)
    assert label_map.dtype == np.int8
    np.testing.assert_array_equal(to_trimap(label_map), trimap)


def test_only_pure_white_and_black_of_a_trimap_are_labels() -> None:
    assert from_trimap(np.array([[0, 0.01, 0.99, 1]], dtype=np.float32)).tolist() == [[-1, 0, 0, 1]]


def test_what_is_neither_trimap_nor_label_map_is_refused() -> None:
    with pytest.raises(InvalidArrayError, match="trimap must lie in"):
        from_trimap(np.full((2, 2), 128, dtype=np.float32))
    with pytest.raises(InvalidArrayError, match="label_map must hold"):
        to_trimap(np.full((2, 2), 3, dtype=np.int8))


def test_a_skip_says_nothing_about_its_pixels() -> None:
    labelled = rasterise([RegionAnswer(Region(1, 1, 3), FOREGROUND)], (4, 5))
    np.testing.assert_array_equal(record(labelled, Skip(Region(1, 1, 3))), labelled)
    assert interaction_to_json(Skip(Region(1, 1, 3))) == {"kind": "skip", "centre": [1, 1], "side": 3}
    with pytest.raises(InvalidArgumentError, match="must lie inside the image"):
        record(labelled, Skip(Region(0, 0, 3)))
