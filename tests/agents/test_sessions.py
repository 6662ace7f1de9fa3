"""Sessions opened by what their files say."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from active_matting.agents import load_agent, make_agent
from active_matting.agents.sessions import open_session
from active_matting.annotators import ExactAnnotator
from active_matting.data.images import read_image, write_image
from active_matting.data.rendered import Rendered
from active_matting.errors import FileError, UnknownNameError
from active_matting.full_size import shrink
from active_matting.session import QuerySession
from active_matting.solvers import SOLVERS, describe, make_solver
from active_matting.types import Label

SAMPLE = Rendered(split="validation", count=1, size=60)[0]


def begin(tmp_path: Path, solver: str = "random-walk", agent: Any = None, longest: int = 60) -> QuerySession:
    """A session of a photograph in a folder."""
    write_image(tmp_path / "photo.png", SAMPLE.image)
    image = shrink(read_image(tmp_path / "photo.png"), longest)
    return QuerySession(image, make_solver(solver), agent, region_size=6, image_path=tmp_path / "photo.png")


def rewrite(file: Path, part: str, **changes: Any) -> None:
    content = json.loads(file.read_text())
    content[part].update(changes)
    file.write_text(json.dumps(content))


@pytest.mark.parametrize("solver", ["shared", "segment-then-matte", "imatting"])
def test_a_session_is_opened_to_the_same_matte_and_the_same_next_question(tmp_path: Path, solver: str) -> None:
    session = begin(tmp_path, solver, load_agent("spatial", cells=10))
    annotator = ExactAnnotator(SAMPLE.alpha)
    for number in range(6):
        region = session.suggest()
        if number == 2:
            session.skip()
            session.stroke([(3, 3), (3, 30)], 1, Label.BACKGROUND)
        session.answer(region, annotator.answer(region))
        if number % 2:
            assert session.alpha.shape == (60, 60)
    session.undo()
    session.save(tmp_path / "s.json")
    opened = open_session(tmp_path / "s.json")
    assert opened.interactions == session.interactions
    np.testing.assert_array_equal(opened.alpha, session.alpha)
    assert opened.suggest() == session.suggest()
    opened.redo()
    session.redo()
    np.testing.assert_array_equal(opened.alpha, session.alpha)
    assert opened.solver == session.solver
    opened.save(tmp_path / "again.json")
    first, again = (json.loads((tmp_path / name).read_text()) for name in ("s.json", "again.json"))
    assert first["agent"] == again["agent"]
    assert first["image"] == again["image"]


@pytest.mark.parametrize("name", SOLVERS.names())
def test_every_solver_describes_itself(name: str) -> None:
    solver = make_solver(name)
    told = describe(solver)
    assert told is not None
    assert told["name"] == name
    assert make_solver(name, **json.loads(json.dumps(told["kwargs"]))) == solver


def test_what_is_not_in_the_table_describes_nothing() -> None:
    class Own:
        def prepare(self, image: Any) -> Any:
            raise NotImplementedError

    assert describe(Own()) is None


def test_an_agent_remembers_how_it_was_made(tmp_path: Path) -> None:
    agent: Any = make_agent("coverage:colour=0.5", seed=4, side=6)
    assert {**agent.made_as, "version": None} == {
        "name": "coverage:colour=0.5",
        "seed": 4,
        "kwargs": {"side": 6},
        "version": None,
    }
    session = begin(tmp_path, agent=agent)
    first = session.suggest()
    session.save(tmp_path / "s.json")
    assert open_session(tmp_path / "s.json").suggest() == first


def test_a_session_at_working_size_is_opened_from_its_photograph(tmp_path: Path) -> None:
    session = begin(tmp_path, longest=30)
    session.click(4, 4, 2, Label.FOREGROUND)
    session.save(tmp_path / "s.json")
    assert open_session(tmp_path / "s.json").shape == (30, 30)
    given = open_session(tmp_path / "s.json", read_image(tmp_path / "photo.png"))
    np.testing.assert_array_equal(given.image, session.image)


def test_photograph_and_session_may_move_together(tmp_path: Path) -> None:
    session = begin(tmp_path)
    session.save(tmp_path / "s.json")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("photo.png", "s.json"):
        (tmp_path / name).rename(elsewhere / name)
    assert open_session(elsewhere / "s.json").shape == session.shape


def test_a_session_goes_on_saving_itself(tmp_path: Path) -> None:
    begin(tmp_path).save(tmp_path / "s.json")
    opened = open_session(tmp_path / "s.json", autosave=tmp_path / "s.json")
    opened.click(4, 4, 2, Label.FOREGROUND)
    assert open_session(tmp_path / "s.json").interactions == opened.interactions
    assert sorted(each.name for each in tmp_path.iterdir()) == ["photo.png", "s.json"]


def test_a_photograph_that_changed_is_refused(tmp_path: Path) -> None:
    begin(tmp_path).save(tmp_path / "s.json")
    write_image(tmp_path / "photo.png", 1 - SAMPLE.image)
    with pytest.raises(FileError, match=r"photo\.png is not the file that .*s\.json is of: SHA-256 [0-9a-f]{64}, got"):
        open_session(tmp_path / "s.json")
    with pytest.raises(FileError, match="another image of the same shape"):
        open_session(tmp_path / "s.json", 1 - SAMPLE.image)
    (tmp_path / "photo.png").unlink()
    with pytest.raises(FileError, match=r"photo\.png"):
        open_session(tmp_path / "s.json")


def test_another_version_is_warned_of(tmp_path: Path) -> None:
    begin(tmp_path, agent=make_agent("random")).save(tmp_path / "s.json")
    rewrite(tmp_path / "s.json", "solver", version="0.0.1")
    with pytest.warns(UserWarning, match=r"'random-walk' of version 0\.0\.1, installed is .*the matte may be another"):
        open_session(tmp_path / "s.json")
    rewrite(tmp_path / "s.json", "agent", version=None)
    with pytest.warns(UserWarning, match="'random' of version None"):
        open_session(tmp_path / "s.json", solver=make_solver("random-walk"))


def test_what_the_file_does_not_name_has_to_be_given(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    begin(tmp_path).save(path)
    rewrite(path, "image", path=None)
    with pytest.raises(FileError, match="does not say where its image lies"):
        open_session(path)
    image = read_image(tmp_path / "photo.png")
    rewrite(path, "solver", name="knnn")
    with pytest.raises(UnknownNameError, match="knnn"):
        open_session(path, image)
    rewrite(path, "solver", name=3)
    with pytest.raises(FileError, match="names nothing"):
        open_session(path, image)
    path.write_text(json.dumps({**json.loads(path.read_text()), "solver": None}))
    with pytest.raises(FileError, match="does not name its solver"):
        open_session(path, image)
    assert open_session(path, image, solver=make_solver("random-walk"), agent=make_agent("random")).agent is not None
