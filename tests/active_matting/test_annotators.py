"""Simulated users who know the true alpha."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from active_matting.annotators import ANNOTATORS, ExactAnnotator, make_annotator
from active_matting.errors import InvalidArgumentError, InvalidArrayError, UnknownNameError
from active_matting.regions import Region
from active_matting.types import Label

WHOLE = Region(2, 2, 4)

TRUTH = np.array([[1, 0, 0.5]], dtype=np.float32)
FOREGROUND, BACKGROUND, TRANSITION = Region(0, 0, 1), Region(0, 1, 1), Region(0, 2, 1)
REGIONS = [FOREGROUND, BACKGROUND, TRANSITION]
TOLD = [Label.FOREGROUND, Label.BACKGROUND, Label.TRANSITION]


def answers(name: str, regions: list[Region], seed: int = 0, **kwargs: Any) -> list[Label]:
    annotator = make_annotator(name, TRUTH, np.random.default_rng(seed), **kwargs)
    return [annotator.answer(region) for region in regions]


def within(count: int, trials: int, probability: float) -> bool:
    """Whether a count lies within four standard deviations of what the binomial distribution expects."""
    return abs(count - trials * probability) <= 4 * math.sqrt(trials * probability * (1 - probability))


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


@pytest.mark.parametrize("name", ANNOTATORS.names())
@pytest.mark.parametrize(
    "region", [Region(0, 0, 4), Region(2, 5, 4), Region(-3, 2, 4), Region(2, 2, 6), Region(9, 9, 2)]
)
def test_regions_that_are_not_wholly_inside_are_refused(name: str, region: Region) -> None:
    annotator = make_annotator(name, np.ones((4, 6), dtype=np.float32), np.random.default_rng(0))
    assert annotator.answer(Region(2, 4, 4)) in (Label.FOREGROUND, Label.BACKGROUND, Label.UNLABELLED)
    told = "region_size must be from 1 to 4 " if region.side > 4 else re.escape(f"{region} must lie inside the image")
    with pytest.raises(InvalidArgumentError, match=told):
        annotator.answer(region)


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
    assert ANNOTATORS.names() == ["exact", "noisy", "lazy", "slow"]
    with pytest.raises(UnknownNameError, match=r"unknown annotator 'sloppy'; choose from \['exact', 'noisy', 'lazy', "):
        make_annotator("sloppy", TRUTH)


@pytest.mark.parametrize("name", ["noisy", "lazy"])
def test_without_error_or_skip_the_answers_are_exact(name: str) -> None:
    assert answers(name, REGIONS * 20, probability=0) == TOLD * 20
    assert answers("slow", REGIONS) == TOLD


def test_one_who_is_always_wrong_swaps_the_pure_labels_and_takes_transitions_for_either() -> None:
    told = answers("noisy", REGIONS * 1000, probability=1)
    assert set(told[0::3]) == {Label.BACKGROUND}
    assert set(told[1::3]) == {Label.FOREGROUND}
    assert set(told[2::3]) == {Label.FOREGROUND, Label.BACKGROUND}
    assert within(told[2::3].count(Label.FOREGROUND), 1000, 0.5)


def test_one_who_always_skips_says_nothing() -> None:
    assert set(answers("lazy", REGIONS * 10, probability=1)) == {Label.UNLABELLED}


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("probability", [0.05, 0.3, 0.5])
def test_errors_and_skips_are_as_frequent_as_told(region: Region, probability: float) -> None:
    (right,) = answers("exact", [region])
    wrong = [label for label in answers("noisy", [region] * 4000, probability=probability) if label != right]
    assert within(len(wrong), 4000, probability)
    if right == Label.TRANSITION:
        assert within(wrong.count(Label.FOREGROUND), len(wrong), 0.5)
    skipped = answers("lazy", [region] * 4000, probability=probability).count(Label.UNLABELLED)
    assert within(skipped, 4000, probability)


def test_the_default_probabilities() -> None:
    assert answers("noisy", REGIONS * 50) == answers("noisy", REGIONS * 50, probability=0.05) != TOLD * 50
    assert answers("lazy", REGIONS * 50) == answers("lazy", REGIONS * 50, probability=0.2) != TOLD * 50


@pytest.mark.parametrize("name", ["noisy", "lazy"])
def test_answers_follow_the_seed(name: str) -> None:
    first, again, other = (answers(name, REGIONS * 30, seed, probability=0.4) for seed in (1, 1, 2))
    assert first == again != other
    unseeded = make_annotator(name, TRUTH, probability=0.4)
    assert [unseeded.answer(region) for region in REGIONS * 30] == answers(name, REGIONS * 30, 0, probability=0.4)


@pytest.mark.parametrize("name", ["noisy", "lazy"])
def test_who_errs_or_skips_less_does_so_at_some_of_the_same_queries(name: str) -> None:
    rarely, often = (
        {query for query, label in enumerate(answers(name, [FOREGROUND] * 300, probability=p)) if label != TOLD[0]}
        for p in (0.1, 0.4)
    )
    assert rarely < often


@pytest.mark.parametrize("outer", ["noisy", "lazy"])
@pytest.mark.parametrize("inner", ["noisy", "lazy"])
def test_as_much_is_drawn_whatever_is_answered(outer: str, inner: str) -> None:
    """So that two runs of one seed stay comparable after the first difference."""
    states = []
    for probability in (0, 0.5, 1):
        for region in REGIONS:
            rng = np.random.default_rng(5)
            kwargs = {"probability": probability}
            make_annotator(outer, TRUTH, rng, **kwargs, of=inner, of_kwargs=kwargs).answer(region)
            states.append(rng.bit_generator.state)
    reference = np.random.default_rng(5)
    reference.random(2)
    assert all(state == reference.bit_generator.state for state in states)


def test_the_slow_one_counts_its_seconds() -> None:
    annotator = make_annotator("slow", TRUTH)
    assert annotator.seconds == 0
    for region in [FOREGROUND] * 20:
        annotator.answer(region)
    assert annotator.seconds == pytest.approx(57)  # Active Matting, table 1
    assert make_annotator("exact", TRUTH).seconds == 0


def test_annotators_nest_by_what_json_can_hold() -> None:
    kwargs = json.loads(
        """{"of": "noisy", "of_kwargs": {"probability": 1, "of": "lazy", "of_kwargs": {"probability": 0.5,
        "of": "slow", "of_kwargs": {"seconds_per_answer": 1.5, "of": "exact", "of_kwargs": {"foreground": 0.4,
        "background": 0.3}}}}, "seconds_per_answer": 2}"""
    )
    annotator = make_annotator("slow", TRUTH, np.random.default_rng(3), **kwargs)
    told = [annotator.answer(region) for region in [TRANSITION] * 100]
    assert set(told) == {Label.UNLABELLED, Label.BACKGROUND}  # 0.5 is foreground to this one, and then it errs
    assert annotator.seconds == 350  # each one's own are added, whether or not the answer was given


@pytest.mark.parametrize("probability", [-0.1, 1.1, float("nan"), float("inf"), "often", True, None])
@pytest.mark.parametrize("name", ["noisy", "lazy"])
def test_a_bad_probability_is_refused(name: str, probability: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=f"probability must be a number from 0 to 1, got {probability!r}"):
        make_annotator(name, TRUTH, probability=probability)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "long"])
def test_bad_seconds_are_refused(seconds: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=f"seconds_per_answer must be .* at least 0, got {seconds!r}"):
        make_annotator("slow", TRUTH, seconds_per_answer=seconds)


@pytest.mark.parametrize("name", ["noisy", "lazy", "slow"])
def test_what_cannot_be_asked_is_refused_when_it_is_made(name: str) -> None:
    with pytest.raises(UnknownNameError, match="unknown annotator 'nobody'; choose from"):
        make_annotator(name, TRUTH, of="nobody")
    with pytest.raises(InvalidArgumentError, match=r"annotator 'exact': .*'speed'; it takes"):
        make_annotator(name, TRUTH, of_kwargs={"speed": 1})
    with pytest.raises(InvalidArgumentError, match="of_kwargs must be a dictionary of keywords or None, got 3"):
        make_annotator(name, TRUTH, of_kwargs=3)
    with pytest.raises(InvalidArgumentError, match=r"rng must be a numpy\.random\.Generator or None, got 3"):
        make_annotator(name, TRUTH, rng=3)  # type: ignore[arg-type]
    with pytest.raises(InvalidArrayError, match="alpha must lie in"):
        make_annotator(name, np.full((2, 2), 255, dtype=np.float32))


def test_another_package_adds_an_annotator_and_ours_ask_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stubborn_package.py").write_text(
        "from active_matting.types import Label\n"
        "class Stubborn:\n"
        "    def __init__(self, alpha, rng=None, label='FOREGROUND'):\n"
        "        self.label, self.seconds = Label[label], 1.0\n"
        "    def answer(self, region):\n"
        "        return self.label\n"
    )
    metadata = tmp_path / "stubborn_package-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: stubborn-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[active_matting.annotators]\nstubborn = stubborn_package:Stubborn\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert ANNOTATORS.names()[-1] == "stubborn"
    assert answers("stubborn", REGIONS, label="TRANSITION") == [Label.TRANSITION] * 3
    assert answers("noisy", REGIONS, probability=1, of="stubborn") == [Label.BACKGROUND] * 3
    assert make_annotator("slow", TRUTH, of="stubborn").seconds == 1
