"""Pictures, windows and texts of a loop in progress."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from active_matting.envs.region_grid import RegionGridEnv
from active_matting.envs.rendering import COLOUR_OF_LABEL
from active_matting.errors import InvalidArgumentError
from active_matting.types import Label

SMALL: dict[str, Any] = {
    "data_kwargs": {"split": "validation", "count": 6, "size": 60},
    "image_size": 60,
    "region_size": 10,
    "budget": 4,
}


def played(mode: str, queries: int = 3) -> RegionGridEnv:
    env = RegionGridEnv(render_mode=mode, mask="pure", **SMALL)
    _, info = env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(queries):
        *_, info = env.step(env.action_space.sample(mask=info["action_mask"]))
    return env


def test_a_picture_shows_image_matte_and_error_and_the_rewards_below() -> None:
    env = played("rgb_array")
    picture = env.render()
    assert picture.shape == (4 * 60 + 72, 3 * 4 * 60, 3)  # four times as large: 240 pixels
    assert picture.dtype == np.uint8
    alpha, truth = env.session.alpha, env.sample.alpha
    matte, error = picture[2:240:4, 242:480:4, 0], picture[2:240:4, 482:720:4, 0]
    np.testing.assert_array_equal(matte, np.floor(alpha * 255 + 0.5))
    np.testing.assert_array_equal(error, np.floor(np.abs(alpha - truth) * 255 + 0.5))
    for said in env.session.answers:
        assert tuple(picture[4 * said.region.top, 4 * said.region.left]) == COLOUR_OF_LABEL[said.label]
    strip = picture[240:]
    for number, reward in enumerate(env._loop.rewards):
        bar = strip[24:, round((number + 0.5) * 720 / 4)]
        colour = COLOUR_OF_LABEL[Label.FOREGROUND if reward >= 0 else Label.BACKGROUND]
        assert (bar == colour).all(axis=1).any()
    assert (strip[24:46, 630:] == 24).all()  # the fourth query was not asked yet


def test_pictures_have_one_size_all_along() -> None:
    env = RegionGridEnv(render_mode="rgb_array", **SMALL)
    env.reset(seed=0)
    sizes = {env.render().shape}
    for cell in range(4):
        env.step(cell)
        sizes.add(env.render().shape)
    assert len(sizes) == 1


def test_a_text_tells_figures_and_where_what_was_answered() -> None:
    env = played("ansi")
    figures, *rows = env.render().splitlines()
    loop = env._loop
    assert figures == (
        f"query 3/4  rmse {loop.rmse:.4f}  reward {loop.rewards[-1]:+.4f}  so far {sum(loop.rewards):+.4f}"
    )
    assert {len(row) for row in rows} == {50}
    for said in env.session.answers:
        letter = {Label.FOREGROUND: "F", Label.BACKGROUND: "B"}[said.label]
        assert rows[1 + said.region.y * 24 // 60][1 + said.region.x * 48 // 60] == letter


def test_without_a_mode_nothing_is_shown() -> None:
    env = RegionGridEnv(**SMALL)
    env.reset(seed=0)
    assert env.render() is None
    with pytest.raises(InvalidArgumentError, match=r"render_mode must be None or one of .*, got 'video'"):
        RegionGridEnv(render_mode="video", **SMALL)


def test_a_window_follows_by_itself_and_needs_no_screen() -> None:
    code = f"""
import matplotlib
matplotlib.use("Agg")
from matplotlib import pyplot
from active_matting.envs.region_grid import RegionGridEnv
env = RegionGridEnv(render_mode="human", **{SMALL!r})
env.metadata["render_fps"] = 1000
env.reset(seed=0)
(number,) = pyplot.get_fignums()
first = pyplot.figure(number).axes[0].images[0].get_array().copy()
env.step(7)
assert (pyplot.figure(number).axes[0].images[0].get_array() != first).any()
assert env.render() is None
env.close()
assert pyplot.get_fignums() == []
env.close()
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
