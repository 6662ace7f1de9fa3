"""The controller: what is said is kept at once, what was overtaken is dropped, and what fails is told in words."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from active_matting.agents.baselines.coverage import coverage_agent
from active_matting.data.images import read_alpha, read_cutout
from active_matting.data.rendered import Rendered
from active_matting.errors import FileError
from active_matting.files import read_json
from active_matting.labels import Skip
from active_matting.session import QuerySession
from active_matting.solvers import make_solver
from active_matting.solvers.base import Matte
from active_matting.types import Image, Label, LabelMap
from active_matting.widget.controller import Controller
from active_matting.widget.outputs import Outputs

SIZE = 40
SECONDS = 200  # longer than anything here takes on a busy machine


@dataclass
class Desk:
    """A controller and all that it told."""

    controller: Controller
    events: list[tuple[dict[str, Any], list[bytes]]]

    def say(self, do: str, **more: Any) -> None:
        self.controller.receive({"do": do, **more})

    def settle(self) -> None:
        with self.controller.idle():
            pass

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [event for event, _ in self.events if event["event"] == kind]

    def state(self) -> dict[str, Any]:
        return self.told("state")[-1]

    def picture(self, kind: str) -> NDArray[np.uint8]:
        png = [buffers[0] for event, buffers in self.events if event["event"] == kind][-1]
        return np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED), dtype=np.uint8)

    def wait_for(self, kind: str, count: int = 1) -> None:
        until = time.monotonic() + SECONDS
        while len(self.told(kind)) < count:
            assert time.monotonic() < until, (
                f"no {kind!r} came; there are {[event['event'] for event, _ in self.events]}"
            )
            time.sleep(0.002)


@dataclass(frozen=True)
class Gated:
    """A solver under the test's control: it waits for its gate, and raises where it is told to."""

    gate: threading.Event = field(default_factory=threading.Event)
    entered: threading.Event = field(default_factory=threading.Event)
    solved: list[LabelMap] = field(default_factory=list)
    fails_at: set[int] = field(default_factory=set)  # how many pixels are labelled then

    __hash__ = object.__hash__

    def prepare(self, image: Image) -> "PreparedGated":
        return PreparedGated(self, (image.shape[0], image.shape[1]))

    def warm_up(self) -> None:
        """It compiles nothing."""


@dataclass(frozen=True)
class PreparedGated:
    solver: Gated
    shape: tuple[int, int]

    def solve(self, label_map: LabelMap, previous: Matte | None = None) -> Matte:
        self.solver.entered.set()
        assert self.solver.gate.wait(SECONDS)
        self.solver.solved.append(label_map)
        if int((label_map != 0).sum()) in self.solver.fails_at:
            raise RuntimeError("the matrix is singular")
        return Matte(np.where(label_map == 1, 1, 0.25).astype(np.float32))

    def solve_many(self, label_maps: NDArray[np.int8]) -> NDArray[np.float32]:
        return np.stack([self.solve(label_map).alpha for label_map in label_maps])


def image() -> Image:
    return Rendered(split="test", count=1, size=SIZE)[0].image


def desk(solver: Any, folder: Path, agent: Any = "coverage", **kwargs: Any) -> Desk:
    chosen = coverage_agent() if agent == "coverage" else agent
    session = QuerySession(image(), solver, chosen, region_size=8, budget=5)
    events: list[tuple[dict[str, Any], list[bytes]]] = []
    made = Controller(
        session, lambda event, buffers: events.append((event, buffers)), outputs=Outputs.into(folder), **kwargs
    )
    return Desk(made, events)


@pytest.fixture
def gated(tmp_path: Path) -> Iterator[tuple[Gated, Desk]]:
    """An open gate, the start over."""
    solver = Gated()
    solver.gate.set()
    made = desk(solver, tmp_path / "out")
    made.settle()
    yield solver, made
    solver.gate.set()
    made.controller.close()


def test_it_shows_image_matte_and_where_it_asks(gated: tuple[Gated, Desk]) -> None:
    _, face = gated
    face.say("hello")
    np.testing.assert_array_equal(face.picture("image")[..., ::-1], np.floor(image() * 255 + 0.5).astype(np.uint8))
    assert face.picture("matte").shape == (SIZE, SIZE)
    state = face.state()
    assert state["asked"]["side"] == 8
    assert state["asked"]["number"] == 1
    assert (state["spent"], state["budget"], state["can_undo"], state["can_redo"]) == (0, 5, False, False)
    assert face.told("busy")[-1]["text"] == ""


def test_an_answer_is_kept_shown_and_followed_by_the_next_question(gated: tuple[Gated, Desk]) -> None:
    _, face = gated
    region = face.controller.asked
    assert region is not None
    face.say("answer", label="foreground", number=1)
    face.settle()
    assert face.picture("labels")[region.slices].tolist() == [[1] * 8] * 8
    assert face.picture("matte")[region.slices].tolist() == [[255] * 8] * 8
    assert face.state()["asked"]["number"] == 2
    assert face.controller.asked != region
    assert face.state()["counts"] == {"foreground": 1}
    assert face.state()["seconds_per_answer"] > 0
    assert {"solve", "matte", "suggestion"} <= face.state()["seconds"].keys()


def test_all_that_can_be_said(gated: tuple[Gated, Desk]) -> None:
    _, face = gated
    for do, more in (
        ("answer", {"label": "mixed"}), ("skip", {}), ("click", {"y": 3, "x": 4, "radius": 2, "label": "background"}),
        ("stroke", {"points": [[20, 1.6], [20, 30]], "radius": 1, "label": "foreground"}),
    ):  # fmt: skip
        face.say(do, **more)
        face.settle()
    assert not face.told("error")
    assert face.state()["counts"] == {"transition": 1, "skipped": 1, "clicks": 1, "strokes": 1}
    assert face.state()["spent"] == 3
    assert isinstance(face.controller.session.interactions[1], Skip)
    assert face.picture("labels")[3, 4] == 255
    assert face.picture("labels")[20, 2] == 1
    face.say("undo")
    face.say("undo")
    face.settle()
    assert not face.picture("labels").any()
    assert face.state()["can_redo"]
    face.say("redo")
    face.settle()
    assert face.picture("labels")[3, 4] == 255


def test_an_answer_to_a_question_that_is_over_goes_nowhere(gated: tuple[Gated, Desk]) -> None:
    _, face = gated
    face.say("answer", label="foreground", number=1)
    face.say("answer", label="foreground", number=1)  # the key was held, or the button hit twice
    face.settle()
    face.say("answer", label="background", number=1)
    face.settle()
    assert face.state()["counts"] == {"foreground": 1}


def test_a_newer_answer_is_kept_at_once_and_supersedes_an_older_solve(gated: tuple[Gated, Desk]) -> None:
    solver, face = gated
    solver.gate.clear()
    solver.entered.clear()
    solver.solved.clear()
    mattes = len(face.told("matte"))
    click = {"radius": 1, "label": "foreground"}
    face.say("click", y=5, x=5, **click)
    assert solver.entered.wait(SECONDS)  # the worker is inside the first solve
    started = time.monotonic()
    for x in (10, 15, 20):
        face.say("click", y=5, x=x, **click)
    assert time.monotonic() - started < 5  # nobody waited for the gate
    assert face.state()["counts"] == {"clicks": 4}
    assert [face.picture("labels")[5, x] for x in (5, 10, 15, 20)] == [1, 1, 1, 1]
    solver.gate.set()
    face.settle()
    assert len(face.told("matte")) == mattes + 1  # that of the newest state alone
    assert [face.picture("matte")[5, x] for x in (5, 10, 15, 20)] == [255] * 4
    assert len(solver.solved) == 2  # the first, which could not be stopped, and the last
    assert np.array_equal(solver.solved[-1], face.controller.session.label_map)
    face.say("undo")
    face.settle()
    assert face.picture("matte")[5, 20] == 64
    assert face.picture("matte")[5, 15] == 255


def test_undo_while_solving_leaves_no_matte_of_what_was_taken_back(gated: tuple[Gated, Desk]) -> None:
    solver, face = gated
    solver.gate.clear()
    solver.entered.clear()
    face.say("click", y=5, x=5, radius=1, label="foreground")
    assert solver.entered.wait(SECONDS)
    face.say("undo")
    face.say("click", y=30, x=30, radius=1, label="foreground")
    solver.gate.set()
    face.settle()
    assert (face.picture("matte")[5, 5], face.picture("matte")[30, 30]) == (64, 255)
    assert float(face.controller.session.alpha[5, 5]) == 0.25


def test_messages_from_many_threads_are_all_kept(gated: tuple[Gated, Desk]) -> None:
    _, face = gated

    def click(row: int) -> None:
        for column in range(20):
            face.say("click", y=row, x=column, radius=0, label="foreground")

    threads = [threading.Thread(target=click, args=(row,)) for row in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    face.settle()
    assert face.state()["counts"] == {"clicks": 80}
    assert face.picture("matte")[:4, :20].min() == 255
    assert not face.told("error")


def test_a_solver_that_raises_is_told_and_the_session_goes_on(gated: tuple[Gated, Desk]) -> None:
    solver, face = gated
    solver.fails_at.add(64)
    face.say("answer", label="foreground")
    face.settle()
    assert [event["text"] for event in face.told("error")] == ["Matting failed (RuntimeError): the matrix is singular"]
    assert face.state()["asked"] is None
    assert face.state()["can_undo"]
    face.say("click", y=0, x=0, radius=0, label="background")  # one more pixel, and it works again
    face.settle()
    assert len(face.told("error")) == 1
    assert face.state()["asked"] is not None
    face.say("export")
    face.wait_for("exported")


class Stubborn:
    """An agent that fails at the second question."""

    def __init__(self) -> None:
        self.asked = 0

    def predict(self, observation: Any, **_: Any) -> tuple[NDArray[np.float32], None]:
        self.asked += 1
        if self.asked == 2:
            raise ValueError("no idea")
        return np.zeros(2, np.float32), None


def test_an_agent_that_raises_is_told_and_the_person_may_draw(tmp_path: Path) -> None:
    face = desk(make_solver("random-walk"), tmp_path, Stubborn())
    face.settle()
    face.say("answer", label="foreground")
    face.settle()
    assert [event["text"] for event in face.told("error")] == ["Suggesting failed (ValueError): no idea"]
    assert face.state()["asked"] is None
    face.say("click", y=2, x=2, radius=1, label="background")
    face.settle()
    assert face.state()["asked"] is not None
    assert len(face.told("matte")) == 3
    face.controller.close()


def test_without_an_agent_one_draws(tmp_path: Path) -> None:
    face = desk(make_solver("random-walk"), tmp_path, None)
    face.say("answer", label="foreground")
    face.say("heatmap", on=True)
    face.say("click", y=2, x=2, radius=1, label="background")
    face.settle()
    assert not face.told("error")
    assert not face.state()["has_agent"]
    assert face.state()["counts"] == {"clicks": 1}
    face.controller.close()


def test_the_heat_map_follows_while_it_is_wanted(tmp_path: Path) -> None:
    face = desk(make_solver("random-walk"), tmp_path)
    face.settle()
    assert not face.told("heatmap")
    face.say("heatmap", on=True)
    face.settle()
    assert len(face.told("heatmap")) == 1
    assert face.picture("heatmap").max() == 255
    face.say("answer", label="foreground")
    face.settle()
    assert len(face.told("heatmap")) == 2
    face.say("heatmap", on=False)
    face.say("answer", label="background")
    face.settle()
    assert len(face.told("heatmap")) == 2
    face.controller.close()


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"do": "explode"}, "unknown message 'explode'"),
        ({}, "None failed (KeyError): 'do'"),
        ({"do": "click", "y": 1, "x": 1, "radius": -1, "label": "foreground"}, "radius must be from 0 to 80"),
        ({"do": "click", "y": 1, "x": 1, "radius": 1, "label": "purple"}, "unknown label 'purple'; choose from ["),
        ({"do": "click", "y": "here", "x": 1, "radius": 1, "label": "foreground"}, "'click' failed (ValueError)"),
        ({"do": "stroke", "points": [], "radius": 1, "label": "foreground"}, "a stroke must have at least one point"),
        ({"do": "undo"}, "there is nothing to undo"),
        ({"do": "redo"}, "there is nothing to redo"),
        ({"do": "fetch", "name": "../secret"}, "'../secret' is not among the exported files"),
        ({"do": "fetch", "name": "alpha.png"}, "cannot read"),
    ],
)
def test_what_makes_no_sense_is_told(gated: tuple[Gated, Desk], message: dict[str, Any], words: str) -> None:
    _, face = gated
    face.controller.receive(message)
    face.settle()
    (error,) = face.told("error")
    assert words in error["text"]
    assert face.controller.session.interactions == ()
    assert face.state()["asked"] is not None


def test_exported_files_are_what_the_session_has(tmp_path: Path) -> None:
    face = desk(make_solver("closed-form"), tmp_path / "new" / "folder")
    face.settle()
    face.say("answer", label="foreground")
    face.say("click", y=2, x=2, radius=2, label="background")
    face.say("export")
    face.wait_for("exported")
    session = face.controller.session
    paths = {Path(file["path"]).name: Path(file["path"]) for file in face.told("exported")[0]["files"]}
    assert list(paths) == ["cutout.png", "alpha.png", "labels.png", "session.json"]
    np.testing.assert_allclose(read_alpha(paths["alpha.png"]), session.alpha, atol=0.51 / 255)
    colours, alpha = read_cutout(paths["cutout.png"])
    np.testing.assert_array_equal(alpha, read_alpha(paths["alpha.png"]))
    np.testing.assert_allclose(colours, session.cutout()[..., :3], atol=0.51 / 255)
    assert set(np.unique(read_alpha(paths["labels.png"]) * 255).round()) == {0, 128, 255}
    again = QuerySession.load(paths["session.json"], image(), make_solver("closed-form"))
    np.testing.assert_array_equal(again.alpha, session.alpha)
    face.say("fetch", name="alpha.png")
    assert face.events[-1][1] == [paths["alpha.png"].read_bytes()]
    assert not list((tmp_path / "new" / "folder").glob(".*"))  # nothing temporary is left
    face.controller.close()


def test_a_photograph_is_exported_at_its_own_size(tmp_path: Path) -> None:
    photograph = Rendered(split="test", count=1, size=2 * SIZE)[0].image
    face = desk(make_solver("random-walk"), tmp_path, photograph=photograph)
    face.say("click", y=20, x=20, radius=3, label="foreground")
    face.say("click", y=2, x=2, radius=3, label="background")
    face.say("export")
    face.wait_for("exported")
    colours, alpha = read_cutout(tmp_path / "cutout.png")
    assert colours.shape == (80, 80, 3)
    assert read_alpha(tmp_path / "labels.png").shape == (80, 80)
    assert (alpha[40, 40], alpha[4, 4]) == (1, 0)
    face.controller.close()


def test_a_folder_that_cannot_be_written_is_told_and_the_next_export_works(
    gated: tuple[Gated, Desk], tmp_path: Path
) -> None:
    _, face = gated
    (tmp_path / "out").write_text("a file where the folder should be")
    face.say("answer", label="foreground")
    face.say("export")
    face.wait_for("error")
    face.settle()
    assert "cannot write" in face.told("error")[0]["text"]
    assert not face.state()["is_exporting"]
    (tmp_path / "out").unlink()
    face.say("export")
    face.wait_for("exported")
    assert read_json(tmp_path / "out" / "session.json")


def test_a_full_disk_is_told_and_the_next_export_works(
    gated: tuple[Gated, Desk], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, face = gated

    def full(path: Any, *_: Any) -> None:
        raise FileError(f"cannot write {path}: No space left on device")

    face.say("answer", label="foreground")
    with monkeypatch.context() as patch:
        patch.setattr("active_matting.widget.outputs.write_picture", full)
        face.say("done")
        face.wait_for("error")
        face.settle()
    assert face.told("error")[0]["text"].endswith("No space left on device")
    assert not face.told("finished")
    assert face.state()["counts"] == {"foreground": 1}
    face.say("done")
    face.wait_for("finished")
    assert (tmp_path / "out" / "cutout.png").exists()


def test_a_full_disk_while_saving_keeps_the_answer(gated: tuple[Gated, Desk], tmp_path: Path) -> None:
    _, face = gated
    (tmp_path / "file").write_text("")
    face.controller.session.autosave = tmp_path / "file" / "session.json"
    face.say("answer", label="foreground")
    face.settle()
    assert "cannot write" in face.told("error")[0]["text"]
    assert face.state()["counts"] == {"foreground": 1}
    assert face.picture("labels").any()
    assert face.state()["asked"]["number"] == 2


def test_done_without_a_word_writes_nothing(gated: tuple[Gated, Desk], tmp_path: Path) -> None:
    _, face = gated
    face.say("done")
    assert face.told("finished") == [{"event": "finished", "text": "Nothing was said, so nothing was written."}]
    assert not (tmp_path / "out").exists()


def test_names_that_could_not_hold_a_cutout_are_refused() -> None:
    with pytest.raises(FileError, match=r"cutout\.jpg must end in one of \.png"):
        Outputs(cutout=Path("cutout.jpg"))


def test_other_threads_use_the_session_while_nothing_is_computed(gated: tuple[Gated, Desk]) -> None:
    _, face = gated
    with face.controller.idle() as session:
        session.click(5, 5, 1, Label.FOREGROUND)
        assert float(session.alpha[5, 5]) == 1
    face.settle()
    assert face.picture("matte")[5, 5] == 255
    assert face.state()["counts"] == {"clicks": 1}


def test_what_comes_after_the_end_goes_nowhere(gated: tuple[Gated, Desk]) -> None:
    solver, face = gated
    solver.gate.clear()
    solver.entered.clear()
    face.say("click", y=5, x=5, radius=1, label="foreground")
    assert solver.entered.wait(SECONDS)
    mattes = len(face.told("matte"))
    threading.Timer(0.05, solver.gate.set).start()
    face.controller.close()
    face.say("click", y=5, x=6, radius=1, label="foreground")
    assert len(face.controller.session.interactions) == 1
    assert len(face.told("matte")) == mattes
