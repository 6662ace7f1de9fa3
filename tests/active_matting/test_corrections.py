"""Learning to correct another solver's mattes, from episodes that were played before."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from active_matting.cache import Cache
from active_matting.errors import InvalidArgumentError, InvalidArrayError
from active_matting.metrics import rmse
from active_matting.models import make_network
from active_matting.models.base import Network
from active_matting.solvers import make_solver
from active_matting.training.losses import root_mean_square
from active_matting.training.tasks.corrections import Corrections
from active_matting.types import Label

TINY = {"width": 8, "depths": [1, 1, 1, 1], "head": [8, 8], "guess": "random-walk"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ACTIVE_MATTING_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "training"


def make_task(**changes: Any) -> Corrections:
    options: dict[str, Any] = {"size": 32, "solver": "random-walk", "states": (2, 4), "episodes": 3, "batch": 4}
    options |= {"validation": 2, "sources": {"weights": {"rendered": 1.0}}}
    return Corrections(Path(), 0, **(options | changes))


def untrained() -> Network:
    torch.manual_seed(0)
    network = make_network("imatting", **TINY)
    assert isinstance(network, Network)
    return network


def test_states_tell_the_truth_and_more_and_more_of_it() -> None:
    task = make_task()
    for episode in range(3):
        few, many = task.state(episode, 0), task.state(episode, 1)
        for state in (few, many):
            alpha = state.lesson.alpha
            assert alpha.shape == state.guess.shape == state.label_map.shape == (32, 32)
            assert (alpha[state.label_map == Label.FOREGROUND] >= 0.49).all()  # half of a rim's pixel may lie beyond
            assert (alpha[state.label_map == Label.BACKGROUND] <= 0.51).all()
        assert 0 < (few.label_map != 0).sum() < (many.label_map != 0).sum()
        np.testing.assert_array_equal(few.lesson.image, many.lesson.image)


def test_those_who_click_begin_with_the_object_and_with_little() -> None:
    task = make_task(users={"largest-region": 1.0}, radius=0.03, states=(1, 6), size=64)
    for episode in range(3):
        first, later = task.state(episode, 0).label_map, task.state(episode, 1).label_map
        assert set(np.unique(first)) == {0, 1}
        assert (first != 0).sum() <= np.pi * (0.03 * 64 + 2) ** 2
        assert set(np.unique(later)) == {-1, 0, 1}


def test_an_episode_is_played_once_and_is_the_same_for_all_runs(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make_task().state(1, 1)
    (entry,) = cache.iterdir()
    monkeypatch.setattr(Corrections, "_played", None)  # whoever plays again fails
    again = Corrections(**{**vars_of(make_task()), "seed": 7}).state(1, 1)
    np.testing.assert_array_equal(again.guess, first.guess)
    monkeypatch.undo()
    size = entry.stat().st_size
    assert Cache(cache).clear() == size
    np.testing.assert_array_equal(make_task().state(1, 1).label_map, first.label_map)
    assert not np.array_equal(make_task().state(1, 1, held_out=True).lesson.image, first.lesson.image)
    assert not np.array_equal(make_task(draw=1).state(1, 1).lesson.image, first.lesson.image)


def vars_of(task: Corrections) -> dict[str, Any]:
    return {one.name: getattr(task, one.name) for one in fields(task) if one.init}


def test_users_may_correct_another_solver_than_the_one_whose_mattes_are_kept() -> None:
    own, same, other = (make_task(scale=1, looks_at=each) for each in (None, 'random-walk {"radius": 1}', "shared"))
    differ = 0
    for episode in range(3):
        state, alike, differing = (task.state(episode, 1) for task in (own, same, other))
        np.testing.assert_array_equal(alike.label_map, state.label_map)
        np.testing.assert_array_equal(alike.guess, state.guess)
        np.testing.assert_array_equal(differing.lesson.image, state.lesson.image)
        differ += not np.array_equal(differing.label_map, state.label_map)
        solved = make_solver("random-walk").prepare(differing.lesson.image).solve(differing.label_map).alpha
        assert rmse(solved, differing.guess) < 0.05  # the picture was rounded to bytes when it was kept
    assert differ > 0


def test_pictures_are_kept_in_detail_for_networks_that_look_for_it(cache: Path) -> None:
    plain, task = make_task(scale=4), make_task(scale=4, detail=2, batch=6)
    state, detailed = plain.state(1, 1), task.state(1, 1)
    assert state.detailed is None
    assert detailed.detailed is not None
    np.testing.assert_array_equal(detailed.guess, state.guess)
    assert detailed.detailed.shape == (64, 64, 3)
    means = detailed.detailed.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
    assert np.abs(means - state.lesson.image).max() < 1.5 / 255
    assert len(list(cache.iterdir())) == 2
    for each in task.load(0):  # mirrored ones among them
        assert each.detailed is not None
        means = each.detailed.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
        assert np.abs(means - each.lesson.image).max() < 1.5 / 255


def test_networks_of_detail_learn_from_pictures_in_detail_alone() -> None:
    network = make_network("imatting", **TINY, recognises=True, detail=2)
    task = make_task(detail=2)
    (loss,) = task.losses(network, task.load(0), np.random.default_rng(0))
    assert loss is not None
    loss.backward()  # type: ignore[no-untyped-call]
    slope = network.get_parameter("decoder.conv_up4.4.weight").grad
    assert slope is not None
    assert slope.abs().max() > 0
    assert set(task.validate(network.eval())) >= {"rmse@2", "error"}
    with pytest.raises(InvalidArrayError, match="detailed must have shape"):
        next(iter(make_task().losses(network, make_task().load(0), np.random.default_rng(0))))
    same = next(iter(task.losses(untrained(), task.load(0), np.random.default_rng(0))))
    plain = next(iter(make_task().losses(untrained(), make_task().load(0), np.random.default_rng(0))))
    assert same is not None
    assert plain is not None
    assert same.item() == pytest.approx(plain.item(), rel=1e-6)


def test_batches_depend_on_seed_and_number_alone_and_show_mirrored_states_too() -> None:
    task = make_task(batch=12)
    one, again, other = task.load(3), make_task(batch=12).load(3), task.load(4)
    for left, right in zip(one, again, strict=True):
        np.testing.assert_array_equal(left.guess, right.guess)
    assert any(not np.array_equal(left.guess, right.guess) for left, right in zip(one, other, strict=True))
    known = [task.state(episode, at) for episode in range(3) for at in range(2)]
    mirrored = 0
    for state in one:
        plain = any(np.array_equal(state.lesson.image, each.lesson.image) for each in known)
        turned = [each for each in known if np.array_equal(state.lesson.image[:, ::-1], each.lesson.image)]
        assert plain != bool(turned)
        mirrored += not plain
        if turned:
            assert any(
                np.array_equal(state.guess[:, ::-1], each.guess)
                and np.array_equal(state.label_map[:, ::-1], each.label_map)
                for each in turned
            )
    assert 0 < mirrored < len(one)


def test_before_training_the_error_is_the_guesses() -> None:
    task = make_task()
    with torch.no_grad():
        told = task.validate(untrained().eval())
    assert told["error"] == pytest.approx(told["guess"], abs=1e-6)
    by_hand = [
        [rmse(s.guess, s.lesson.alpha) for s in (task.state(i, at, held_out=True) for at in (0, 1))] for i in (0, 1)
    ]
    assert [told["rmse@2"], told["rmse@4"]] == pytest.approx(np.mean(by_hand, axis=0).tolist(), abs=1e-6)
    assert told["guess"] == pytest.approx(np.mean(by_hand), abs=1e-6)


def test_a_few_states_are_learnt_by_heart() -> None:
    task, network = make_task(episodes=1, batch=2), untrained()
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    losses = []
    for number in range(40):
        (loss,) = task.losses(network.train(), task.load(number), np.random.default_rng(0))
        assert loss is not None
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])


def test_root_mean_square_is_the_mean_of_the_pictures_rmse() -> None:
    rng = np.random.default_rng(0)
    alphas, truths = rng.random((2, 3, 1, 5, 7)).astype(np.float32)
    expected = np.mean([rmse(alpha[0], truth[0]) for alpha, truth in zip(alphas, truths, strict=True)])
    found = root_mean_square(torch.from_numpy(alphas), torch.from_numpy(truths), floor=0)
    assert found.item() == pytest.approx(expected, rel=1e-6)
    alpha = torch.from_numpy(truths).requires_grad_()
    root_mean_square(alpha, torch.from_numpy(truths)).backward()  # type: ignore[no-untyped-call]
    assert alpha.grad is not None
    assert torch.isfinite(alpha.grad).all()


def test_a_change_that_leads_out_of_bounds_can_be_learnt_from() -> None:
    network = untrained().train()
    with torch.no_grad():
        network.get_parameter("decoder.conv_up4.4.bias")[0] = -0.5
    planes = [torch.rand(1, count, 32, 32) for count in (3, 2, 6)]
    alpha = network(*planes, torch.zeros(1, 1, 32, 32)).alpha
    assert (alpha == 0).all()
    (alpha - 1).square().mean().backward()
    slope = network.get_parameter("decoder.conv_up4.4.bias").grad
    assert slope is not None
    assert slope[0].item() == pytest.approx(-2, rel=1e-5)  # of (alpha − 1)² at 0, with the change's own slope 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": 30}, "size must be a multiple of 8"),
        ({"states": (3, 2)}, "states must be numbers of answers"),
        ({"states": ()}, "states must be numbers of answers"),
        ({"episodes": 0}, "episodes must be at least 1"),
        ({"detail": 0}, "detail must be at least 1"),
        ({"detail": 3}, "detail must be at most scale, 2"),
        ({"solver": "knn {"}, "what follows knn must be JSON"),
        ({"looks_at": 'knn {"wild": 1}'}, "wild"),
        ({"users": {}}, "users must be numbers from 0"),
        ({"sources": {"weights": {}}}, "weights must be numbers"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        make_task(**changes)
