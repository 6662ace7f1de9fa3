"""Agents that score cells: clustering, coverage, uncertainty, disagreement."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest

from active_matting.agents import make_agent
from active_matting.agents.baselines.cells import CellAgent, Cells, best_of, chances_of, labels_of
from active_matting.agents.baselines.clustering import cluster, order_of_cells, pixel_features
from active_matting.agents.baselines.coverage import distance_to_known
from active_matting.envs.regions import RegionsEnv, RegionsVectorEnv
from active_matting.errors import InvalidArgumentError, UnknownNameError
from active_matting.observations import Observation, image_planes, observe
from active_matting.regions import Region, action_to_region, region_to_action
from active_matting.types import Label

NAMES = ("clustering", "coverage", "highest-uncertainty", "solver-disagreement")
SIZE, SIDE = 20, 5  # sixteen cells

ENVIRONMENT: dict[str, Any] = {
    "data_kwargs": {"split": "validation", "count": 3, "size": 24},
    "image_size": 24,
    "region_size": 4,
    "budget": 5,
    "solver": "random-walk",
}


def make(name: str, env: Any = None, **options: Any) -> Any:
    faster = {"solvers": "random-walk+knn"} if name == "solver-disagreement" else {}
    return make_agent(name, env, **{**faster, **options})


def see(image: Any = 0.0, alpha: Any = 0.5, label_map: Any = 0, at: Any = (0, 0), remaining: float = 1) -> Observation:
    planes = image_planes(np.broadcast_to(np.float32(image), (SIZE, SIZE, 3)))
    labels = np.array(np.broadcast_to(np.int8(label_map), (SIZE, SIZE)))
    matte = np.array(np.broadcast_to(np.float32(alpha), (SIZE, SIZE)))
    return observe(planes, labels, matte, np.array(at, dtype=np.float32), remaining)


def cell_of(action: Any) -> tuple[int, int]:
    region = action_to_region(action, SIDE, (SIZE, SIZE))
    assert (region.top % SIDE, region.left % SIDE) == (0, 0)
    return region.top // SIDE, region.left // SIDE


def cell(y: int, x: int) -> tuple[slice, slice]:
    return slice(SIDE * y, SIDE * (y + 1)), slice(SIDE * x, SIDE * (x + 1))


@pytest.mark.parametrize("name", NAMES)
def test_no_place_comes_twice_whatever_is_answered(name: str) -> None:
    agent = make(name, side=SIDE)
    image = np.random.default_rng(0).random((SIZE, SIZE, 3))
    state, asked, label_map, action = None, [], np.zeros((SIZE, SIZE), np.int8), np.zeros(2)
    for query in range(16):
        seen = see(image, np.random.default_rng(query).random((SIZE, SIZE)), label_map, action, 1 - query / 20)
        action, state = agent.predict(seen, state, np.array([query == 0]))
        assert action.shape == (2,)
        assert action.dtype == np.float32
        asked.append(cell_of(action))
        if query % 2:  # else it was mixed, and changes nothing
            label_map[cell(*asked[-1])] = 1 if query % 4 == 1 else -1
    assert len(set(asked)) == 16
    assert agent.predict(see(image), state)[0].shape == (2,)  # all was asked: anywhere


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_gives_what_each_gives_and_an_episodes_start_forgets(name: str) -> None:
    images = np.random.default_rng(1).random((3, SIZE, SIZE, 3))
    views = [see(image) for image in images]
    alone, agent, state = [], make(name, side=SIDE), None
    for view in views:
        first, state = agent.predict(view)
        second, _ = agent.predict(view, state)
        alone.append((first, second))
    batch = {key: np.stack([view[key] for view in views]) for key in views[0]}
    first, state = agent.predict(batch)
    np.testing.assert_array_equal(first, [pair[0] for pair in alone])
    before = state.copy()
    second, _ = agent.predict(batch, state)
    np.testing.assert_array_equal(second, [pair[1] for pair in alone])
    np.testing.assert_array_equal(state, before)  # which a session may come back to
    partly, _ = agent.predict(batch, state, np.array([True, False, True]))
    np.testing.assert_array_equal(partly, [alone[0][0], alone[1][1], alone[2][0]])


@pytest.mark.parametrize("name", NAMES)
def test_episodes_of_environments_single_and_batched_agree(name: str) -> None:
    env, batch = RegionsEnv(**ENVIRONMENT), RegionsVectorEnv(2, **ENVIRONMENT, order="in-turn")
    told = []
    for index in range(2):
        observation, _ = env.reset(options={"index": index})
        agent, state, regions = make(name, env), None, []
        for _ in range(5):
            action, state = agent.predict(observation, state)
            observation, *_ = env.step(action)
            regions.append(env.session.answers[-1].region)
        assert {region.side for region in regions} == {4}
        assert len(set(regions)) == 5
        told.append(regions)
    observation, _ = batch.reset(seed=0)
    agent, state = make(name, batch), None
    order = [
        int(np.flatnonzero([np.array_equal(s.image, env.data[i].image) for i in range(2)])[0]) for s in batch.samples
    ]
    for query in range(5):
        action, state = agent.predict(observation, state)
        observation, *_ = batch.step(action)
        assert [session.answers[-1].region for session in batch.sessions] == [told[i][query] for i in order]


def test_the_cell_whose_alpha_is_farthest_from_0_and_1_in_the_mean_is_the_most_uncertain() -> None:
    alpha = np.ones((SIZE, SIZE))
    alpha[cell(1, 2)] = 0.3  # 0.6 throughout
    alpha[cell(3, 0)][:3] = 0.5  # 1 in three fifths, after rounding to 8 bits a little less
    alpha[cell(0, 3)] = 0.8  # 0.4
    agent, state, order = make("highest-uncertainty", side=SIDE), None, []
    for _ in range(3):
        action, state = agent.predict(see(alpha=alpha), state)
        order.append(cell_of(action))
    assert order == [(1, 2), (3, 0), (0, 3)]


def test_where_all_is_as_uncertain_colour_and_place_decide() -> None:
    image = np.full((SIZE, SIZE, 3), 0.2)
    image[cell(2, 1)] = 0.9
    label_map = np.zeros((SIZE, SIZE))
    label_map[cell(0, 0)] = -1
    for name in ("highest-uncertainty", "solver-disagreement"):
        action, _ = make(name, side=SIDE).predict(see(image, 0.5, label_map, remaining=0.5))
        assert cell_of(action) == (2, 1)


def test_disagreement_is_the_solvers_standard_deviation(monkeypatch: pytest.MonkeyPatch) -> None:
    class Told:
        def __init__(self, alpha: float) -> None:
            self.alpha = np.full((SIZE, SIZE), 0.5, np.float32)
            self.alpha[cell(3, 1)] = alpha
            self.alpha[cell(0, 0)] = 0.1

        def prepare(self, image: Any) -> Any:
            return self

        def solve(self, label_map: Any) -> Any:
            return self

    told = {"low": Told(0.2), "high": Told(0.7)}
    monkeypatch.setattr("active_matting.agents.baselines.uncertainty.make_solver", told.__getitem__)
    alpha = np.ones((SIZE, SIZE))
    alpha[cell(2, 2)] = 0.5  # what the environment's own solver says does not matter
    action, _ = make_agent("solver-disagreement", solvers="low+high", side=SIDE).predict(see(alpha=alpha))
    assert cell_of(action) == (3, 1)


def test_disagreement_needs_two_solvers_that_there_are() -> None:
    with pytest.raises(InvalidArgumentError, match="at least two names"):
        make_agent("solver-disagreement", solvers="knn")
    with pytest.raises(UnknownNameError, match="unknown solver 'knnn'"):
        make_agent("solver-disagreement", solvers=["knn", "knnn"])
    agent = make_agent('solver-disagreement:solvers="random-walk+knn"')
    assert isinstance(agent, CellAgent)


def test_coverage_asks_for_the_farthest_colour_and_place() -> None:
    features = np.array([[0.0, 0], [0, 3], [4, 0], [1, 1]])
    np.testing.assert_allclose(distance_to_known(features, np.array([True, False, False, False])), [0, 3, 4, 2**0.5])
    np.testing.assert_allclose(distance_to_known(features, np.array([True, True, False, True])), [0, 0, 10**0.5, 0])
    first = distance_to_known(features, np.zeros(4, dtype=bool))
    assert first.argmax() == 3  # nearest to the mean, (1.25, 1)

    agent, state, order = make("coverage", side=SIDE), None, []
    for _ in range(8):
        action, state = agent.predict(see(), state)
        order.append(cell_of(action))
    assert order[0] in {(1, 1), (1, 2), (2, 1), (2, 2)}
    every = [(y, x) for y in range(4) for x in range(4)]
    for number in range(1, 8):
        to_known = {each: min(np.hypot(each[0] - y, each[1] - x) for y, x in order[:number]) for each in every}
        assert to_known[order[number]] == pytest.approx(max(to_known.values()))


def test_coverage_counts_colour_as_much_as_asked() -> None:
    image = np.zeros((SIZE, SIZE, 3))
    image[cell(0, 1)] = 0.5
    label_map = np.zeros((SIZE, SIZE))
    label_map[cell(0, 0)] = 1
    for colour, expected in ((0.0, (3, 3)), (2.0, (0, 1))):
        seen = see(image, label_map=label_map, at=(-1, -1), remaining=0.5)
        assert cell_of(make("coverage", colour=colour, side=SIDE).predict(seen)[0]) == expected
    with pytest.raises(InvalidArgumentError, match="colour must not be negative"):
        make_agent("coverage", colour=-1)


def test_clusters_are_the_best_partition_of_well_separated_points() -> None:
    rng = np.random.default_rng(3)
    middles = np.array([[0.0, 0], [10, 0], [0, 10]])
    points = np.concatenate([middle + rng.normal(0, 0.1, (n, 2)) for middle, n in zip(middles, (5, 9, 7), strict=True)])
    for seed in range(5):
        centres, sizes = cluster(points, 3, np.random.default_rng(seed))
        means = np.array([points[:5].mean(0), points[5:14].mean(0), points[14:].mean(0)])
        assert min(np.abs(centres[list(order)] - means).max() for order in permutations(range(3))) < 1e-12
        assert sorted(sizes.tolist()) == [5, 7, 9]


def test_clusters_of_what_is_all_alike_are_empty_but_one() -> None:
    centres, sizes = cluster(np.ones((6, 2)), 3, np.random.default_rng(0))
    np.testing.assert_array_equal(centres, np.ones((3, 2)))
    assert sorted(sizes.tolist()) == [0, 0, 6]


def test_each_cluster_asks_for_its_middle_cell_and_later_for_its_next() -> None:
    cells = np.array([[0.0], [1], [2], [10], [11]])
    turns = order_of_cells(cells, np.array([[1.1], [10.2]]))
    assert turns.tolist() == [4, 0, 2, 1, 3]


def test_clustering_asks_about_the_parts_of_an_image_largest_first() -> None:
    image = np.zeros((SIZE, SIZE, 3))
    image[:, :5], image[:5, :5] = (1, 0, 0), (0, 1, 0)
    agent, state, order = make("clustering", clusters=3, place=0.01, side=SIDE), None, []
    for _ in range(3):
        action, state = agent.predict(see(image), state)
        order.append(cell_of(action))
    (dark, red, green) = order
    assert dark[1] > 0
    assert red in {(1, 0), (2, 0), (3, 0)}
    assert green == (0, 0)


def test_clustering_follows_its_seed_and_takes_the_budget_for_its_count() -> None:
    image = np.random.default_rng(5).random((SIZE, SIZE, 3))

    def asked(**options: Any) -> list[tuple[int, int]]:
        agent, state, order = make("clustering", side=SIDE, **options), None, []
        for _ in range(6):
            action, state = agent.predict(see(image), state)
            order.append(cell_of(action))
        return order

    assert asked(seed=1) == asked(seed=1)
    assert any(asked(seed=1, clusters=6) != asked(seed=seed, clusters=6) for seed in (2, 3, 4))
    env = RegionsEnv(**{**ENVIRONMENT, "budget": 6})
    assert asked(seed=1, env=env) == asked(seed=1, clusters=6)
    mistakes: list[dict[str, Any]] = [{"clusters": 0}, {"place": -1}]
    for wrong in mistakes:
        with pytest.raises(InvalidArgumentError, match="clusters must be at least 1 and place not negative"):
            make_agent("clustering", **wrong)


def test_features_are_colours_and_places_of_about_as_many_pixels_of_any_image() -> None:
    image = np.random.default_rng(0).random((4, 8, 3), dtype=np.float32)
    features = pixel_features(image, place=2)
    assert features.shape == (32, 5)
    np.testing.assert_allclose(features[13], [*image[1, 5], 2 * 1 / 8, 2 * 5 / 8], rtol=1e-6)
    assert 4000 <= len(pixel_features(np.zeros((400, 300, 3), np.float32), 1)) < 8000


def test_a_cell_that_someone_else_asked_about_is_not_asked_again() -> None:
    agent = make("coverage", side=SIDE)
    first, _ = agent.predict(see())
    again, _ = agent.predict(see(at=first, remaining=0.9))  # the state was lost, and the answer was mixed
    assert cell_of(again) != cell_of(first)


def test_without_an_environment_cells_are_a_twentieth_of_the_shorter_side() -> None:
    agent = make_agent("coverage")
    planes = image_planes(np.zeros((40, 80, 3), np.float32))
    seen = observe(planes, np.zeros((40, 80), np.int8), np.zeros((40, 80), np.float32), np.zeros(2, np.float32), 1)
    _, state = agent.predict(seen)
    assert state.shape == (1, 20 * 40)
    with pytest.raises(InvalidArgumentError, match="side must be at least 1 pixel, got 0"):
        make_agent("coverage", side=0)


def test_means_over_cells_are_those_of_their_pixels() -> None:
    cells = Cells.of((7, 9), 3)
    plane = np.random.default_rng(0).random((7, 9, 2))
    means = cells.means(plane)
    assert means.shape == (9, 2)
    np.testing.assert_allclose(means[8], plane[4:, 6:].mean((0, 1)))  # the last row is moved in
    np.testing.assert_allclose(means[1], plane[:3, 3:6].mean((0, 1)))
    assert cells.at(region_to_action(Region(5, 7, 3), (7, 9))) == 8


def test_the_best_is_the_first_of_the_equals_by_every_score() -> None:
    scores = [np.array([2.0, 3, 3, 3, 9]), np.array([9.0, 1, 2, 2, 0])]
    assert best_of(scores, np.array([True, True, True, True, False])) == 2
    assert best_of(scores, np.zeros(5, dtype=bool)) == 4


def test_labels_are_read_from_what_an_observation_shows() -> None:
    label_map = np.array([[label.value for label in Label]], dtype=np.int8)
    shown = observe(np.zeros((3, 1, 4), np.uint8), label_map, np.zeros((1, 4), np.float32), np.zeros(2, np.float32), 1)
    np.testing.assert_array_equal(labels_of(shown["label_map"][0]), label_map)


def test_chances_are_proportional_to_the_first_score_that_tells_cells_apart() -> None:
    everywhere, first = np.ones(3, dtype=bool), np.array([False, True, True])
    same, rising = np.full(3, 0.7), np.array([1.0, 2.0, 5.0])
    np.testing.assert_allclose(chances_of([rising], everywhere), [1 / 8, 2 / 8, 5 / 8])
    np.testing.assert_allclose(chances_of([same, rising], first), [0, 2 / 7, 5 / 7])
    np.testing.assert_allclose(chances_of([-rising], everywhere), [4 / 7, 3 / 7, 0])
    np.testing.assert_allclose(chances_of([same, same], first), [0, 1 / 2, 1 / 2])
    np.testing.assert_allclose(chances_of([rising], np.zeros(3, dtype=bool)), [1 / 8, 2 / 8, 5 / 8])


@pytest.mark.parametrize("name", NAMES)
def test_heat_maps_of_a_batch_are_those_of_each(name: str) -> None:
    views = [see(image) for image in np.random.default_rng(2).random((2, SIZE, SIZE, 3))]
    agent = make(name, side=6)  # the last cells are moved in, over others
    _, state = agent.predict(views[0])
    batch = {key: np.stack([view[key] for view in views]) for key in views[0]}
    maps = agent.heatmap(batch, np.repeat(state, 2, axis=0), np.array([False, True]))
    assert maps.shape == (2, SIZE, SIZE)
    np.testing.assert_allclose(maps.sum((1, 2)), 1, rtol=1e-5)
    np.testing.assert_array_equal(maps[0], agent.heatmap(views[0], state))
    np.testing.assert_array_equal(maps[1], agent.heatmap(views[1]))
