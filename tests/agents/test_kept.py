"""What a kept result is known by."""

from pathlib import Path

import pytest

from active_matting.agents import kept
from active_matting.agents.baselines.random_regions import RandomAgent
from active_matting.agents.kept import asked_by, needed_modules
from active_matting.agents.trained import save_agent, small_agent


def names(module: str) -> set[str]:
    return {path.name for path in needed_modules(module)[0]}


def test_an_agents_code_is_its_own_and_what_that_imports() -> None:
    module = RandomAgent.__module__
    assert module.rpartition(".")[2] + ".py" in names(module)
    assert {"trained.py", "policy.py", "location.py"} <= names("active_matting.agents.trained")
    assert not {"reinforce.py", "evaluate.py"} & names("active_matting.agents.trained")


def test_only_agents_that_load_weights_depend_on_them(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[tuple[Path, ...]] = []

    def listening(*paths: Path) -> str:
        hashed.append(paths)
        return ""

    monkeypatch.setattr(kept, "hash_of_code", listening)
    weights = Path(kept.__file__).parent / "weights"
    asked_by(RandomAgent(), "random")
    asked_by(small_agent(), "small")
    asked_by(small_agent(), "unknown")
    assert [[path for path in paths if weights in (path, path.parent)] for paths in hashed] == [
        [],
        [weights / "small"],
        [weights],
    ]


def test_an_agents_parameters_and_the_content_of_its_folder_count(tmp_path: Path) -> None:
    agent = small_agent()
    assert asked_by(agent, "small") != asked_by(agent, "small:other=1")
    for name in ("a", "b"):
        save_agent(agent, tmp_path / name / "agent")
    ours = asked_by(agent, str(tmp_path / "a" / "agent"))
    assert ours == asked_by(agent, str(tmp_path / "b" / "agent"))  # wherever it lies
    (tmp_path / "b" / "agent" / "config.json").write_text("{}")
    assert ours != asked_by(agent, str(tmp_path / "b" / "agent"))
