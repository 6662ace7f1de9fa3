"""Selections and clicks: values worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from active_matting.errors import InvalidArgumentError, InvalidArrayError
from active_matting.metrics import auc, corrective_accuracy, failures, iou, noc, share_above

Mask = NDArray[np.bool_]

masks = arrays(np.bool_, (4, 5))
curves = arrays(np.float64, (3, 20), elements=st.floats(0, 1))


def mask(*rows: str) -> Mask:
    return np.array([[letter == "#" for letter in row] for row in rows])


def test_iou_by_hand() -> None:
    selected, truth = mask("##..", "##.."), mask(".##.", ".##.")
    assert iou(selected, truth) == 2 / 6
    assert iou(truth, truth) == 1
    assert iou(~truth, truth) == 0


def test_what_is_ignored_counts_neither_way() -> None:
    selected, truth = mask("##..", "##.."), mask(".##.", ".##.")
    # Without the first column two pixels are in both and four in either; without the first two, none and two.
    assert iou(selected, truth, mask("#...", "#...")) == 2 / 4
    assert iou(selected, truth, mask("##..", "##..")) == 0
    assert iou(selected, truth, mask("#.#.", "#.#.")) == 1


def test_two_empty_selections_agree() -> None:
    empty, truth = mask("....", "...."), mask("#...", "....")
    assert iou(empty, empty) == 1
    assert iou(empty, truth) == 0
    assert iou(truth, empty) == 0
    assert iou(empty, truth, truth) == 1


@settings(deadline=None, derandomize=True)
@given(masks, masks, masks.filter(lambda ignored: not ignored.all()))
def test_iou_is_what_counting_gives(selected: Mask, truth: Mask, ignored: Mask) -> None:
    both = either = 0
    for a, b, is_ignored in zip(selected.ravel(), truth.ravel(), ignored.ravel(), strict=True):
        both += bool(a and b and not is_ignored)
        either += bool((a or b) and not is_ignored)
    assert iou(selected, truth, ignored) == (both / either if either else 1)


def test_iou_refuses_what_cannot_be_compared() -> None:
    truth = mask("#.")
    with pytest.raises(InvalidArrayError, match=r"mask must be bool with shape \(1, 2\), got bool with shape \(2, 1\)"):
        iou(truth.T, truth)
    with pytest.raises(InvalidArrayError, match=r"mask must be bool with shape .*, got float32"):
        iou(np.float32([[0.4, 0.6]]), truth)  # type: ignore[arg-type]
    with pytest.raises(InvalidArrayError, match="truth must be bool"):
        iou(truth, np.float32([[0, np.nan]]))  # type: ignore[arg-type]
    with pytest.raises(InvalidArrayError, match="is_ignored must be bool"):
        iou(truth, truth, truth[0])
    with pytest.raises(InvalidArrayError, match="at least one pixel must count, got none"):
        iou(truth, truth, np.ones_like(truth))


def test_clicks_by_hand() -> None:
    told = np.full((4, 20), 0.5)
    told[0, 2:] = 0.9  # reached with the third click, exactly
    told[1, 4] = 0.86  # with the fifth, and lost again
    told[2, 19] = 0.95  # with the last
    assert noc(told, 0.9).tolist() == [3, 20, 20, 20]
    assert noc(told, 0.85).tolist() == [3, 5, 20, 20]
    assert noc(told, 0.5).tolist() == [1, 1, 1, 1]
    assert failures(told, 0.9).tolist() == [False, True, False, True]
    assert noc(told, 0.9).mean() == 15.75  # the table's figure


def test_clicks_after_the_cap_are_not_looked_at() -> None:
    told = [[0.1, 0.2, 0.3, 0.95]]
    assert noc(told, 0.9, cap=3).tolist() == [3]
    assert failures(told, 0.9, cap=3).tolist() == [True]
    assert noc(told, 0.9, cap=4).tolist() == [4]
    assert not failures(told, 0.9, cap=4).any()


def test_a_curve_may_end_where_it_has_reached_the_threshold_and_not_before() -> None:
    assert noc([[0.3, 0.92], [0.91, 0.1]], 0.9).tolist() == [2, 1]
    with pytest.raises(InvalidArrayError, match=r"curves must go on for 20 clicks where they do not reach 0\.9, got 2"):
        noc([[0.3, 0.92], [0.3, 0.8]], 0.9)
    with pytest.raises(InvalidArrayError, match="curves must have at least 20 clicks, got 2"):
        auc([[0.3, 0.92]])


@settings(deadline=None, derandomize=True)
@given(curves, st.floats(0.05, 1))
def test_clicks_are_what_counting_gives(told: NDArray[np.float64], threshold: float) -> None:
    for row, clicks, has_failed in zip(told, noc(told, threshold), failures(told, threshold), strict=True):
        reached = [click for click, value in enumerate(row, start=1) if value >= threshold]
        assert clicks == (reached[0] if reached else 20)
        assert has_failed == (not reached)


def test_the_area_is_the_mean_over_clicks_one_to_twenty() -> None:
    rising = np.arange(1, 21) / 20
    told = np.stack([rising, np.full(20, 0.8)])
    # (0.05 + 1) / 2
    np.testing.assert_allclose(auc(told), [0.525, 0.8])
    more = np.concatenate([told, np.ones((2, 5))], axis=1)
    np.testing.assert_allclose(auc(more), auc(told))  # clicks after the twentieth are not looked at
    # The mean over images is the area under the curve of mean IoU.
    assert auc(told).mean() == pytest.approx(auc(told.mean(axis=0, keepdims=True))[0])
    assert auc([[12.0, 8.0]], cap=2).tolist() == [10]  # an error's, such as SAD's


def test_the_share_of_images_above_a_threshold_is_counted_after_that_click() -> None:
    told = [[0.5, 0.96, 0.90], [0.5, 0.95, 1.0], [0.99, 0.97, 0.2]]
    assert share_above(told, 0.95, clicks=1) == 1 / 3
    assert share_above(told, 0.95, clicks=2) == 2 / 3  # 0.95 is not above
    assert share_above(told, 0.99, clicks=3) == 1 / 3
    with pytest.raises(InvalidArrayError, match="curves must have at least 20 clicks, got 3"):
        share_above(told, 0.95)
    with pytest.raises(InvalidArgumentError, match=r"threshold must lie in \[0, 1\), got 1"):
        share_above(told, 1, clicks=3)


def test_corrective_accuracy_looks_at_the_region_alone() -> None:
    truth = mask("##..", "##..")
    region = mask("##..", "#...")  # was missed
    assert corrective_accuracy(mask("#...", ".#..") | ~truth, truth, region) == 1 / 3
    assert corrective_accuracy(truth, truth, region) == 1
    assert corrective_accuracy(~truth, truth, region) == 0
    with pytest.raises(InvalidArrayError, match="region must have at least one pixel, got none"):
        corrective_accuracy(truth, truth, np.zeros_like(truth))
    with pytest.raises(InvalidArrayError, match="region must be bool with shape"):
        corrective_accuracy(truth, truth, region.T)


def test_curves_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidArrayError, match=r"curves must have shape \(N, K\), got \(3,\)"):
        noc([0.1, 0.2, 0.95], 0.9)
    with pytest.raises(InvalidArrayError, match=r"curves must have shape \(N, K\), got \(0, 20\)"):
        auc(np.empty((0, 20)))
    for wrong in (np.nan, np.inf, -0.1):
        with pytest.raises(InvalidArrayError, match="curves must be finite and at least 0"):
            auc([[wrong] * 20])
    with pytest.raises(InvalidArrayError, match=r"IoU must lie in \[0, 1\], got values to 90"):
        noc([[90.0] * 20], 0.9)
    for threshold in (0, 1.5, np.nan):
        with pytest.raises(InvalidArgumentError, match="threshold must lie in"):
            noc([[0.5] * 20], threshold)
    with pytest.raises(InvalidArgumentError, match="cap must be at least 1 click, got 0"):
        auc([[0.5]], cap=0)
