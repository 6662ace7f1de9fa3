"""A batch is its environments, one by one: compared with Gymnasium's own loop over single ones."""

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from same import assert_equal

from active_matting.environments import ENVIRONMENTS
from active_matting.envs.region_grid import RegionGridVectorEnv
from active_matting.envs.regions import RegionsEnv, RegionsVectorEnv
from active_matting.errors import ActiveMattingError, InvalidArgumentError, SolverFailedError
from active_matting.solvers.base import Matte
from active_matting.types import Image, LabelMap

SMALL: dict[str, Any] = {
    "data_kwargs": {"split": "validation", "count": 6, "size": 48},
    "image_size": 48,
    "region_size": 6,
    "budget": 3,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "two candidates": {"candidates": 2, "reward": "relative"},
    "errors and orders": {"annotator": "noisy", "annotator_kwargs": {"probability": 0.4}, "order": "epoch"},
    "another solver": {"solver": "closed-form", "candidates": 2},
}


def make(name: str, mode: str, count: int = 3, **options: Any) -> VectorEnv[Any, Any, Any]:
    return gymnasium.make_vec(f"active_matting:{name}", num_envs=count, autoreset_mode=mode, **{**SMALL, **options})


def make_singles(name: str, mode: str, count: int = 3, **options: Any) -> VectorEnv[Any, Any, Any]:
    how = {"autoreset_mode": AutoresetMode(mode)}
    arguments = {**SMALL, **options}
    return gymnasium.make_vec(
        f"active_matting:{name}", num_envs=count, vectorization_mode="sync", vector_kwargs=how, **arguments
    )


@pytest.mark.parametrize("mode", [mode.value for mode in AutoresetMode])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_batch_equals_single_environments_step_by_step(name: str, options: dict[str, Any], mode: str) -> None:
    batch, singles = make(name, mode, **options), make_singles(name, mode, **options)
    assert batch.observation_space == singles.observation_space
    assert batch.action_space == singles.action_space
    assert batch.metadata["autoreset_mode"] == AutoresetMode(mode)
    assert_equal(batch.reset(seed=5), singles.reset(seed=5))
    batch.action_space.seed(0)
    for step in range(1, 10):
        actions = batch.action_space.sample()
        returned = batch.step(actions)
        assert_equal(returned, singles.step(actions))
        assert all(each in batch.observation_space for each in [returned[0]])
        if mode == "Disabled" and step % 3 == 0:
            assert returned[2].all()
            # The first and the last only; the middle one after them.
            for mask in ([True, False, True], [False, True, False]):
                options_of_reset = [{"reset_mask": np.array(mask)} for _ in range(2)]
                assert_equal(batch.reset(options=options_of_reset[0]), singles.reset(options=options_of_reset[1]))
    assert_equal(batch.reset(seed=[7, None, 9]), singles.reset(seed=[7, None, 9]))  # type: ignore[arg-type]
    assert_equal(batch.reset(options={"index": 2}), singles.reset(options={"index": 2}))


def test_a_torch_solver_solves_the_batch_in_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    from active_matting.solvers.batched.batch import PreparedBatch

    sizes = []
    mattes = PreparedBatch.mattes

    def counting(self: PreparedBatch, labels: Any) -> Any:
        sizes.append(len(labels))
        return mattes(self, labels)

    monkeypatch.setattr(PreparedBatch, "mattes", counting)
    options: dict[str, Any] = {"solver": "closed-form-torch", "candidates": 2, "budget": 5, "protocol": "extended"}
    batch, singles = (of("ActiveMatting/Regions-v0", "NextStep", **options) for of in (make, make_singles))
    batch.reset(seed=1)
    singles.reset(seed=1)
    batch.action_space.seed(2)
    for _ in range(5):
        actions = batch.action_space.sample()
        sizes.clear()
        observations, rewards, *_ = batch.step(actions)
        assert sizes == [6]
        observations_of_singles, rewards_of_singles, *_ = singles.step(actions)
        np.testing.assert_allclose(rewards, rewards_of_singles, atol=1e-6)
        apart = np.abs(observations["matte"].astype(int) - observations_of_singles["matte"])
        assert apart.max() <= 1  # rounding to bytes
        assert (apart > 0).mean() < 1e-3


@dataclass(frozen=True)
class Fragile:
    """Alpha 0.25; but it fails for images whose first pixel's red is below `threshold` at so many labels."""

    limit: int
    threshold: float

    def warm_up(self) -> None:
        """Nothing is compiled."""

    def prepare(self, image: Image) -> "PreparedFragile":
        return PreparedFragile(image.shape[:2], self.limit if image[0, 0, 0] < self.threshold else image.size)


@dataclass(frozen=True)
class PreparedFragile:
    shape: tuple[int, int]
    limit: int

    def solve(self, label_map: LabelMap, previous: Matte | None = None) -> Matte:
        if np.count_nonzero(label_map) >= self.limit:
            raise FloatingPointError("a pivot vanished")
        return Matte(np.full(self.shape, 0.25, dtype=np.float32))

    def solve_many(self, label_maps: NDArray[np.int8]) -> NDArray[np.float32]:
        return np.stack([self.solve(label_map).alpha for label_map in label_maps])


@pytest.fixture
def fragile(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Arguments of an environment whose solver is `Fragile`."""
    monkeypatch.setattr("active_matting.envs.settings.make_solver", lambda name, **kwargs: Fragile(**kwargs))
    data = {"split": "validation", "count": 60, "size": 48}
    return {**SMALL, "data_kwargs": data, "solver": "fragile", "budget": 5, "protocol": "extended"}


CENTRES = np.array([[-0.9, -0.9], [0.9, 0.9], [-0.9, 0.9], [0.9, -0.9], [0, 0]], dtype=np.float32)
"""Of regions that do not overlap."""


def test_a_failing_solver_ends_its_own_episode_and_no_other(fragile: dict[str, Any]) -> None:
    sound = RegionsVectorEnv(4, **fragile, solver_kwargs={"limit": 1, "threshold": -1})
    sound.reset(seed=0)
    reds = np.array([sample.image[0, 0, 0] for sample in sound.samples])
    assert len(set(reds)) == 4
    victim, threshold = int(reds.argmin()), float(np.sort(reds)[:2].mean())
    batch = RegionsVectorEnv(4, **fragile, solver_kwargs={"limit": 3 * 36, "threshold": threshold})
    batch.reset(seed=0)
    name = batch.samples[victim].name
    for centre in CENTRES[:2]:
        _, _, terminated, truncated, infos = batch.step(np.tile(centre, (4, 1)))
        assert not (terminated | truncated).any()
        assert "error" not in infos
    _, rewards, terminated, truncated, infos = batch.step(np.tile(CENTRES[2], (4, 1)))
    assert not terminated.any()
    assert truncated.tolist() == infos["_error"].tolist() == [number == victim for number in range(4)]
    assert rewards[victim] == 0
    assert infos["error"][victim] == (
        f"solver 'fragile' failed on image {name!r} at query 3: FloatingPointError: a pivot vanished"
    )
    # The failed one begins anew, while the others go on.
    _, _, terminated, truncated, _ = batch.step(np.tile(CENTRES[3], (4, 1)))
    assert not (terminated | truncated).any()
    assert [len(each.interactions) for each in batch.sessions] == [0 if number == victim else 4 for number in range(4)]


def test_a_failure_is_raised_by_single_environments_and_by_batches_that_were_told_so(fragile: dict[str, Any]) -> None:
    kwargs = {"limit": 72, "threshold": 2}
    single = RegionsEnv(**fragile, solver_kwargs=kwargs)
    single.reset(seed=0)
    single.step(CENTRES[0])
    with pytest.raises(SolverFailedError, match=r"image 'validation-.*' at query 2: FloatingPointError") as told:
        single.step(CENTRES[1])
    assert isinstance(told.value.__cause__, FloatingPointError)
    with pytest.raises(ResetNeeded, match="call reset"):
        single.step(CENTRES[1])
    single.reset()
    single.step(CENTRES[0])

    batch = RegionsVectorEnv(2, **fragile, solver_kwargs=kwargs, solver_failure="raise")
    batch.reset(seed=0)
    batch.step(np.tile(CENTRES[0], (2, 1)))
    with pytest.raises(SolverFailedError, match="at query 2"):
        batch.step(np.tile(CENTRES[1], (2, 1)))


def test_a_single_environment_truncates_if_told_so(fragile: dict[str, Any]) -> None:
    single = RegionsEnv(**fragile, solver_kwargs={"limit": 36, "threshold": 2}, solver_failure="truncate")
    first, info_before = single.reset(seed=0)
    observation, reward, terminated, truncated, info = single.step(CENTRES[0])
    assert (reward, terminated, truncated) == (0, False, True)
    assert "at query 1" in info["error"]
    assert info["rmse"] == info_before["rmse"]
    np.testing.assert_array_equal(observation["matte"], first["matte"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_envs": 0}, "num_envs must be at least 1, got 0"),
        ({"num_envs": 2.0}, "num_envs must be an integer, got 2.0"),
        ({"num_envs": 2, "autoreset_mode": "never"}, "autoreset_mode must be one of"),
        ({"num_envs": 2, "render_mode": "human"}, "render_mode must be None or one of"),
        ({"num_envs": 2, "stride": 0}, "stride must be at least 1, got 0"),
    ],
)
def test_bad_arguments_fail_at_construction(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        RegionGridVectorEnv(**{**SMALL, **options})


def test_bad_seeds_masks_and_actions_are_refused() -> None:
    batch = RegionGridVectorEnv(2, **SMALL)
    with pytest.raises(InvalidArgumentError, match="seed must be one number or 2, got 3"):
        batch.reset(seed=[1, 2, 3])
    batch.reset(seed=0)
    for mask in ([True], [False, False], [1, 0]):
        with pytest.raises(InvalidArgumentError, match="reset_mask must be 2 booleans"):
            batch.reset(options={"reset_mask": np.array(mask)})
    with pytest.raises(ActiveMattingError, match="a cell must be from 0 to 63, got"):
        batch.step(np.array([0, 64]))
    assert [len(session.interactions) for session in batch.sessions] == [0, 0]


def test_a_batch_shows_what_its_environments_show() -> None:
    batch, single = RegionsVectorEnv(2, render_mode="ansi", **SMALL), RegionsEnv(render_mode="ansi", **SMALL)
    batch.reset(seed=4)
    single.reset(seed=5)
    shown = batch.render()
    assert shown is not None
    assert shown[1] == single.render()
    assert RegionsVectorEnv(2, **SMALL).render() is None
