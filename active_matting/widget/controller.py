"""The session's face without a face: messages come in, events go out, and a worker solves beside them.

A message is a dict; its "do" says what: "hello" (show everything), "answer" with a "label" and the "number" of the
asked region, "skip" with that "number"; "click" with "y", "x", "radius", "label"; "stroke" with "points", "radius",
"label"; "undo"; "redo"; "heatmap" with "on"; "export"; "fetch" with the "name" of an exported file; "done" (export
where anything was said, then end). Labels are those of `active_matting.types.Label` in lower case, or "mixed"; places
are `(y, x)` in pixels of the session's image.

An event is a dict whose "event" says what, and buffers. "image", "labels", "matte", "heatmap" have one, a PNG (see
`active_matting.widget.pictures`), "file" the file; "state" is what a person is told, see `active_matting.widget.state`,
with what is "asked", the "gain" to be expected and whether that is "enough"; "busy" has a "text", empty where nothing
is being computed; "exported" the "files"; "error" a "text"; "finished" comes last.
"""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from time import perf_counter
from typing import Any, TypeAlias

from active_matting.errors import FileError, InvalidArgumentError
from active_matting.full_size import matte_at_full_size
from active_matting.regions import Region
from active_matting.session import QuerySession
from active_matting.solvers.base import Matte
from active_matting.solvers.warm_up import warm_up
from active_matting.types import Image, LabelMap
from active_matting.widget.events import Emit, Events
from active_matting.widget.guard import Guard, LettingGo, SupersededError
from active_matting.widget.messages import CHANGES, label_of
from active_matting.widget.outputs import Outputs, warm_up_colours
from active_matting.widget.pictures import alpha_png, heat_png, image_png, label_png
from active_matting.widget.state import describe, place

Message: TypeAlias = Mapping[str, Any]

# One worker for all controllers of a process: linear algebra of two threads at once, each of which would use all cores,
# can take a hundred times as long. Another thread writes files, so that the person may go on meanwhile.
_WORKER = ThreadPoolExecutor(1, "active-matting-solve")
_WRITER = ThreadPoolExecutor(1, "active-matting-write")


class Controller:
    """Drives one `QuerySession` for one face.

    emit: given every event with its buffers, from any thread, one at a time; it must not wait. outputs: where "export"
    writes, by default into the current folder. photograph: float32 `(H, W, 3)`, of which the session's image is the
    shrunk version; what is exported has its size.

    What is said is recorded when its message comes, in `receive`, which never waits for a solve. The worker solves the
    newest state; a result that was overtaken is dropped. Whatever fails is told in an "error" event, and the session
    goes on. Use the session within `idle` alone.
    """

    def __init__(
        self, session: QuerySession, emit: Emit, *, outputs: Outputs | None = None, photograph: Image | None = None
    ) -> None:
        self.session = session
        self.outputs = outputs or Outputs.into(".")
        self.photograph = photograph
        self._events = Events(emit)
        self._guard = Guard(self._handle)
        session.prepared = LettingGo(session.prepared, self._guard)
        self._jobs = {
            "matting": self._show_matte,
            "suggesting": self._suggest,
            "exporting": self._export,
            "the heat map": self._show_heatmap,
            "estimating": self._estimate,
            "preparing the solver, once on each machine": self._warm_up,
        }
        self._made = dict.fromkeys(self._jobs, -1)  # of which version; the first ones of the jobs are done first
        self._is_working = self._is_closed = self._wants_heat = self._wants_export = self._is_last = False
        self._writing = 0  # exports under way
        self._writes: list[Future[None]] = []
        self._asked: Region | None = None
        self._number = 0  # of the suggestion, so that a late answer does not go to another region
        self._estimated: dict[str, Any] = {"gain": None, "enough": False}
        self._said_at = perf_counter()
        self._seconds: dict[str, float] = {}
        self._idle = threading.Event()
        self.receive({"do": "begin"})

    @property
    def asked(self) -> Region | None:
        """The region that is asked about; None while the next one is looked for, or where none is."""
        return self._asked

    def receive(self, message: Message) -> None:
        """Do what a message says: now, or where the session is in use right afterwards, by whoever uses it."""
        if not self._is_closed:
            self._guard.post(message)

    @contextmanager
    def idle(self) -> Iterator[QuerySession]:
        """The session, for use within this block alone, as soon as nothing is being computed.

        What a person says meanwhile is recorded afterwards; what was changed here is shown.
        """
        while True:
            self._idle.wait()
            with self._guard.held():
                if not self._idle.is_set():
                    continue
                before = self.session.interactions
                try:
                    yield self.session
                finally:
                    if self.session.interactions != before:
                        self._take_note()
                        self._work_on()
                return

    def close(self) -> None:
        """Compute nothing further, and wait for what is being computed."""
        with self._guard.held():
            self._is_closed = True
            self._guard.version += 1
        self._idle.wait()
        wait(self._writes)

    def _handle(self, message: Message) -> None:
        before = self.session.interactions
        try:
            self._do(message)
        except Exception as error:  # a full disk, a message that makes no sense: told, and the session goes on
            self._events.tell(error, f"{message.get('do')!r}")
        if self.session.interactions != before:  # also where they could not be saved
            self._take_note()
        self._work_on()

    def _take_note(self) -> None:
        """Of something new that was said."""
        self._guard.version += 1
        self._asked = None
        self._estimated = {"gain": None, "enough": False}
        self._said_at = perf_counter()
        self._events.show("labels", label_png(self.session.label_map))
        self._show_state()

    def _do(self, message: Message) -> None:
        do = message["do"]
        if do in CHANGES:
            CHANGES[do](self.session, message)
        elif do in ("answer", "skip"):
            self._answer(message)
        elif do == "hello":
            self._show_everything()
        elif do == "heatmap":
            self._wants_heat = bool(message["on"])
        elif do == "export" or (do == "done" and self.session.interactions):
            self._wants_export = True
            self._is_last = do == "done"
        elif do == "done":
            self._events.send("finished", text="Nothing was said, so nothing was written.")
        elif do == "fetch":
            self._fetch(str(message["name"]))
        elif do != "begin":
            raise InvalidArgumentError(f"unknown message {do!r}")

    def _answer(self, message: Message) -> None:
        if self._asked is None or message.get("number", self._number) != self._number:
            return  # it was meant for a region that is not asked about any more
        if message["do"] == "skip":
            self.session.skip(self._asked)
        else:
            self.session.answer(self._asked, label_of(message))

    def _fetch(self, name: str) -> None:
        paths = {path.name: path for path in self.outputs}
        if name not in paths:
            raise InvalidArgumentError(f"{name!r} is not among the exported files {list(paths)}")
        try:
            content = paths[name].read_bytes()
        except OSError as error:
            raise FileError(f"cannot read {paths[name]}: {error.strerror or error}") from error
        self._events.send("file", content, name=name)

    # What the worker does: one job after the other, each of the newest state, with the lock, which it may let go of.

    def _work_on(self) -> None:
        if not self._is_working and not self._is_closed:
            self._is_working = True
            self._idle.clear()
            _WORKER.submit(self._work)

    def _work(self) -> None:
        self._guard.worker = threading.get_ident()
        is_over = False
        while not is_over:
            with self._guard.held():
                name = None if self._is_closed else next(filter(self._is_wanted, self._jobs), None)
                self._events.send("busy", text=name or "")
                if name is None:
                    is_over, self._is_working = True, False
                    self._idle.set()
                else:
                    self._made[name] = self._guard.version  # also where it fails: it is not tried again
                    self._try(name)

    def _try(self, name: str) -> None:
        try:
            self._jobs[name]()
        except SupersededError:
            return  # there is a newer state, whose turn it is now
        except Exception as error:  # whatever a solver or an agent raises must not end the session
            if name == "matting":  # what builds on the matte would fail as well
                self._made |= dict.fromkeys(("suggesting", "the heat map", "estimating"), self._guard.version)
            self._events.tell(error, name.capitalize())
            self._show_state()

    def _is_wanted(self, name: str) -> bool:
        if name == "exporting":
            return self._wants_export
        if name.startswith("preparing"):
            return self._made[name] < 0
        if name == "the heat map" and not (self._wants_heat and self.session.has_heatmap):
            return False
        return self._made[name] != self._guard.version and (name == "matting" or self.session.agent is not None)

    def _show_matte(self) -> None:
        started = perf_counter()
        alpha = self.session.alpha
        self._seconds["solve"] = perf_counter() - started
        with self._guard.let_go():
            png = alpha_png(alpha)
        self._seconds["matte"] = perf_counter() - self._said_at
        self._events.show("matte", png)

    def _suggest(self) -> None:
        self._asked = self.session.suggest()
        self._number += 1
        self._seconds["suggestion"] = perf_counter() - self._said_at
        self._show_state()

    def _show_heatmap(self) -> None:
        heat = self.session.heatmap()
        with self._guard.let_go():
            png = heat_png(heat)
        self._events.show("heatmap", png)

    def _estimate(self) -> None:
        self._estimated = {"gain": self.session.expected_gain(), "enough": self.session.should_stop()}
        self._show_state()

    def _warm_up(self) -> None:
        # While the person looks at the first region: the first solve on a machine compiles for a while.
        with self._guard.let_go():
            warm_up(self.session.solver)
            _WRITER.submit(warm_up_colours)

    def _export(self) -> None:
        self._wants_export = False
        try:
            snapshot = self.session.matte, self.session.label_map
        except SupersededError:
            self._wants_export = True
            raise
        if self.outputs.session is not None:
            self.session.save(self.outputs.session)
        self._writing += 1
        self._show_state()
        self._writes.append(_WRITER.submit(self._write, *snapshot, self._is_last))

    def _write(self, matte: Matte, label_map: LabelMap, is_last: bool) -> None:
        started = perf_counter()
        failure: Exception | None = None
        try:
            photograph = self.session.image if self.photograph is None else self.photograph
            if photograph.shape[:2] != matte.alpha.shape:
                matte = matte_at_full_size(photograph, matte.alpha, label_map)
            self.outputs.write_pictures(photograph, matte, label_map)
        except Exception as error:  # a full disk, say: told, and the session goes on
            failure = error
        with self._guard.held():
            self._writing -= 1
            self._show_state()
            if failure is not None:
                self._events.tell(failure, "Exporting")
                return
            files = [{"name": each.name, "path": str(each.resolve())} for each in self.outputs]
            self._events.send("exported", files=files, seconds=perf_counter() - started)
            if is_last:
                self._events.send("finished", text="Finished.")

    def _show_everything(self) -> None:
        self._events.show_again(
            image=lambda: image_png(self.session.image), labels=lambda: label_png(self.session.label_map)
        )
        self._show_state()

    def _show_state(self) -> None:
        asked = None if self._asked is None else place(self._asked) | {"number": self._number}
        self._events.send(
            "state",
            **describe(self.session),
            **self._estimated,
            version=self._guard.version,
            asked=asked,
            seconds=dict(self._seconds),
            is_exporting=self._wants_export or self._writing > 0,
        )
