"""The protocol "clicks": what the solver is told and what is counted, on images small enough to follow."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from active_matting.agents import clicks
from active_matting.agents.clicks import ClickProtocol, ClickRun, click_through, evaluate_clicks
from active_matting.data import Sample
from active_matting.data.images import write_alpha, write_image
from active_matting.data.rendered import Rendered
from active_matting.errors import InvalidArgumentError, UnknownNameError
from active_matting.labels import Click, rasterise
from active_matting.metrics import all_metrics
from active_matting.robots import Place, find_robot
from active_matting.solvers import Matte, make_solver, named
from active_matting.solvers.named import NamedSolver
from active_matting.types import Image, Label, LabelMap

WALK = NamedSolver("random-walk")
MATTES = ClickProtocol(data_kwargs={"split": "validation", "count": 3, "size": 40}, clicks=4, radius=2)
DISC = np.hypot(*np.mgrid[-10:10, -12:13]) < 6  # (20, 25), around (10, 12)


@dataclass(frozen=True)
class Follower:
    """A solver that keeps what it was asked, and answers with what it was given to answer."""

    asked: list[tuple[LabelMap, Matte | None]]
    answers: list[NDArray[np.float32]]

    def prepare(self, image: Image) -> "Follower":
        return self

    def solve(self, label_map: LabelMap, previous: Matte | None = None) -> Matte:
        self.asked.append((label_map.copy(), previous))
        return Matte(self.answers[len(self.asked) - 1])


@pytest.fixture
def follow(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Follower, ClickRun]]:
    """Runs the protocol over a truth with a solver that gives these answers."""

    def run(truth: NDArray[np.float32], answers: list[Any], **how: Any) -> tuple[Follower, ClickRun]:
        solver = Follower([], [np.asarray(answer, dtype=np.float32) for answer in answers])
        monkeypatch.setattr(named, "make_solver", lambda name, **_: solver)
        sample = Sample("one", np.zeros((*truth.shape, 3), dtype=np.float32), truth)
        return solver, click_through(sample, NamedSolver("follower"), ClickProtocol(**how))

    return run


def test_clicks_go_where_the_robot_says_and_the_solver_is_told_all(follow: Any) -> None:
    truth = DISC.astype(np.float32)
    truth[0, 0] = 0.5  # ignored
    all_of_it = np.ones_like(truth)
    missing = truth.copy()
    missing[10:, :] = 0
    solver, run = follow(truth, [all_of_it, missing, truth], measure="segmentation", clicks=5, radius=2)
    first, second, third = run.places[:3]
    assert first == Place(10, 12, Label.FOREGROUND)
    assert second is not None
    assert second.label == Label.BACKGROUND
    assert third is not None
    assert third.label == Label.FOREGROUND
    assert third.y > 10
    assert run.places[3:] == (None, None)

    said = [Click(place.y, place.x, 2, place.label) for place in (first, second, third)]
    assert len(solver.asked) == 3
    for count, (label_map, _) in enumerate(solver.asked, start=1):
        np.testing.assert_array_equal(label_map, rasterise(said[:count], truth.shape))
    before = [previous if previous is None else previous.alpha for _, previous in solver.asked]
    assert before[0] is None
    np.testing.assert_array_equal(before[1], all_of_it)
    np.testing.assert_array_equal(before[2], missing)

    object_size, image_size = int(DISC.sum()), truth.size - 1
    found = int(DISC[:10].sum())
    assert run.metrics[0] == {"iou": object_size / image_size, "corrective": 1.0}
    assert run.metrics[1] == {"iou": found / object_size, "corrective": 1.0}
    assert run.metrics[2] == {"iou": 1.0, "corrective": 1.0}
    assert run.metrics[3:] == ({"iou": 1.0},) * 2


def test_corrective_accuracy_is_of_the_region_clicked_into(follow: Any) -> None:
    truth = DISC.astype(np.float32)
    half = truth.copy()
    half[10:] = 0
    worse = 1 - half  # the region of the second click is right now, and all the rest is wrong
    _, run = follow(truth, [half, worse], measure="segmentation", clicks=2)
    missed = int(DISC[10:].sum())
    assert run.metrics[0]["corrective"] == pytest.approx(1 - missed / DISC.sum())
    assert run.metrics[1]["corrective"] == 1


def test_half_is_foreground_and_a_solver_of_two_classes_gives_it_after_one_click() -> None:
    sample = Rendered(split="validation", count=1, size=40)[0]
    sample = replace(sample, alpha=np.where(sample.alpha > 0.5, np.float32(1), np.float32(0)))
    run = click_through(sample, WALK, ClickProtocol(measure="segmentation", clicks=3, radius=2))
    assert run.metrics[0]["iou"] == (sample.alpha == 1).mean()
    assert [place.label for place in run.places[:2] if place] == [Label.FOREGROUND, Label.BACKGROUND]


def test_mattes_are_measured_whole(follow: Any) -> None:
    truth = np.clip(1.5 - np.hypot(*np.mgrid[-10:10, -12:13]) / 6, 0, 1).astype(np.float32)
    close = truth * np.float32(0.9)
    close[10, 12] = 1  # as told
    _, run = follow(truth, [close, truth], clicks=3, radius=0)
    assert run.metrics == (all_metrics(close, truth), *[all_metrics(truth, truth)] * 2)
    assert run.places[0] == find_robot("largest-error")(np.zeros_like(truth), truth).place  # type: ignore[union-attr]
    assert run.places[2] is None


def test_nothing_wrong_before_the_first_click_is_no_click(follow: Any) -> None:
    solver, run = follow(np.zeros((5, 6), np.float32), [], measure="segmentation", clicks=2)
    assert solver.asked == []
    assert run.places == (None, None)
    assert run.metrics == ({"iou": 1.0},) * 2


def test_the_measure_has_its_robot_unless_one_is_named() -> None:
    assert ClickProtocol().robot == "largest-error"
    assert ClickProtocol(measure="segmentation").robot == "largest-region"
    assert ClickProtocol(measure="segmentation", robot="largest-error").robot == "largest-error"
    assert json.loads(json.dumps(asdict(MATTES))) == asdict(MATTES)


def test_results_do_not_depend_on_workers_or_on_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    solvers = [WALK, NamedSolver("random-walk", {"sigma": 0.2})]
    alone = evaluate_clicks(MATTES, solvers)
    names = [sample.name for sample in Rendered(split="validation", count=3, size=40)]
    labels = ["random-walk", 'random-walk {"sigma": 0.2}']
    assert [(run.solver, run.sample) for run in alone] == [(label, name) for label in labels for name in names]
    assert evaluate_clicks(MATTES, solvers, workers=2, cache=str(tmp_path)) == alone
    assert len(list(tmp_path.iterdir())) == 6

    # Where it was interrupted it goes on: one image is missing, and only that one is clicked through again.
    again = []
    first = sorted(tmp_path.iterdir())[0]
    first.unlink()
    original = click_through

    def counted(*arguments: Any) -> ClickRun:
        again.append(arguments)
        return original(*arguments)

    monkeypatch.setattr(clicks, "click_through", counted)
    assert evaluate_clicks(MATTES, solvers, cache=str(tmp_path)) == alone
    assert len(again) == 1
    evaluate_clicks(replace(MATTES, radius=3), solvers[:1], limit=1, cache=str(tmp_path))
    assert len(again) == 2


def test_selections_are_kept_with_what_was_not_measured(tmp_path: Path) -> None:
    sample = Rendered(split="validation", count=1, size=40)[0]
    write_image(tmp_path / "images" / "a.png", sample.image)
    write_alpha(tmp_path / "masks" / "a.png", (sample.alpha > 0.5).astype(np.float32))
    protocol = ClickProtocol("folder", {"path": str(tmp_path)}, measure="segmentation", clicks=30, radius=0)
    fresh, kept, again = (evaluate_clicks(protocol, [WALK], cache=each) for each in (None, *[str(tmp_path / "c")] * 2))
    assert fresh == kept == again


def test_images_are_chosen_and_resized() -> None:
    names = [sample.name for sample in Rendered(split="validation", count=3, size=40)]
    told = evaluate_clicks(replace(MATTES, clicks=1, size=30), [WALK], every=2)
    assert [run.sample for run in told] == [names[0], names[2]]
    sample = Rendered(split="validation", count=3, size=40)[2].resized(30)
    assert told[1] == click_through(sample, WALK, replace(MATTES, clicks=1))
    assert [run.sample for run in evaluate_clicks(MATTES, [WALK], limit=1)] == names[:1]


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"measure": "both"}, InvalidArgumentError, "measure must be one of"),
        ({"clicks": 0}, InvalidArgumentError, "clicks must be at least 1, got 0"),
        ({"radius": -1}, InvalidArgumentError, "radius must be at least 0, got -1"),
        ({"size": 0}, InvalidArgumentError, "size must be at least 1, got 0"),
        ({"robot": "nobody"}, UnknownNameError, "unknown robot 'nobody'"),
    ],
)
def test_wrong_protocols_are_refused(wrong: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        ClickProtocol(**wrong)


def test_wrong_requests_fail_before_the_work() -> None:
    with pytest.raises(UnknownNameError, match="unknown solver 'knnn'"):
        evaluate_clicks(MATTES, [WALK, NamedSolver("knnn")])
    with pytest.raises(InvalidArgumentError, match="every must be at least 1, got 0"):
        evaluate_clicks(MATTES, [WALK], every=0)


def test_an_image_solved_by_name_is_solved_as_by_hand() -> None:
    sample = Rendered(split="validation", count=3, size=40)[1]
    run = click_through(sample, WALK, MATTES)
    label_map = rasterise([Click(p.y, p.x, 2, p.label) for p in run.places if p], sample.shape)
    alpha = make_solver("random-walk").prepare(sample.image).solve(label_map).alpha
    assert run.metrics[-1]["rmse"] == pytest.approx(all_metrics(alpha, sample.alpha)["rmse"], abs=1e-4)
