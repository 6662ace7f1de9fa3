"""Sessions on the disk: replayed whole, saved by themselves, refused where they are another's."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from test_session import Counting, Walker

from active_matting.data.images import write_image
from active_matting.errors import FileError
from active_matting.files import read_json, write_json
from active_matting.labels import Click, Interaction, RegionAnswer, Skip, Stroke, rasterise
from active_matting.regions import Region
from active_matting.session import QuerySession, Timing
from active_matting.solvers import make_solver
from active_matting.solvers.base import Matte
from active_matting.testing import made_up_image
from active_matting.types import Alpha, Image, Label, LabelMap

FOREGROUND, BACKGROUND, TRANSITION = Label.FOREGROUND, Label.BACKGROUND, Label.TRANSITION
IMAGE = made_up_image((14, 16))[0]
CENTRE, CORNER = Region(7, 8, 4), Region(2, 2, 4)

labels = st.sampled_from([FOREGROUND, BACKGROUND, TRANSITION, Label.UNLABELLED])
rows, columns = st.integers(2, 12), st.integers(2, 14)


class Remembering:
    """A solver whose alpha is the mean of its last one and of what is told, so that every answer leaves a trace."""

    remembers = True
    shape = IMAGE.shape[0], IMAGE.shape[1]

    def prepare(self, image: Image) -> "Remembering":
        return self

    def solve(self, label_map: LabelMap, previous: Matte | None = None) -> Matte:
        told = np.clip(label_map, 0, 1).astype(np.float32)
        return Matte(told if previous is None else np.float32(0.5) * (told + previous.alpha))

    def solve_many(self, label_maps: Any) -> Any:
        raise NotImplementedError


class Clock:
    """Tells what it is set to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def say(session: QuerySession, said: Interaction) -> None:
    match said:
        case RegionAnswer(region, label):
            session.answer(region, label)
        case Click(y, x, radius, label):
            session.click(y, x, radius, label)
        case Stroke(points, radius, label):
            session.stroke(points, radius, label)
        case Skip(region):
            session.skip(region)


def matte_of(interactions: list[Interaction], solver: Any) -> Alpha:
    """That of a new session, looked at once at the end."""
    session = QuerySession(IMAGE, solver, region_size=4)
    for said in interactions:
        say(session, said)
    return session.alpha


class Sessions(RuleBasedStateMachine):
    """Whatever is done to a session, it is what its interactions make of a new one."""

    @initialize(solver=st.sampled_from([make_solver("random-walk"), Remembering()]))
    def begin(self, solver: Any) -> None:
        self.solver = solver
        self.session = QuerySession(IMAGE, solver, Walker(), region_size=4)
        self.said: list[Interaction] = []
        self.undone: list[Interaction] = []

    def add(self, said: Interaction) -> None:
        say(self.session, said)
        self.said, self.undone = [*self.said, said], []

    @rule(y=rows, x=columns, label=labels)
    def answer(self, y: int, x: int, label: Label) -> None:
        self.add(RegionAnswer(Region(y, x, 4), label))

    @rule(label=labels)
    def answer_the_agent(self, label: Label) -> None:
        self.add(RegionAnswer(self.session.suggest(), label))

    @rule()
    def skip(self) -> None:
        region = self.session.suggest()
        self.session.skip()
        self.said, self.undone = [*self.said, Skip(region)], []

    @rule(y=rows, x=columns, label=labels)
    def click(self, y: int, x: int, label: Label) -> None:
        self.add(Click(y, x, 1, label))

    @rule(points=st.lists(st.tuples(rows, columns), min_size=1, max_size=3), label=labels)
    def stroke(self, points: list[tuple[int, int]], label: Label) -> None:
        self.add(Stroke(tuple(points), 0, label))

    @precondition(lambda self: self.said)
    @rule()
    def undo(self) -> None:
        self.session.undo()
        self.undone = [self.said.pop(), *self.undone]

    @precondition(lambda self: self.undone)
    @rule()
    def redo(self) -> None:
        self.session.redo()
        self.said.append(self.undone.pop(0))

    @rule()
    def save_and_load(self) -> None:
        path = Path(f"{os.environ['SESSIONS']}/session.json")
        self.session.save(path)
        loaded = QuerySession.load(path, IMAGE, self.solver, Walker())
        assert loaded.suggest() == self.session.suggest()
        self.session = loaded

    @rule()
    def look(self) -> None:
        np.testing.assert_array_equal(self.session.alpha, matte_of(self.said, self.solver))

    @invariant()
    def is_what_was_said(self) -> None:
        assert list(self.session.interactions) == self.said
        assert (self.session.can_undo, self.session.can_redo) == (bool(self.said), bool(self.undone))
        assert len(self.session.timings) == len(self.said)
        assert self.session.spent == sum(not isinstance(said, Skip) for said in self.said)
        np.testing.assert_array_equal(self.session.label_map, rasterise(self.said, IMAGE.shape[:2]))


def test_whatever_is_done_to_a_session_it_is_what_was_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESSIONS", str(tmp_path))
    how = settings(deadline=None, derandomize=True, max_examples=15, stateful_step_count=15)
    run_state_machine_as_test(Sessions, settings=how)


def test_what_was_undone_can_be_redone_after_loading(tmp_path: Path) -> None:
    session = QuerySession(IMAGE, Counting([]), Walker(), region_size=4)
    for label in (FOREGROUND, BACKGROUND, FOREGROUND):
        session.answer(session.suggest(), label)
    said = session.interactions
    session.undo()
    session.undo()
    session.save(tmp_path / "s.json")
    loaded = QuerySession.load(tmp_path / "s.json", IMAGE, Counting([]), Walker())
    assert loaded.interactions == said[:1]
    assert loaded.suggest() == said[1].region  # type: ignore[union-attr]
    loaded.redo()
    loaded.redo()
    assert loaded.interactions == said
    assert not loaded.can_redo


def test_every_change_is_saved_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "s.json"
    session = QuerySession(IMAGE, Counting([]), Walker(), region_size=4, autosave=path)
    assert not path.exists()  # nothing was said

    def saved() -> tuple[Interaction, ...]:
        return QuerySession.load(path, IMAGE, Counting([])).interactions

    session.answer(CENTRE, FOREGROUND)
    assert saved() == session.interactions
    session.click(2, 2, 1, BACKGROUND)
    session.stroke([(1, 1), (1, 9)], 0, BACKGROUND)
    assert saved() == session.interactions
    session.suggest()
    session.skip()
    assert saved() == session.interactions
    session.undo()
    session.undo()
    assert saved() == session.interactions
    session.redo()
    assert len(saved()) == 3
    assert [each.name for each in path.parent.iterdir()] == ["s.json"]  # and nothing half-written


def test_another_sessions_file_is_set_aside_not_overwritten(tmp_path: Path) -> None:
    path, before = tmp_path / "s.json", QuerySession(IMAGE, Counting([]), region_size=4)
    before.answer(CENTRE, FOREGROUND)
    before.save(path)
    again = QuerySession(IMAGE, Counting([]), region_size=4, autosave=path)  # as when a notebook's cell is run again
    again.answer(CORNER, BACKGROUND)
    assert QuerySession.load(path, IMAGE, Counting([])).interactions == again.interactions
    assert QuerySession.load(tmp_path / "s.json~", IMAGE, Counting([])).interactions == before.interactions

    resumed = QuerySession.load(path, IMAGE, Counting([]), autosave=path)
    resumed.answer(CENTRE, FOREGROUND)
    assert len(QuerySession.load(path, IMAGE, Counting([])).interactions) == 2
    assert QuerySession.load(tmp_path / "s.json~", IMAGE, Counting([])).interactions == before.interactions


def test_an_answer_outlives_the_process_that_took_it(tmp_path: Path) -> None:
    script = f"""
import os, numpy as np
from active_matting import QuerySession, make_solver
from active_matting.types import Label
image = np.zeros((20, 20, 3), np.float32)
session = QuerySession(image, make_solver("random-walk"), region_size=4, autosave={str(tmp_path / "s.json")!r})
session.answer(session.region_of((0, 0)), Label.FOREGROUND)
session.click(2, 3, 1, Label.BACKGROUND)
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    session = QuerySession.load(tmp_path / "s.json", np.zeros((20, 20, 3), np.float32), make_solver("random-walk"))
    assert [type(said) for said in session.interactions] == [RegionAnswer, Click]


def test_a_full_disk_is_told_and_what_was_said_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.json"
    session = QuerySession(IMAGE, Counting([]), Walker(), region_size=4, autosave=path)
    session.answer(CENTRE, FOREGROUND)
    kept = path.read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(Path, "write_text", full)
        changes: list[Callable[[], None]] = [partial(session.answer, CORNER, BACKGROUND), session.undo, session.redo]
        for change in changes:
            with pytest.raises(FileError, match=r"cannot write .*s\.json: No space left on device"):
                change()
        assert len(session.interactions) == 2
        assert session.alpha.shape == (14, 16)
        assert path.read_bytes() == kept
        assert len(list(tmp_path.iterdir())) == 1
    session.click(3, 3, 1, FOREGROUND)
    assert QuerySession.load(path, IMAGE, Counting([])).interactions == session.interactions
    assert len(session.interactions) == 3


def test_timings_are_of_person_and_solver_and_are_saved(tmp_path: Path) -> None:
    clock = Clock()

    class Slow(Counting):
        def _solve(self, label_map: LabelMap, previous: Matte | None) -> Matte:
            clock.now += 0.25
            return Counting._solve(self, label_map, previous)

    session = QuerySession(IMAGE, Slow([]), Walker(), region_size=4)
    session.clock = clock
    region = session.suggest()
    clock.now += 3
    session.suggest()  # looked at again
    clock.now += 2
    session.answer(region, FOREGROUND)
    clock.now += 100
    session.click(2, 2, 1, BACKGROUND)
    assert session.alpha.any()
    session.suggest()
    clock.now += 7
    session.skip()
    session.answer(CORNER, BACKGROUND)  # which nobody suggested
    assert [each.person for each in session.timings] == [5, None, 7, None]
    assert session.timings[1].solve == 0.25
    assert session.timings[3].solve is None  # nobody has looked
    session.save(tmp_path / "s.json")

    loaded = QuerySession.load(tmp_path / "s.json", IMAGE, Slow([]), Walker())
    assert loaded.timings == session.timings
    assert loaded.alpha.any()
    assert loaded.timings[1] == Timing(None, 0.25)
    session.undo()
    assert len(session.timings) == 3


def test_nothing_that_replays_depends_on_the_clock(tmp_path: Path) -> None:
    sessions = [QuerySession(IMAGE, make_solver("random-walk"), Walker(), region_size=4) for _ in range(2)]
    sessions[1].clock = iter(range(0, 10**6, 977)).__next__
    for label in (FOREGROUND, BACKGROUND, TRANSITION):
        for session in sessions:
            session.answer(session.suggest(), label)
    for first, second in zip(*(session.observation().values() for session in sessions), strict=True):
        np.testing.assert_array_equal(first, second)
    assert sessions[0].interactions == sessions[1].interactions


def test_the_file_says_of_what_image_by_what_solver_and_agent(tmp_path: Path) -> None:
    write_image(tmp_path / "photo.png", IMAGE)
    agent = Walker()
    agent.made_as = {"name": "walker", "seed": 3, "kwargs": {}, "version": "9"}  # type: ignore[attr-defined]
    solver = make_solver("random-walk", sigma=0.05)
    session = QuerySession(IMAGE, solver, agent, region_size=4, image_path=tmp_path / "photo.png")
    session.save(tmp_path / "s.json")
    told = read_json(tmp_path / "s.json")
    assert told["format"] == 2
    assert told["image"]["path"] == str(tmp_path / "photo.png")
    assert told["image"]["shape"] == [14, 16]
    assert len(told["image"]["sha256"]) == len(told["image"]["file_sha256"]) == 64
    assert (told["solver"]["name"], told["solver"]["kwargs"]["sigma"]) == ("random-walk", 0.05)
    assert told["agent"] == {"name": "walker", "seed": 3, "kwargs": {}, "version": "9"}

    QuerySession(IMAGE, Counting([]), Walker(), region_size=4).save(tmp_path / "s.json")
    told = read_json(tmp_path / "s.json")
    assert (told["solver"], told["agent"], told["image"]["path"]) == (None, None, None)


def test_other_pixels_of_the_same_shape_are_refused(tmp_path: Path) -> None:
    session = QuerySession(IMAGE, Counting([]), region_size=4)
    session.save(tmp_path / "s.json")
    other = IMAGE.copy()
    other[3, 4, 1] = 1 - np.round(other[3, 4, 1])
    with pytest.raises(FileError, match=r"another image of the same shape: SHA-256 of its pixels [0-9a-f]{64}, got"):
        QuerySession.load(tmp_path / "s.json", other, Counting([]))


def test_a_file_of_format_1_still_loads(tmp_path: Path) -> None:
    said = [
        {"kind": "region", "centre": [7, 8], "side": 4, "label": "foreground"},
        {"kind": "click", "centre": [2, 2], "radius": 1, "label": "background"},
    ]
    content = {"format": 1, "shape": [14, 16], "region_size": 4, "budget": 7, "protocol": "paper"}
    write_json(tmp_path / "s.json", {**content, "interactions": said, "asked": [True, False]})
    session = QuerySession.load(tmp_path / "s.json", IMAGE, Counting([]), Walker())
    assert session.interactions == (RegionAnswer(CENTRE, FOREGROUND), Click(2, 2, 1, BACKGROUND))
    assert (session.budget, session.region_size) == (7, 4)
    assert session.timings[0].person is None
    session.save(tmp_path / "s.json")
    assert read_json(tmp_path / "s.json")["asked"] == [True, False]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("image",), None),
        (("image", "shape"), [14]),
        (("image", "shape"), [0, -3]),
        (("image", "colour"), "red"),
        (("undone",), {}),
        (("undone", "interactions"), [{"kind": "lasso"}]),
        (("timings",), []),
        (("timings",), [{"lunch": 3600}]),
        (("asked",), []),
    ],
)
def test_a_broken_file_is_refused_in_words(tmp_path: Path, path: tuple[str, ...], value: Any) -> None:
    session = QuerySession(IMAGE, Counting([]), region_size=4)
    session.answer(CENTRE, FOREGROUND)
    session.save(tmp_path / "s.json")
    content = json.loads((tmp_path / "s.json").read_text())
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    write_json(tmp_path / "s.json", content)
    with pytest.raises(FileError, match=r"s\.json is not a whole session: "):
        QuerySession.load(tmp_path / "s.json", IMAGE, Counting([]))
