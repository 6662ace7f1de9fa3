"""Several segmenters heard together."""

from typing import Any

import numpy as np
import pytest
import scipy.special
from made_up_networks import tiny_arguments

from active_matting.data.rendered import Rendered
from active_matting.errors import InvalidArgumentError, UnknownNameError
from active_matting.segmenters import make_segmenter
from active_matting.segmenters.base import log_odds, needs_both_classes
from active_matting.types import Image, LabelMap

PARTS: tuple[dict[str, Any], ...] = ({"name": "grabcut", "iterations": 1}, {"name": "network", "solver": "random-walk"})


def picture() -> tuple[Image, LabelMap]:
    sample = Rendered("train", count=1, size=64)[0]
    label_map = np.zeros((64, 64), np.int8)
    label_map[(sample.alpha >= 1) & (np.arange(64) < 32)] = 1
    label_map[:4] = -1
    return sample.image, label_map


def test_the_blend_is_the_weighted_mean_of_log_odds() -> None:
    image, label_map = picture()
    found = make_segmenter("blend", parts=PARTS, weights=(0.3, 0.9)).prepare(image).segment(label_map)
    odds = 0.0
    for part, weight in zip(PARTS, (0.3, 0.9), strict=True):
        settings: dict[str, Any] = {key: value for key, value in part.items() if key != "name"}
        p = np.clip(make_segmenter(part["name"], **settings).prepare(image).segment(label_map), 0.01, 0.99)
        odds = odds + weight * np.log(p / (1 - p))
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-odds)), atol=1e-5)
    assert found.dtype == np.float32


def test_one_part_alone_says_what_it_says() -> None:
    image, label_map = picture()
    alone = make_segmenter("network", solver="random-walk").prepare(image).segment(label_map)
    blend = make_segmenter("blend", parts=PARTS[1:], weights=(1,)).prepare(image).segment(label_map)
    np.testing.assert_allclose(blend, np.clip(alone, 0.01, 0.99), atol=1e-5)


def test_with_one_class_told_those_speak_that_make_something_of_it() -> None:
    image, label_map = picture()
    label_map[label_map < 0] = 0
    network = {"name": "network", "solver_kwargs": tiny_arguments("imatting")}
    prepared = make_segmenter("blend", parts=({"name": "grabcut"}, network), weights=(0.25, 0.5)).prepare(image)
    assert not needs_both_classes(prepared)
    alone = make_segmenter("network", solver_kwargs=tiny_arguments("imatting")).prepare(image).segment(label_map)
    expected = 1 / (1 + np.exp(-0.75 * scipy.special.logit(np.clip(alone, 0.01, 0.99))))
    np.testing.assert_allclose(prepared.segment(label_map), expected, atol=1e-5)
    assert needs_both_classes(make_segmenter("blend", parts=PARTS[:1], weights=(1,)).prepare(image))


def test_opposite_opinions_cancel() -> None:
    p = np.array([[0.2, 0.5, 0.999]], np.float32)
    np.testing.assert_allclose(log_odds(p, 0.99) + log_odds(1 - p, 0.99), 0, atol=1e-5)
    np.testing.assert_allclose(log_odds(p, 0.99), scipy.special.logit([[0.2, 0.5, 0.99]]), atol=1e-5)


@pytest.mark.parametrize(
    ("parts", "weights", "told"),
    [
        ((), (), "at least one"),
        (PARTS, (1.0,), "as many"),
        (PARTS, (1.0, -1.0), "at least 0"),
        (({"iterations": 2},), (1.0,), "'name'"),
    ],
)
def test_parts_and_weights_are_checked(parts: Any, weights: Any, told: str) -> None:
    with pytest.raises(InvalidArgumentError, match=told):
        make_segmenter("blend", parts=parts, weights=weights)


def test_unknown_parts_are_named() -> None:
    with pytest.raises(UnknownNameError, match="nobody"):
        make_segmenter("blend", parts=({"name": "nobody"},), weights=(1.0,))
