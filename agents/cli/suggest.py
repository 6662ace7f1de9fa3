"""Suggest regions of a photograph to label, and matte it from the answers.

Asks at the terminal about one region after another: f foreground, b background, m mixed, s skip, u undo, q enough. The
region in question is outlined in --picture, which is rewritten each time; so is --session, after every answer. With
--truth a simulated user, who knows the true alpha, answers instead. The photograph is worked on with its longer side at
--image-size, and matted at its own size at the end. --output gets the object in its own colours on a
transparent ground (RGBA), --alpha the matte alone.

example: active-matting suggest photo.jpg --agent results/demo/agent --output cutout.png
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

from active_matting.agents.cli.asking import add_asking, session_on
from active_matting.agents.cli.photographs import (
    check_outputs,
    read_alpha_of,
    write_outputs,
)
from active_matting.annotators import make_annotator
from active_matting.data.images import read_image, write_picture
from active_matting.envs.rendering import draw_regions
from active_matting.full_size import shrink
from active_matting.labels import RegionAnswer
from active_matting.metrics import rmse
from active_matting.regions import Region
from active_matting.session import QuerySession
from active_matting.types import Label

Reply: TypeAlias = Label | Literal["skip", "undo", "enough"]

REPLIES: dict[str, Reply] = {
    "f": Label.FOREGROUND,
    "b": Label.BACKGROUND,
    "m": Label.TRANSITION,
    "s": "skip",
    "u": "undo",
    "q": "enough",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Image, agent, who answers, solver, outputs."""
    add_asking(parser)
    parser.add_argument("--truth", type=Path, metavar="FILE", help="the true alpha, for the simulated user")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="where the outlined regions are shown")


def run(given: argparse.Namespace) -> None:
    """Suggest, be answered, solve; then write what was asked for."""
    check_outputs(given.output, given.alpha)
    photograph = read_image(given.image)
    truth = None if given.truth is None else read_alpha_of(given.truth, photograph)
    session = session_on(given, photograph)
    if truth is None:
        _loop(session, given.budget, lambda region: _ask(session, region, given.picture))
    else:
        truth = shrink(truth, max(session.shape))
        annotator = make_annotator("exact", truth)
        _loop(session, given.budget, annotator.answer)
        print(f"rmse: {rmse(session.alpha, truth):.4f}")
    write_outputs(photograph, session.at_full_size(photograph), given.output, given.alpha)
    if given.session is not None:
        session.save(given.session)
        print(f"session: {given.session}")
    if given.picture is not None:
        write_picture(given.picture, draw_regions(session.image, session.answers))
        print(f"regions: {given.picture}")


def _loop(session: QuerySession, budget: int, reply: Callable[[Region], Reply]) -> None:
    """Suggest and be answered until the budget is spent or it is enough."""
    while session.spent < budget:
        region = session.suggest()
        match reply(region):
            case Label() as label:
                session.answer(region, label)
                place = f"centre (y, x) = ({region.y}, {region.x}), side {region.side}"
                print(f"{session.spent}. {place}: {label.name.lower()}")
            case "skip":
                session.skip()
            case "undo":
                if session.can_undo:
                    session.undo()
            case "enough":
                return


def _ask(session: QuerySession, region: Region, picture: Path | None) -> Reply:
    """The person's reply; the end of the input is enough."""
    if picture is not None:
        asked = [*session.answers, RegionAnswer(region, Label.TRANSITION)]
        write_picture(picture, draw_regions(session.image, asked))
    while True:
        place = f"{session.spent + 1}. rows {region.top} to {region.top + region.side - 1}, columns "
        place += f"{region.left} to {region.left + region.side - 1} of {session.shape[0]}×{session.shape[1]}"
        print(f"{place}: f, b, m, s, u or q? ", end="", flush=True)
        said = sys.stdin.readline()
        print()
        reply = REPLIES.get(said.strip().lower() if said else "q")
        if reply is not None:
            return reply
        print("f foreground, b background, m mixed, s skip, u undo, q enough")
