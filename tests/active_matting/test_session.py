"""The interactive loop: what is asked, said, taken back, saved and replayed."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from active_matting.errors import FileError, InvalidArgumentError, InvalidArrayError
from active_matting.files import read_json, write_json
from active_matting.labels import Click, Interaction, RegionAnswer, Stroke
from active_matting.observations import Observation
from active_matting.regions import Region
from active_matting.session import QuerySession
from active_matting.solvers import Matte, make_solver
from active_matting.solvers.base import PreparedClassical
from active_matting.testing import made_up_image
from active_matting.types import Image, Label, LabelMap

FOREGROUND, BACKGROUND, TRANSITION = Label.FOREGROUND, Label.BACKGROUND, Label.TRANSITION

IMAGE = made_up_image((30, 40))[0]
CENTRE, CORNER, SIDE = Region(15, 20, 6), Region(3, 3, 6), Region(15, 36, 6)


@dataclass(frozen=True)
class Counting:
    """Alpha is the share of foreground among the labelled pixels; counts how often it is asked to solve."""

    solved: list[LabelMap]

    def prepare(self, image: Image) -> PreparedClassical:
        return PreparedClassical(image.shape[:2], self._solve)

    def _solve(self, label_map: LabelMap, previous: Matte | None) -> Matte:
        self.solved.append(label_map)
        share = (label_map == FOREGROUND).sum() / (np.abs(label_map) == 1).sum()
        return Matte(np.full(label_map.shape, share, dtype=np.float32))


class Walker:
    """An agent whose memory is the number of its calls, by which it moves right along a row."""

    def predict(
        self,
        observation: Observation,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[np.float32], int]:
        assert episode_start is not None
        assert bool(episode_start[0]) == (state is None)
        calls = 0 if state is None else int(state)
        return np.array([0, -0.8 + 0.2 * calls], dtype=np.float32), calls + 1


def session_with(agent: Any = None, **settings: Any) -> QuerySession:
    return QuerySession(IMAGE, Counting([]), agent, region_size=6, **settings)


def columns(session: QuerySession, count: int) -> list[int]:
    """The columns of `count` suggestions, each answered."""
    asked = []
    for _ in range(count):
        region = session.suggest()
        asked.append(region.x)
        session.answer(region, FOREGROUND)
    return asked


def test_suggesting_answering_and_solving_lead_to_a_matte() -> None:
    session = QuerySession(IMAGE, make_solver("random-walk"), Walker(), region_size=6)
    assert (session.alpha == 0.5).all()
    region = session.suggest()
    assert region == session.region_of((0, -0.8))
    session.answer(region, BACKGROUND)
    session.answer(CENTRE, FOREGROUND)
    assert session.interactions == (RegionAnswer(region, BACKGROUND), RegionAnswer(CENTRE, FOREGROUND))
    assert (session.alpha[region.slices] == 0).all()
    assert (session.alpha[CENTRE.slices] == 1).all()
    assert session.alpha[0, 0] < 0.5


def test_each_state_is_solved_once_and_only_when_it_is_looked_at() -> None:
    solver = Counting([])
    session = QuerySession(IMAGE, solver, region_size=6)
    session.answer(CENTRE, FOREGROUND)
    session.answer(CORNER, BACKGROUND)
    assert len(solver.solved) == 0
    for _ in range(3):
        assert session.alpha[0, 39] == 0.5
    session.answer(SIDE, TRANSITION)
    assert session.matte.alpha[0, 39] == 0.5
    session.undo()
    session.redo()
    assert session.alpha[0, 39] == 0.5
    assert len(solver.solved) == 1


def test_an_undone_answer_is_forgotten_and_redone_whole() -> None:
    session = session_with()
    session.answer(CENTRE, FOREGROUND)
    before, alpha = session.label_map.copy(), session.alpha.copy()
    session.click(2, 2, radius=2, label=BACKGROUND)
    after = session.label_map.copy()
    session.undo()
    np.testing.assert_array_equal(session.label_map, before)
    np.testing.assert_array_equal(session.alpha, alpha)
    assert len(session.interactions) == 1
    session.redo()
    np.testing.assert_array_equal(session.label_map, after)
    assert session.interactions[-1] == Click(2, 2, 2, BACKGROUND)


def test_a_new_answer_after_an_undo_leaves_nothing_to_redo() -> None:
    session = session_with()
    session.answer(CENTRE, FOREGROUND)
    session.answer(CORNER, BACKGROUND)
    session.undo()
    session.answer(SIDE, BACKGROUND)
    with pytest.raises(InvalidArgumentError, match="there is nothing to redo"):
        session.redo()
    assert session.interactions == (RegionAnswer(CENTRE, FOREGROUND), RegionAnswer(SIDE, BACKGROUND))
    assert not session.label_map[CORNER.slices].any()


def test_there_is_nothing_to_undo_or_redo_at_the_start() -> None:
    session = session_with()
    with pytest.raises(InvalidArgumentError, match="there is nothing to undo"):
        session.undo()
    with pytest.raises(InvalidArgumentError, match="there is nothing to redo"):
        session.redo()


def test_suggesting_twice_does_not_move_the_agents_memory_on() -> None:
    session = session_with(Walker())
    assert session.suggest() == session.suggest()
    first = columns(session, 3)
    assert first == sorted(set(first))
    assert first == columns(session_with(Walker()), 3)


def test_undo_rolls_the_agents_memory_back_and_redo_forward() -> None:
    session = session_with(Walker())
    one, two, three = columns(session, 3)
    session.undo()
    session.undo()
    assert session.suggest().x == two
    session.redo()
    assert session.suggest().x == three
    session.undo()
    session.undo()
    assert session.suggest().x == one
    session.answer(CENTRE, FOREGROUND)
    assert session.suggest().x == two


def test_a_suggestion_that_was_undone_is_not_remembered() -> None:
    session = session_with(Walker())
    one, two = columns(session, 2)
    session.suggest()
    session.undo()
    session.answer(CENTRE, BACKGROUND)  # said without asking again
    assert session.suggest().x == two
    assert one < two


def test_loading_replays_labels_matte_and_memory(tmp_path: Path) -> None:
    solver = make_solver("random-walk")
    session = QuerySession(IMAGE, solver, Walker(), region_size=6, budget=7, protocol="extended")
    session.answer(session.suggest(), BACKGROUND)
    session.answer(session.suggest(), TRANSITION)
    session.suggest()
    session.click(15, 20, radius=3, label=FOREGROUND)
    session.suggest()
    session.stroke([(29, 0), (29, 39)], radius=1, label=BACKGROUND)
    session.save(tmp_path / "session.json")

    loaded = QuerySession.load(tmp_path / "session.json", IMAGE, solver, Walker())
    assert loaded.interactions == session.interactions
    assert (loaded.region_size, loaded.budget, loaded.protocol) == (6, 7, "extended")
    np.testing.assert_array_equal(loaded.label_map, session.label_map)
    np.testing.assert_array_equal(loaded.alpha, session.alpha)
    assert loaded.suggest() == session.suggest()
    loaded.undo()
    session.undo()
    np.testing.assert_array_equal(loaded.alpha, session.alpha)
    assert loaded.suggest() == session.suggest()


@pytest.mark.parametrize("protocol", ["paper", "extended"])
def test_no_answer_costs_a_query_and_changes_nothing_else(tmp_path: Path, protocol: str) -> None:
    solver = Counting([])
    session = QuerySession(IMAGE, solver, region_size=6, budget=4, protocol=protocol)
    session.answer(CENTRE, FOREGROUND)
    session.answer(CORNER, BACKGROUND)
    labels, alpha, solved = session.label_map, session.alpha, len(solver.solved)
    session.answer(CENTRE, Label.UNLABELLED)
    np.testing.assert_array_equal(session.label_map, labels)
    assert session.alpha is alpha
    assert len(solver.solved) == solved
    assert session.interactions[-1] == RegionAnswer(CENTRE, Label.UNLABELLED)
    assert session.observation()["remaining"] == 0.25
    session.save(tmp_path / "session.json")
    loaded = QuerySession.load(tmp_path / "session.json", IMAGE, Counting([]))
    assert loaded.interactions == session.interactions
    np.testing.assert_array_equal(loaded.label_map, labels)
    session.undo()
    assert len(session.interactions) == 2


def test_what_was_undone_is_not_saved(tmp_path: Path) -> None:
    session = session_with()
    session.answer(CENTRE, FOREGROUND)
    session.answer(CORNER, BACKGROUND)
    session.undo()
    session.save(tmp_path / "session.json")
    assert QuerySession.load(tmp_path / "session.json", IMAGE, Counting([])).interactions == session.interactions


def test_a_preview_is_what_the_answer_leads_to() -> None:
    session = QuerySession(IMAGE, make_solver("random-walk"), region_size=6)
    session.answer(CENTRE, FOREGROUND)
    possible: list[Interaction] = [
        RegionAnswer(CORNER, BACKGROUND),
        RegionAnswer(SIDE, TRANSITION),
        Click(20, 5, 3, BACKGROUND),
        Stroke(((2, 2), (2, 30)), 1, BACKGROUND),
    ]
    alphas = session.preview(possible)
    assert alphas.shape == (4, 30, 40)
    assert len(session.interactions) == 1
    for interaction, alpha in zip(possible, alphas, strict=True):
        match interaction:
            case RegionAnswer(region, label):
                session.answer(region, label)
            case Click(y, x, radius, label):
                session.click(y, x, radius, label)
            case Stroke(points, radius, label):
                session.stroke(points, radius, label)
        np.testing.assert_array_equal(session.alpha, alpha)
        session.undo()


def test_an_alpha_told_by_a_preview_is_not_solved_again() -> None:
    solver = Counting([])
    session = QuerySession(IMAGE, solver, region_size=6)
    session.answer(CENTRE, FOREGROUND)
    (alpha,) = session.preview([RegionAnswer(CORNER, BACKGROUND)])
    session.answer(CORNER, BACKGROUND, alpha=alpha)
    assert session.alpha is alpha
    assert len(solver.solved) == 1


@pytest.mark.parametrize(("protocol", "value"), [("paper", 0), ("extended", 2)])
def test_a_transition_answer_is_recorded_under_the_extended_protocol_only(protocol: str, value: int) -> None:
    session = session_with(protocol=protocol)
    session.answer(CENTRE, TRANSITION)
    assert (session.label_map[CENTRE.slices] == value).all()
    assert session.interactions == (RegionAnswer(CENTRE, TRANSITION),)  # it was asked all the same


def test_an_observation_tells_what_was_asked_and_what_is_left() -> None:
    session = session_with(budget=4)
    first = session.observation()
    assert first["location"].tolist() == [0, 0]
    assert first["remaining"].tolist() == [1]
    session.answer(CORNER, BACKGROUND)
    session.click(15, 20, radius=0, label=FOREGROUND)
    second = session.observation()
    assert session.region_of(second["location"]) == CORNER
    assert second["remaining"].tolist() == [0.5]
    assert second["label_map"][0, 3, 3] == 0
    assert second["label_map"][0, 15, 20] == 255
    assert second["label_map"][0, 29, 39] == 128
    assert second["matte"].shape == (1, 30, 40)
    assert second["image"].shape == (3, 30, 40)
    for _ in range(5):
        session.answer(CORNER, BACKGROUND)
    assert session.observation()["remaining"].tolist() == [0]


def test_an_answer_to_a_region_that_is_not_inside_is_refused_and_nothing_was_said() -> None:
    session = session_with()
    with pytest.raises(InvalidArgumentError, match="must lie inside the image"):
        session.answer(Region(0, 0, 6), FOREGROUND)
    assert session.interactions == ()


@pytest.mark.parametrize("label", [7, "foreground", None, 0.5])
def test_labels_that_are_none_are_refused_and_nothing_was_said(label: Any) -> None:
    session = session_with()
    allowed = re.escape(f"label must be one of -1 background, 0 unlabelled, 1 foreground, 2 transition, got {label!r}")
    with pytest.raises(InvalidArgumentError, match=allowed):
        session.answer(CENTRE, label)
    with pytest.raises(InvalidArgumentError, match=allowed):
        session.click(10, 10, 2, label)
    with pytest.raises(InvalidArgumentError, match=allowed):
        session.stroke([(10, 10), (12, 12)], 2, label)
    assert session.interactions == ()


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=r"region_size must be from 1 to 30 .* got 31"):
        QuerySession(IMAGE, Counting([]), region_size=31)
    with pytest.raises(InvalidArgumentError, match="budget must be at least 1 query, got 0"):
        session_with(budget=0)
    with pytest.raises(InvalidArgumentError, match="protocol must be one of"):
        session_with(protocol="dug")
    with pytest.raises(InvalidArrayError, match=r"image must have shape \(H, W, 3\)"):
        QuerySession(IMAGE[..., 0], Counting([]))


def test_suggesting_needs_an_agent() -> None:
    with pytest.raises(InvalidArgumentError, match=r"suggest\(\) needs an agent, got none; pass one as"):
        session_with().suggest()


def test_a_file_that_is_no_session_of_this_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    with pytest.raises(FileError, match=f"cannot read {path}"):
        QuerySession.load(path, IMAGE, Counting([]))
    write_json(path, {"format": 99})
    with pytest.raises(FileError, match=f"{path} is not a session of format 1"):
        QuerySession.load(path, IMAGE, Counting([]))
    session_with().save(path)
    with pytest.raises(FileError, match=r"belongs to an image of shape \[30, 40\], got \(20, 40\)"):
        QuerySession.load(path, IMAGE[:20], Counting([]))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("protocol", "dug"),
        ("budget", 0),
        ("budget", "many"),
        ("region_size", 99),
        ("interactions", [{"kind": "lasso", "label": "foreground"}]),
        ("interactions", [{"kind": "region", "centre": [0, 0], "side": 6, "label": "foreground"}]),
        ("interactions", 3),
        ("interactions", None),
    ],
)
def test_a_session_file_with_a_wrong_entry_is_refused(tmp_path: Path, key: str, value: Any) -> None:
    path = tmp_path / "session.json"
    session_with().save(path)
    write_json(path, {**read_json(path), key: value})
    with pytest.raises(FileError, match=f"{path} is not a whole session: "):
        QuerySession.load(path, IMAGE, Counting([]))
