"""The environments' page says what the docstrings say, and the docstrings what there is."""

import inspect
from dataclasses import fields
from pathlib import Path

import gymnasium
import pytest

from active_matting.environments import ENVIRONMENTS
from active_matting.envs.document import document
from active_matting.envs.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "environments.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == document(), (
        "run python -m active_matting.envs.document docs/environments.md"
    )


def test_every_argument_is_explained() -> None:
    page = document()
    for each in fields(Settings):
        (row,) = (line for line in page.splitlines() if line.startswith(f"| `{each.name}` |"))
        assert len(row.split("|")[3].strip()) > 20


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_docstring_has_every_section_and_names_every_key(name: str) -> None:
    env = gymnasium.make(f"active_matting:{name}", image_size=40, region_size=4, data_kwargs={"size": 40}).unwrapped
    text = inspect.getdoc(type(env)) or ""
    sections = ["Action space", "Observation space", "Reward", "Starting state", "Episode end", "Info", "Arguments"]
    places = [text.index(f"## {section}\n") for section in [*sections, "Versions"]]
    assert places == sorted(places)
    for key in env.observation_space:  # type: ignore[attr-defined]
        assert f"`{key}`" in text
    env.reset(seed=0)
    *_, info = env.step(env.action_space.sample())
    for key in info:
        assert f"`{key}`" in text or f'info["{key}"]' in text
