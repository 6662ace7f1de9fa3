"""What the spatial agent learns from: episodes, targets, losses; and that it learns."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from test_spatial_network import TINY, make_policy

from active_matting.agents.spatial.episodes import Episode, Episodes
from active_matting.agents.spatial.grid import CELL, DETAIL, Grid
from active_matting.agents.spatial.learning import Imitation, losses_of, stacked
from active_matting.agents.spatial.network import SpatialPolicy
from active_matting.agents.spatial.opinion import kept_opinions, opinions_on, second_opinion
from active_matting.agents.spatial.playing import play_together
from active_matting.agents.spatial.reinforce import OwnEpisodes, discounted, others_mean, reinforce_loss
from active_matting.agents.spatial.targets import Lesson, known_gains, lesson_of, one_sided
from active_matting.annotators import ExactAnnotator
from active_matting.data.images import to_bytes
from active_matting.errors import InvalidArgumentError, UnknownNameError
from active_matting.metrics import rmse
from active_matting.regions import Region
from active_matting.session import QuerySession
from active_matting.solvers import Solver, make_solver
from active_matting.types import Label

SOURCES = {"weights": {"rendered": 1.0}}


def make_episodes(folder: Path, **options: Any) -> Episodes:
    arguments: dict[str, Any] = {"solvers": {"random-walk": 1.0}, "cells": 5, "budget": 6, "tried": 2, "tries": 4}
    return Episodes(Path(), SOURCES, cache=folder, **{**arguments, **options})


@pytest.mark.parametrize(
    ("text", "solver"),
    [
        ("random-walk", make_solver("random-walk")),
        ('random-walk {"sigma": 0.5}', make_solver("random-walk", sigma=0.5)),
    ],
)
def test_an_episode_is_what_a_session_makes_of_its_answers(tmp_path: Path, text: str, solver: Solver) -> None:
    episodes = make_episodes(tmp_path, solvers={text: 1.0})
    episode = episodes[0]
    grid = Grid.of((80, 80), 5)
    assert (episode.image.shape, episode.alpha.shape) == ((3, 80, 80), (40, 40))
    truth = episodes._lesson(np.random.default_rng([0, 0, 0])).alpha
    np.testing.assert_array_equal(grid.shrink(to_bytes(truth)), episode.alpha)
    session = QuerySession(np.float32(1 / 255) * episode.image.transpose(1, 2, 0), solver)
    assert len(set(episode.squares.tolist())) == 6
    for query, (number, label) in enumerate(zip(episode.squares, episode.labels, strict=True), start=1):
        region = grid.region(int(number))
        assert label == ExactAnnotator(truth).answer(region)
        session.answer(region, Label(label))
        # The picture was rounded to bytes when it was kept.
        assert np.abs(grid.shrink(to_bytes(session.alpha)) / 255 - episode.mattes[query] / 255).mean() < 0.02
        assert episode.rmse[query] == pytest.approx(rmse(session.alpha, truth), abs=0.02)


def test_an_episode_depends_on_its_number_and_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    episodes = make_episodes(tmp_path)
    assert not episodes.is_kept(0)
    first = episodes[0]
    assert episodes.is_kept(0)
    again = make_episodes(tmp_path / "other")[0]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(make_episodes(tmp_path)[1].image, first.image)
    assert not np.array_equal(replace(episodes, held_out=True)[0].image, first.image)
    monkeypatch.setattr(Episodes, "make", None)
    for one, other in zip(first, make_episodes(tmp_path)[0], strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_agent_plays_its_own_episodes_and_is_a_part_of_their_key(tmp_path: Path) -> None:
    from active_matting.agents.spatial import SpatialAgent

    torch.manual_seed(0)
    for name in ("one", "two"):
        SpatialAgent(make_policy() if name == "one" else SpatialPolicy(TINY), 5).save(tmp_path / name)
    own = make_episodes(tmp_path, behaviours={"agent": 1}, agent=str(tmp_path / "one"), tried=0)
    played = own[0]
    assert not replace(own, agent=str(tmp_path / "two")).is_kept(0)
    session = QuerySession(
        np.float32(1 / 255) * played.image.transpose(1, 2, 0),
        make_solver("random-walk"),
        SpatialAgent.load(tmp_path / "one"),
        region_size=DETAIL * CELL,
    )
    grid, same = Grid.of((80, 80), 5), 0
    for number, label in zip(played.squares, played.labels, strict=True):
        region = session.suggest()
        same += region == grid.region(int(number))
        session.answer(grid.region(int(number)), Label(int(label)))
    assert same >= 5  # the picture was rounded to bytes, and one in twenty is asked anywhere


def test_opinions_are_kept_beside_an_episode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    episodes = make_episodes(tmp_path)
    opinions = kept_opinions(episodes, 1)
    episode = episodes[1]
    np.testing.assert_array_equal(opinions[0], episode.mattes[0])  # nothing is told yet
    assert opinions.shape == (6, 40, 40)
    monkeypatch.setattr("active_matting.agents.spatial.opinion.opinions_on", None)
    np.testing.assert_array_equal(kept_opinions(episodes, 1), opinions)


def test_a_second_opinion_sees_each_picture_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(3, 3, DETAIL * 40, DETAIL * 24, generator=generator)
    matte = torch.rand(3, 1, 40, 24, generator=generator)
    told = torch.zeros(3, 2, 40, 24)
    told[0, 0, :8, :8] = told[0, 1, 16:24, 8:16] = told[2, 0, 8:16, :8] = 1
    together = second_opinion(image, told, matte)
    torch.testing.assert_close(together[1], matte[1])  # of which nothing was told
    assert (together[[0, 2]] - matte[[0, 2]]).abs().mean() > 0.05
    for number in range(3):
        alone = second_opinion(*(part[number : number + 1] for part in (image, told, matte)))
        torch.testing.assert_close(together[number : number + 1], alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"behaviours": {"wild": 1}}, "behaviours"),
        ({"behaviours": {"agent": 1}}, "behaviours"),
        ({"behaviours": {"seek": 0}}, "behaviours"),
        ({"solvers": {}}, "solvers"),
        ({"solvers": {"wild": 1}}, "wild"),
        ({"solvers": {'random-walk {"wild": 1}': 1}}, "wild"),
        ({"budget": 26}, "budget"),
    ],
)
def test_episodes_that_cannot_be_are_refused(tmp_path: Path, options: dict[str, Any], named: str) -> None:
    with pytest.raises((InvalidArgumentError, UnknownNameError), match=named):
        make_episodes(tmp_path, **options)


def made_up_episode() -> Episode:
    """Three queries on 2 × 2 cells, 3 × 3 squares: foreground above left, background below, mixed between.

    Asked are the squares above left, above in the middle, and below right; tried is the one below left.
    """
    alpha = np.zeros((16, 16), dtype=np.uint8)
    alpha[:8, :12] = 255
    mattes = np.stack([np.full((16, 16), grey, np.uint8) for grey in (128, 100, 100, 40)])
    return Episode(
        image=np.zeros((3, DETAIL * 16, DETAIL * 16), np.uint8),
        alpha=alpha,
        squares=np.array([0, 2, 8], np.int16),
        labels=np.array([Label.FOREGROUND, Label.TRANSITION, Label.BACKGROUND], np.int8),
        mattes=mattes,
        rmse=np.array([0.5, 0.4, 0.4, 0.1], np.float32),
        tried=np.array([[2, 6]], np.int16),
        tried_rmse=np.array([0.6], np.float32),
    )


def test_what_was_told_asked_and_gained_is_written_where_it_was() -> None:
    lesson = lesson_of(made_up_episode(), made_up_episode().mattes[1:], 2)
    foreground = np.zeros((4, 4), np.int8)
    foreground[:2, :2] = 1
    np.testing.assert_array_equal(lesson.told, [np.zeros_like(foreground), foreground, foreground])
    assert not lesson.asked[:, 1].any()
    asked = lesson.asked[:, ::2, ::2].reshape(3, 4)  # of the corners
    np.testing.assert_array_equal(asked, [[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0]])
    np.testing.assert_array_equal(lesson.kinds, [[1, 1, 2], [2, 2, 2], [0, 0, 0]])
    # One class alone is told: mattes are seen as decided then, whatever the episode's were.
    np.testing.assert_array_equal(lesson.before[:, 0, 0], [128, 128, 255])
    np.testing.assert_array_equal(lesson.before[:, 15, 15], [128, 128, 128])
    unknown = np.nan
    np.testing.assert_allclose(
        lesson.gain[:, ::2, ::2].reshape(3, 4),
        [[0.2, unknown, unknown, unknown], [unknown, 0, unknown, unknown], [unknown, unknown, -0.5, 0.75]],
        atol=1e-6,
    )
    np.testing.assert_allclose(lesson.value, np.log([0.5, 0.4, 0.4]) - np.log(0.1), rtol=1e-5)
    assert np.isnan(lesson.gain[:, 1]).all()
    assert np.isnan(lesson.gain[:, :, 1]).all()
    # First the foreground: 8 rows and 12 columns, whose depth at the squares' middles, (4, 4) and (4, 8), is 4.
    first, then = np.zeros((2, 3, 3))
    first[0, :2], then[2] = 1 / 2, 1 / 3
    np.testing.assert_allclose(lesson.choice[0], first)
    # Then the background, whose depth at (12, 4), (12, 8) and (12, 12) is 4.
    np.testing.assert_allclose(lesson.choice[1:], np.stack([then, then]), atol=1e-6)
    assert lesson.error[0, 2, 0] == pytest.approx(np.log((128 / 255) ** 2 + 1e-4), rel=1e-4)
    half_wrong = ((128 / 255) ** 2 + (1 - 128 / 255) ** 2) / 2
    assert lesson.error[0, 1, 0] == pytest.approx(np.log(half_wrong + 1e-4), rel=1e-4)


def test_a_gain_is_not_below_minus_one() -> None:
    episode = made_up_episode()._replace(tried_rmse=np.array([40], np.float32))
    assert np.nanmin(known_gains(episode, 9)) == -1


def dot_lessons(rng: np.random.Generator, count: int, rows: int = 4) -> Lesson:
    """Pictures whose best square is the one with a bright spot, where the matte does not show it yet."""
    lessons = []
    for _ in range(count):
        spots = rng.choice(rows * rows, 2, replace=False)
        side = DETAIL * CELL
        image = np.full((3, side * rows, side * rows), 60, np.uint8)
        matte = np.zeros((CELL * rows, CELL * rows), np.uint8)
        for number in spots:
            row, column = divmod(int(number), rows)
            image[:, side * row : side * (row + 1), side * column : side * (column + 1)] = 250
        row, column = divmod(int(spots[0]), rows)
        matte[CELL * row : CELL * (row + 1), CELL * column : CELL * (column + 1)] = 255
        flat: NDArray[np.float32] = np.zeros((1, 2 * rows - 1, 2 * rows - 1), np.float32)
        choice = flat.copy()
        row, column = divmod(int(spots[1]), rows)
        choice[0, 2 * row, 2 * column] = 1
        lessons.append(
            Lesson(
                image=image,
                mattes=matte[None],
                before=matte[None],
                opinions=matte[None],
                told=np.zeros((1, 2 * rows, 2 * rows), np.int8),
                asked=flat > 0,
                kinds=flat[0].astype(np.int8),
                choice=choice,
                error=flat,
                gain=np.full_like(flat, 0.3),
                log_rmse=np.zeros(1, np.float32),
                value=np.zeros(1, np.float32),
            )
        )
    return stacked(lessons)


def test_it_learns_to_ask_where_the_matte_lacks_what_the_picture_shows() -> None:
    torch.manual_seed(0)
    policy = SpatialPolicy(TINY)
    optimiser = torch.optim.Adam(policy.parameters(), lr=0.01)
    rng = np.random.default_rng(0)
    for _ in range(120):
        losses = losses_of(policy, dot_lessons(rng, 8))
        optimiser.zero_grad()
        (losses["choice"] + losses["gain"]).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    tested = losses_of(policy.eval(), dot_lessons(np.random.default_rng(1), 64))
    assert tested["choice"].item() < 0.2  # a guess among two is 0.69, among all 3.89
    assert tested["gain"].item() < 0.01


def test_what_two_answers_tell_together_is_closed_as_it_is_to_the_agent() -> None:
    episode = made_up_episode()
    both = episode._replace(labels=np.array([Label.FOREGROUND, Label.FOREGROUND, Label.BACKGROUND], np.int8))
    asked = lesson_of(both, made_up_episode().mattes[1:], 2).asked
    np.testing.assert_array_equal(asked[:, 0], [[0, 0, 0], [1, 0, 0], [1, 1, 1]])  # the middle is told by its sides
    np.testing.assert_array_equal(lesson_of(episode, made_up_episode().mattes[1:], 2).asked[2, 0], [1, 0, 1])


def test_losses_are_what_their_formulas_say() -> None:
    policy = make_policy()
    lesson = stacked([lesson_of(made_up_episode(), made_up_episode().mattes[1:], 2)] * 2)
    losses = losses_of(policy, lesson)
    with torch.no_grad():
        from active_matting.agents.spatial.learning import decide

        decision = decide(policy, lesson)
    entropy = [
        -float(sum(c * p for c, p in zip(chances.ravel(), told.ravel().numpy(), strict=True) if c > 0))
        for chances, told in zip(lesson.choice[:, 0], decision.log_probability[:, 0], strict=True)
    ]
    assert losses["choice"].item() == pytest.approx(np.mean(entropy), rel=1e-5)
    told = decision.gain[:, 0].numpy()
    known = ~np.isnan(lesson.gain[:, 0])
    assert losses["gain"].item() == pytest.approx(np.mean((told - lesson.gain[:, 0])[known] ** 2), rel=1e-5)
    assert losses["value"].item() == pytest.approx(
        np.mean((decision.value[:, 0].numpy() - lesson.value[:, 0]) ** 2), rel=1e-5
    )


def test_a_batch_depends_on_its_number_alone(tmp_path: Path) -> None:
    episodes = {"sources": SOURCES, "solvers": {"random-walk": 1.0}, "cells": 5, "budget": 4}
    task = Imitation(Path(), 3, episodes, count=3, batch=2, queries=2, validation=4, cache=str(tmp_path))
    first, again = task.load(0), task.load(0)
    assert first.mattes.shape == (2, 2, 40, 40)
    assert first.image.shape == (2, 3, 80, 80)
    assert first.value.shape == (2, 2)
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not all(np.array_equal(first.image, task.load(number).image) for number in range(1, 6))
    figures = task.validate(make_policy())
    assert figures["error"] == figures["choice"] > 0


@pytest.mark.parametrize(
    ("options", "named"),
    [({"batch": 0}, "batch"), ({"discount": 1.5}, "discount"), ({"solver": 'random-walk {"wild": 1}'}, "wild")],
)
def test_own_episodes_that_cannot_be_are_refused(options: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidArgumentError, match=named):
        OwnEpisodes(Path(), 0, SOURCES, **options)


@pytest.mark.parametrize("solver", ["random-walk", "imatting"])  # the latter makes something of one class
def test_the_episodes_the_network_plays_are_those_the_agent_plays(solver: str) -> None:
    from active_matting.agents.spatial import SpatialAgent

    task = OwnEpisodes(Path(), 0, SOURCES, solver=solver, cells=5, budget=5, batch=2, repeats=1, validation=2)
    lessons = task.load(0)
    policy = make_policy()
    played = play_together(policy, lessons, make_solver(solver), 5, 5)
    for lesson, (episode, opinions) in zip(lessons, played, strict=True):
        session = QuerySession(
            lesson.image, make_solver(solver), SpatialAgent(policy, 5, spreading=0), region_size=16, budget=5
        )
        asked: list[Region] = []
        for query in range(5):
            asked.append(session.suggest())
            session.answer(asked[-1], ExactAnnotator(lesson.alpha).answer(asked[-1]))
            assert episode.rmse[query + 1] == pytest.approx(rmse(session.alpha, lesson.alpha), abs=1e-6)
        assert asked == [Grid.of((80, 80), 5).region(int(number)) for number in episode.squares]
        np.testing.assert_array_equal(opinions_on(episode, 5), opinions)
    assert task.validate(policy)["error"] > 0


def test_returns_and_the_mean_of_the_others() -> None:
    rewards = np.array([[1, 0], [2, 8], [4, 0]], dtype=np.float32)
    np.testing.assert_allclose(discounted(rewards, 0.5), [[3, 4], [4, 8], [4, 0]])
    values = torch.tensor([[1.0, 3.0, 10.0, 20.0]])
    torch.testing.assert_close(others_mean(values, 2), torch.tensor([[3.0, 1.0, 20.0, 10.0]]))
    torch.testing.assert_close(others_mean(values, 1), torch.zeros(1, 4))


def test_the_gradient_of_reinforce_is_advantage_times_that_of_the_choice() -> None:
    """Two episodes of two queries on 1 × 2 squares, without entropy: d loss / d logit by hand."""
    logits = torch.zeros(2, 2, 1, 2, requires_grad=True)
    chances = torch.log_softmax(logits.flatten(2), 2).view(2, 2, 1, 2)
    other = torch.zeros(2, 2, 1, 2)
    decision_parts = (chances, other, other, other, torch.zeros(2, 2), torch.zeros(2, 2))
    from active_matting.agents.spatial.network import Decision

    episode = made_up_episode()
    errors = ([1.0, 0.5, 0.25], [1.0, 1.0, 0.125])
    episodes = [
        episode._replace(squares=np.array(squares, np.int16), rmse=np.array(curve, np.float32))
        for squares, curve in zip(([0, 1], [1, 0]), errors, strict=True)
    ]
    loss = reinforce_loss(Decision(*decision_parts), episodes, discount=0.0, repeats=1, weight=1.0, entropy=0.0)
    loss.backward()  # type: ignore[no-untyped-call]
    rewards = np.log([[2, 1], [2, 8]])
    advantage = rewards / rewards.std(ddof=1)
    asked = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]]])
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad[:, :, 0], -advantage[..., None] * (asked - 0.5) / 4, rtol=1e-5)
    better = reinforce_loss(Decision(*decision_parts), episodes, 0.0, 1, weight=0.0, entropy=1.0)
    assert better.item() == pytest.approx(-np.log(2) + 0.1 * np.mean(rewards**2), rel=1e-5)


def test_an_episode_of_one_class_tells_no_other_and_wants_the_other(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grid = Grid.of((40, 40), 5)
    seen = set()
    for number in range(6):
        episode = one_sided(make_episodes(tmp_path, tried=0)[number], 5, rng)
        told = set(episode.labels.tolist()) - {int(Label.TRANSITION)}
        if len(told) != 1:
            continue  # too few squares of a kind: as it was
        seen |= told
        label_map = np.zeros((40, 40), dtype=np.int8)
        session = QuerySession(np.zeros((40, 40, 3), np.float32), make_solver("random-walk"))
        for query, (number, label) in enumerate(zip(episode.squares, episode.labels, strict=True), start=1):
            region = grid.region(int(number))
            session.answer(region, Label(label))
            assert ExactAnnotator(np.float32(1 / 255) * episode.alpha).answer(region) == label
            np.testing.assert_allclose(np.float32(1 / 255) * episode.mattes[query], session.alpha, atol=0.003)
            label_map = session.label_map
        lesson = lesson_of(episode, episode.mattes[:-1], 5)
        wanted = lesson.kinds[lesson.choice[-1] > 0]
        if (label_map != 0).any():
            assert set(wanted.tolist()) <= {0 if told == {1} else 1}
    assert seen == {-1, 1}
