"""What networks learn from, and the two tasks, on pictures made for it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from active_matting.data.folder import Folder
from active_matting.data.images import to_bytes, write_alpha, write_image, write_picture
from active_matting.data.rendered import Rendered
from active_matting.errors import FileError, InvalidArgumentError
from active_matting.models import make_network
from active_matting.models.base import Network, Prediction
from active_matting.models.hints import HintMaps
from active_matting.robots import find_robot
from active_matting.solvers import make_solver
from active_matting.training.lessons import Sources, has_both
from active_matting.training.tasks.answers import READ_AT, Answers
from active_matting.training.tasks.batches import draw_batch
from active_matting.training.tasks.trimaps import Trimaps
from active_matting.training.users import ClickingUser
from active_matting.types import Label

KINDS = ("masks", "photographs", "composites", "rendered")
FOLDERS = {"masks": ["masks"], "photographs": ["mattes"], "objects": ["cutouts"], "scenes": ["backgrounds"]}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six rendered pictures as masks, mattes, cut-outs and backgrounds; the first and the last are held out."""
    folder = tmp_path_factory.mktemp("lessons")
    for number, sample in enumerate(Rendered("train", count=6, size=96)):
        name = f"{number}.png"
        for kind, file, alpha in (("mattes", "alphas", sample.alpha), ("masks", "masks", np.round(sample.alpha))):
            write_image(folder / kind / "images" / name, sample.image)
            write_alpha(folder / kind / file / name, alpha)
        write_picture(folder / "cutouts" / name, to_bytes(np.dstack([sample.image, sample.alpha])))
        write_image(folder / "backgrounds" / name, np.full((96, 96, 3), number / 10, np.float32))
    return folder


def sources(root: Path, kind: str, **other: Any) -> Sources:
    return Sources(root, {kind: 1.0}, **FOLDERS, **other)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_a_lesson_is_four_planes_of_the_asked_size(root: Path, kind: str) -> None:
    lesson = sources(root, kind).draw(np.random.default_rng(1), 64)
    for plane in (lesson.image, lesson.foreground, lesson.background):
        assert plane.shape == (64, 64, 3)
    assert lesson.alpha.shape == (64, 64)
    assert all(plane.dtype == np.float32 and plane.min() >= 0 and plane.max() <= 1 for plane in lesson)
    if kind == "masks":
        assert set(np.unique(lesson.alpha)) <= {0, 1}


@pytest.mark.parametrize("kind", KINDS)
def test_lessons_are_the_same_for_the_same_generator(root: Path, kind: str) -> None:
    first, second, third = (sources(root, kind).draw(np.random.default_rng(seed), 64) for seed in (2, 2, 3))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first.image, third.image)


def test_photographs_colours_make_up_the_image(root: Path) -> None:
    lesson = sources(root, "photographs").draw(np.random.default_rng(0), 96)
    alpha = lesson.alpha[..., None]
    off = np.abs(alpha * lesson.foreground + (1 - alpha) * lesson.background - lesson.image)
    assert off.mean() < 0.02


def test_what_is_held_out_is_never_drawn_for_training(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[str] = set()
    read = Folder.__getitem__

    def note(self: Folder, index: int) -> Any:
        sample = read(self, index)
        seen.add(sample.name)
        return sample

    monkeypatch.setattr(Folder, "__getitem__", note)
    rng = np.random.default_rng(0)
    for _ in range(40):
        sources(root, "masks").draw(rng, 32)
    assert seen == {"1", "2", "3", "4"}
    seen.clear()
    for _ in range(20):
        sources(root, "masks", held_out=True).draw(rng, 32)
    assert seen == {"0", "5"}


@pytest.mark.parametrize(
    ("weights", "told"),
    [({}, "got {}"), ({"cartoons": 1.0}, "cartoons"), ({"masks": -1.0}, "-1.0"), ({"masks": 0.0}, "all be 0")],
)
def test_weights_are_checked(root: Path, weights: dict[str, float], told: str) -> None:
    with pytest.raises(InvalidArgumentError, match=told):
        Sources(root, weights, **FOLDERS)  # type: ignore[arg-type]


def test_missing_folders_are_named(root: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="masks"):
        Sources(root, {"masks": 1.0})
    with pytest.raises(FileError, match="nowhere"):
        Sources(root, {"masks": 1.0}, masks=["nowhere"])


def test_has_both_wants_room_for_a_region_of_each_class() -> None:
    alpha = np.zeros((40, 40), np.float32)
    assert not has_both(alpha)
    alpha[5, 5] = 1  # a region has 2 × 2 pixels
    assert not has_both(alpha)
    alpha[5:7, 5:7] = 1
    assert has_both(alpha)


def answers(root: Path, **other: Any) -> Answers:
    settings: dict[str, Any] = {"size": 32, "batch": 2, "answers": (3, 3), "validation": 8, **other}
    return Answers(root, 7, {"weights": {"masks": 1.0}, "masks": ["masks"]}, **settings)


class Copy(Network):
    """Answers the image's red channel times a weight, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.hint_maps = HintMaps((2.0, 4.0, 8.0))
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.marks: list[Tensor] = []
        self.previous: list[Tensor] = []

    def forward(self, image: Tensor, marks: Tensor, hints: Tensor, previous: Tensor) -> Prediction:
        self.marks.append(marks)
        self.previous.append(previous)
        assert hints.shape[1] == 6
        return Prediction(image[:, :1] * self.weight)


def test_each_answer_adds_to_what_is_told_and_sees_the_newest_matte(root: Path) -> None:
    task, network = answers(root, users={"regions": 0.5, "largest-error": 0.5}), Copy()
    losses = list(task.losses(network, task.load(0), np.random.default_rng(0)))
    assert len(losses) == 3
    assert all(loss is not None and loss.requires_grad for loss in losses)
    counts = [float(marks.sum()) for marks in network.marks]
    assert counts[0] > 0
    assert counts == sorted(counts)
    assert network.previous[0].abs().sum() == 0
    assert torch.equal(network.previous[1], network.previous[2])  # the network did not change in between
    assert network.previous[1].abs().sum() > 0


def test_before_the_first_update_there_is_no_gradient(root: Path) -> None:
    task = answers(root, answers=(4, 4), first_update=3)
    losses = list(task.losses(Copy(), task.load(0), np.random.default_rng(0)))
    assert [loss is None for loss in losses] == [True, True, False, False]


def test_marks_are_true(root: Path) -> None:
    task, network = answers(root, users={"largest-error": 1.0}, radius=0.1), Copy()
    item = task.load(0)
    list(task.losses(network, item, np.random.default_rng(0)))
    truth = torch.from_numpy(np.stack([lesson.alpha for lesson in item]))
    background, foreground = network.marks[-1][:, 0], network.marks[-1][:, 1]
    assert (truth[background == 1] == 0).all()
    assert (truth[foreground == 1] == 1).all()


def test_batches_depend_on_seed_and_index_alone(root: Path) -> None:
    first, again, other = answers(root).load(3), answers(root).load(3), answers(root).load(4)
    assert np.array_equal(first[1].image, again[1].image)
    assert not np.array_equal(first[1].image, other[1].image)


def test_validation_of_a_network_that_knows_is_near_zero(root: Path) -> None:
    class Knows(Copy):
        def forward(self, image: Tensor, marks: Tensor, hints: Tensor, previous: Tensor) -> Prediction:
            return Prediction(torch.from_numpy(truths.pop(0)))

    task = answers(root)
    lessons = draw_batch(task._held_out, np.random.default_rng([7, 0]), 32, 8)
    truth = np.stack([lesson.alpha for lesson in lessons])[:, None]
    truths = [truth] * max(READ_AT)
    assert task.validate(Knows())["error"] == 0
    blind = Copy()
    with torch.no_grad():
        blind.weight.zero_()
    assert task.validate(blind)["error"] > 0.2


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"answers": (3, 2)}, "in order"),
        ({"first_update": 4}, "in order"),
        ({"loss": "l2"}, "l2"),
        ({"size": 30}, "30"),
        ({"users": {}}, "users"),
    ],
)
def test_settings_are_checked(root: Path, wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidArgumentError, match=told):
        answers(root, **wrong)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"reach": [5, 3]}, r"reach must be two numbers of pixels in order, got \(5, 3\)"),
        ({"reach": [5]}, r"reach must be .* got \(5,\)"),
        ({"tolerance": 0.5}, r"tolerance must lie in \[0, 0.5\), got 0.5"),
        ({"sizes": []}, "sizes must be multiples of 8"),
        ({"sizes": [30]}, r"sizes must be multiples of 8, got \(30,\)"),
        ({"batch": 0}, "batch must be at least 1, got 0"),
    ],
)
def test_settings_of_trimaps_are_checked_before_any_is_drawn(root: Path, wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidArgumentError, match=told):
        Trimaps(root, 0, {"weights": {"photographs": 1.0}, "photographs": ["mattes"]}, **wrong)


def test_trimaps_leave_the_edge_unknown_and_every_second_batch_doubles(root: Path) -> None:
    kind = {"weights": {"photographs": 1.0}, "photographs": ["mattes"]}
    task = Trimaps(root, 0, kind, sizes=(32,), reach=(1, 3), doubles=True)
    single, double = task.load(4), task.load(5)
    assert single.lessons[0].alpha.shape == (32, 32)
    assert double.lessons[0].alpha.shape == (64, 64)
    alpha, trimap = single.lessons[0].alpha, single.trimaps[0]
    assert (alpha[trimap == Label.FOREGROUND] >= 0.98).all()
    assert (alpha[trimap == Label.BACKGROUND] <= 0.02).all()
    assert {Label.FOREGROUND, Label.BACKGROUND} <= set(trimap.flat)


def test_trimaps_tell_how_wrong_the_matte_is_that_a_network_corrects(root: Path) -> None:
    kind = {"weights": {"photographs": 1.0}, "photographs": ["mattes"]}
    task = Trimaps(root, 3, kind, sizes=(32, 40), reach=(1, 3), validation=4)
    small: dict[str, Any] = {"width": 8, "depths": (1, 1, 1, 1), "head": (8, 8)}
    told = task.validate(make_network("fba", **small, guess="random-walk").eval())
    rng, errors = np.random.default_rng([3, 0]), []
    for size in (32, 40, 32, 40):
        (lesson,), (trimap,) = task._item(task._held_out, rng, size, 1)
        alpha = make_solver("random-walk").prepare(lesson.image).solve(trimap).alpha
        errors.append(np.sqrt(np.mean((alpha - lesson.alpha)[trimap == 0].astype(float) ** 2)))
    assert told["guess"] == pytest.approx(np.mean(errors), abs=1e-6)
    assert told["error"] == pytest.approx(told["guess"], abs=1e-6)  # untrained it changes nothing
    assert told["error"] > told["rmse"] > 0
    assert set(task.validate(make_network("fba", **small).eval())) == {"error", "rmse"}


def test_a_network_learns_from_both_tasks(root: Path) -> None:
    """A few steps on one batch lower its loss: gradients reach the weights, and in the right direction."""
    torch.manual_seed(0)
    network = make_network("imatting", width=8, depths=(1, 1, 1, 1), head=(8, 8))
    trimaps = Trimaps(root, 0, {"weights": {"photographs": 1.0}, "photographs": ["mattes"]}, sizes=(32,), batch=2)
    tasks: list[Any] = [answers(root, loss="matting"), trimaps]
    for task in tasks:
        item, optimiser, totals = task.load(0), torch.optim.Adam(network.parameters(), 3e-3), []
        for _ in range(12):
            total = 0.0
            for loss in task.losses(network, item, np.random.default_rng(0)):
                loss.backward()
                optimiser.step()
                optimiser.zero_grad()
                total += loss.item()
            totals.append(total)
        assert totals[-1] < 0.8 * totals[0]


def test_a_click_is_a_disc_that_stays_within_its_class() -> None:
    truth = np.zeros((20, 20), np.float32)
    truth[5:14, 5:14] = 1
    user = ClickingUser(truth, 8, find_robot("largest-region"))
    user.answer(np.zeros_like(truth))
    assert user.label_map[9, 9] == Label.FOREGROUND
    assert ((user.label_map == Label.FOREGROUND) == (truth == 1)).all()
    told = user.label_map
    user.answer(truth)  # nothing is wrong
    assert np.array_equal(user.label_map, told)
