"""Simulated users who know the true alpha."""

import numpy as np
import pytest

from active_matting.annotators import ANNOTATORS, ExactAnnotator, make_annotator
from active_matting.errors import InvalidArgumentError, InvalidArrayError, UnknownNameError
from active_matting.regions import Region
from active_matting.types import Label

WHOLE = Region(2, 2, 4)


def answer_to(value: float, elsewhere: float) -> Label:
    """The answer to a region of which one pixel has alpha `value` and all others `elsewhere`."""
    alpha = np.full((4, 4), elsewhere, dtype=np.float32)
    alpha[3, 0] = value
    return ExactAnnotator(alpha).answer(WHOLE)


@pytest.mark.parametrize(
    ("value", "elsewhere", "label"),
    [
        (1.0, 1.0, Label.FOREGROUND),
        (0.981, 1.0, Label.FOREGROUND),
        (0.979, 1.0, Label.TRANSITION),
        (0.0, 0.0, Label.BACKGROUND),
        (0.019, 0.0, Label.BACKGROUND),
        (0.021, 0.0, Label.TRANSITION),
        (1.0, 0.0, Label.TRANSITION),
        (0.0, 1.0, Label.TRANSITION),
        (0.5, 0.5, Label.TRANSITION),
    ],
)
def test_one_pixel_beyond_the_threshold_makes_a_transition(value: float, elsewhere: float, label: Label) -> None:
    assert answer_to(value, elsewhere) == label


def test_alphas_at_the_thresholds_still_count_as_pure() -> None:
    assert answer_to(0.98, 1.0) == Label.FOREGROUND
    assert answer_to(0.02, 0.0) == Label.BACKGROUND


def test_only_the_regions_own_pixels_count() -> None:
    alpha = np.array(
        [[1, 1, 0.5, 0], [1, 1, 0.5, 0], [1, 1, 0.5, 0]],
        dtype=np.float32,
    )
    annotator = ExactAnnotator(alpha)
    assert annotator.answer(Region(1, 1, 2)) == Label.FOREGROUND
    assert annotator.answer(Region(1, 2, 2)) == Label.TRANSITION
    assert annotator.answer(Region(2, 3, 1)) == Label.BACKGROUND


def test_thresholds_can_be_given() -> None:
    alpha = np.array([[0.4, 0.6]], dtype=np.float32)
    annotator = make_annotator("exact", alpha, foreground=0.55, background=0.45)
    assert annotator.answer(Region(0, 0, 1)) == Label.BACKGROUND
    assert annotator.answer(Region(0, 1, 1)) == Label.FOREGROUND


@pytest.mark.parametrize(("background", "foreground"), [(0.5, 0.5), (0.98, 0.02), (-0.1, 0.9), (0.1, 1.1)])
def test_thresholds_in_the_wrong_order_or_range_are_refused(background: float, foreground: float) -> None:
    with pytest.raises(InvalidArgumentError, match=f"got background {background}, foreground {foreground}"):
        ExactAnnotator(np.zeros((2, 2), dtype=np.float32), foreground=foreground, background=background)


def test_an_alpha_outside_the_unit_range_is_refused() -> None:
    with pytest.raises(InvalidArrayError, match="alpha must lie in"):
        make_annotator("exact", np.full((2, 2), 255, dtype=np.float32))


def test_an_unknown_annotator_is_refused_with_the_choices() -> None:
    assert ANNOTATORS.names() == ["exact"]
    with pytest.raises(UnknownNameError, match=r"unknown annotator 'sloppy'; choose from \['exact'\]"):
        make_annotator("sloppy", np.zeros((2, 2), dtype=np.float32))
