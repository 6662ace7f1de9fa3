"""The network that draws the unknown band: its shape, what it learns from, and how a solver uses it."""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from active_matting.errors import FileError, InvalidArgumentError, UnknownNameError
from active_matting.models import PARTS
from active_matting.models.band import BandNetwork
from active_matting.models.weights import read_part, write_network
from active_matting.segmenters.band import BANDS, INPUTS, PreparedBand, make_band, wanted_band
from active_matting.segmenters.band_network import SHIPPED
from active_matting.solvers import make_solver
from active_matting.testing import check_solver, made_up_image, made_up_labels
from active_matting.training.recipe import Recipe, load_recipe
from active_matting.training.tasks.bands import Bands, Moment
from active_matting.training.train_network import train_network
from active_matting.types import Label

TINY = {"inputs": len(INPUTS), "width": 4}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ACTIVE_MATTING_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "training"


def make_task(**changes: Any) -> Bands:
    options: dict[str, Any] = {"segmenters": ("cues",), "states": (3, 5), "episodes": 2, "batch": 2, "validation": 1}
    options |= {"sources": {"weights": {"rendered": 1.0}}}
    return Bands(Path(), 0, **(options | changes))


@pytest.mark.parametrize("shape", [(24, 32), (13, 22), (1, 9)])
def test_the_network_answers_for_pictures_of_any_shape(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = BandNetwork(inputs=5, width=4)
    planes = torch.rand(2, 5, *shape)
    assert torch.equal(network(planes), planes[:, -3:])  # it begins with what it corrects
    nn.init.normal_(network.head.weight)
    answer = network(planes)
    assert answer.shape == (2, 3, *shape)
    assert bool(answer.isfinite().all())
    assert not torch.equal(answer, planes[:, -3:])


def test_the_network_sees_a_pixels_surroundings() -> None:
    torch.manual_seed(0)
    network = BandNetwork(inputs=4, width=4)
    nn.init.normal_(network.head.weight)
    planes = torch.rand(1, 4, 64, 64, requires_grad=True)
    network(planes)[0, 1, 32, 32].backward()
    assert planes.grad is not None
    reach = planes.grad.abs().sum((0, 1))
    assert reach[32, 32 - 12] > 0
    assert reach[32 + 12, 32] > 0


@pytest.mark.parametrize("wrong", [{"inputs": 2}, {"width": 0}, {"width": 6}])
def test_the_network_refuses_sizes_that_there_are_not(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidArgumentError, match="got"):
        PARTS.make("band", **(TINY | wrong))


def test_a_cell_is_pure_where_it_and_its_rim_are() -> None:
    alpha = np.zeros((12, 12), dtype=np.float32)
    alpha[:, 6:] = 1
    alpha[0, 0] = 0.5
    mean, foreground, background = wanted_band(alpha, (6, 6))
    np.testing.assert_array_equal(foreground[3], [0, 0, 0, 0, 1, 1])  # columns 6 and 7 touch 5
    np.testing.assert_array_equal(background[3], [1, 1, 0, 0, 0, 0])
    assert background[0, 0] == 0
    assert mean[0, 0] == 0.125  # a quarter of the cell is half
    assert background[1, 1] == 1


def test_moments_are_of_one_picture_and_what_is_told_of_it_is_true() -> None:
    task = make_task()
    for episode in range(2):
        few, many = task.moments(episode, (0, 1))
        np.testing.assert_array_equal(few.wanted, many.wanted)
        assert few.seen.shape == (len(INPUTS), 200, 200)
        assert few.seen.dtype == np.float32
        assert np.isfinite(few.seen).all()
        for moment in (few, many):
            foreground, background = (
                moment.seen[INPUTS.index(f"is-told-{name}")] == 1 for name in ("foreground", "background")
            )
            np.testing.assert_array_equal(moment.is_untold, ~(foreground | background))
            assert moment.wanted[0][foreground].mean() > 0.98
            assert moment.wanted[0][background].mean() < 0.02
        assert 0 < (~few.is_untold).sum() < (~many.is_untold).sum()


def test_episodes_are_played_once_and_shared_by_runs(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (first,) = make_task().moments(1, (0,))
    monkeypatch.setattr(Bands, "_played", None)  # whoever plays again fails
    (again,) = make_task(batch=1, lags=1.0).moments(1, (0,))
    np.testing.assert_array_equal(again.seen, first.seen)
    with pytest.raises(TypeError):
        make_task(draw=1).moments(1, (0,))
    assert len(list(cache.iterdir())) == 1


def test_segmentations_may_lag_behind_the_labels() -> None:
    task = make_task(states=(3, 8))
    before, now = task.moments(0, (0, 1))
    (late,) = task.moments(0, (1,), lag=1)
    around = INPUTS.index("around-12")  # of what the segmentation says and what is told on top of it
    np.testing.assert_array_equal(late.is_untold, now.is_untold)
    assert (
        np.abs(late.seen[around] - before.seen[around]).mean() < np.abs(now.seen[around] - before.seen[around]).mean()
    )


class Says(nn.Module):
    """The same log-odds everywhere, the next of a list each time."""

    def __init__(self, answers: Sequence[float]) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(()))
        self.answers = list(answers)

    def forward(self, planes: Tensor) -> Tensor:
        return self.bias + self.answers.pop(0) * torch.ones(len(planes), 3, *planes.shape[-2:])


def half_known() -> Moment:
    """All background; the upper half is told, and says the opposite, which must not matter."""
    seen = np.zeros((len(INPUTS), 8, 8), dtype=np.float32)
    wanted = np.zeros((3, 8, 8), dtype=np.float32)
    wanted[:, :4] = 1
    is_untold = np.zeros((8, 8), dtype=np.bool_)
    is_untold[4:] = True
    return Moment(seen, wanted, is_untold)


def test_the_loss_is_the_cross_entropy_of_what_is_untold_and_what_later_answers_add() -> None:
    task, moments = make_task(steadiness=2.0), [half_known()]
    rng = np.random.default_rng(0)
    (even,) = task.losses(Says([0.0, 0.0]), (moments, moments), rng)
    assert even is not None
    assert even.item() == pytest.approx(np.log(2), rel=1e-6)
    (worse,) = task.losses(Says([0.0, 1.0]), (moments, moments), rng)
    (better,) = task.losses(Says([1.0, 0.0]), (moments, moments), rng)
    one = np.log1p(np.e)
    assert worse is not None
    assert better is not None
    assert worse.item() == pytest.approx((np.log(2) + one) / 2 + 2 * (one - np.log(2)), rel=1e-6)
    assert better.item() == pytest.approx((np.log(2) + one) / 2, rel=1e-6)
    worse.backward()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"states": (3,)}, "two or more"),
        ({"states": (5, 3)}, "in order"),
        ({"segmenters": ()}, "at least one"),
        ({"lags": 1.5}, "lags must be in"),
        ({"own": -0.5}, "own must be in"),
        ({"steadiness": -1.0}, "steadiness must not be negative"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"segmenters": ("none",)}, "unknown segmenter"),
    ],
)
def test_the_task_refuses_what_it_cannot_do(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises((InvalidArgumentError, UnknownNameError), match=said):
        make_task(**wrong)


def test_a_network_that_was_trained_by_recipe_draws_bands(tmp_path: Path) -> None:
    table = load_recipe("band").as_table()
    table["network"] |= {"width": 4}
    table["tasks"]["bands"] |= {"segmenters": ["cues"], "states": [3, 5], "episodes": 1, "batch": 1, "validation": 1}
    table["tasks"]["bands"]["sources"] = {"weights": {"rendered": 1.0}}
    table["schedule"] |= {"turns": [["bands", 4]], "epochs": 1, "warm_up": 0}
    table["validation"] |= {"every": 2}
    table["running"] |= {"workers": 0}
    outcome = train_network(Recipe.from_table(table), tmp_path / "run")
    assert outcome.error is not None
    assert np.isfinite(outcome.error)
    solver = make_solver(
        "segment-then-matte", solver="random-walk", band="network", band_kwargs={"weights": str(tmp_path / "run")}
    )
    image = np.random.default_rng(0).random((40, 60, 3), dtype=np.float32)
    label_map = np.zeros((40, 60), dtype=np.int8)
    label_map[5:10, 5:10], label_map[25:30, 40:45] = Label.FOREGROUND, Label.BACKGROUND
    alpha = solver.prepare(image).solve(label_map).alpha
    assert alpha[7, 7] == 1
    assert alpha[27, 42] == 0
    assert np.isfinite(alpha).all()


def test_with_the_weights_that_come_with_it_the_solver_keeps_the_contract() -> None:
    check_solver(make_solver("segment-then-matte", solver="random-walk", band="network"))


@pytest.mark.parametrize("name", BANDS.names())
def test_a_prepared_image_draws_the_same_bands_in_another_process(name: str) -> None:
    image, truth = made_up_image((40, 60))
    band = PreparedBand.of(image, make_band(name))
    copy = pickle.loads(pickle.dumps(band))
    label_map, truth = made_up_labels((40, 60)), np.asarray(truth, dtype=np.float32)
    for drawn, again in zip(band.draw(truth, label_map, 0.9), copy.draw(truth, label_map, 0.9), strict=True):
        np.testing.assert_array_equal(drawn, again)


class Guess(nn.Module):
    """What the perceptron says, uncorrected."""

    def __init__(self) -> None:
        super().__init__()
        self.none = nn.Parameter(torch.zeros(()))

    def forward(self, planes: Tensor) -> Tensor:
        return planes[:, -3:] + self.none


@torch.no_grad()
def test_the_shipped_network_tells_more_than_the_perceptron_of_pictures_it_never_saw() -> None:
    task = make_task(segmenters=("network",), states=(3, 6), validation=4)
    network = read_part(SHIPPED, "band").eval()
    corrected, guessed = task.validate(network), task.validate(Guess())
    assert corrected["error"] < guessed["error"]


def test_weights_that_are_missing_or_made_for_other_inputs_are_told(tmp_path: Path) -> None:
    image = np.zeros((20, 20, 3), dtype=np.float32)
    with pytest.raises(FileError, match="none"):
        PreparedBand.of(image, make_band("network", weights=str(tmp_path / "none")))
    other = BandNetwork(inputs=5, width=4)
    write_network(tmp_path, other, "band", {"inputs": 5, "width": 4})  # type: ignore[arg-type]
    with pytest.raises(FileError, match=f"5 inputs, the band has {len(INPUTS)}"):
        PreparedBand.of(image, make_band("network", weights=str(tmp_path)))
