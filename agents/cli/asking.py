"""What the commands in which a person answers have in common: the terminal's `suggest` and the browser's `label`."""

import argparse
from pathlib import Path

from active_matting.agents import make_agent
from active_matting.agents.cli import options
from active_matting.agents.sessions import open_session
from active_matting.full_size import shrink
from active_matting.session import QuerySession
from active_matting.solvers import make_solver
from active_matting.types import Image


def add_asking(parser: argparse.ArgumentParser) -> None:
    """Image, agent, queries, solver, and where cut-out, alpha and session go."""
    parser.add_argument("image", type=Path, help="an opaque picture")
    parser.add_argument(
        "--agent",
        default="spatial",
        metavar="NAME",
        help="'spatial' and 'small' come with the package; or 'random', or a folder (%(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of a random agent")
    options.add_queries(parser, image_size=400, region_size=20, budget=20)
    options.add_solver(parser)
    parser.set_defaults(solver="segment-then-matte")  # the best with few answers
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("cutout.png"),
        metavar="FILE",
        help="where the object goes, as RGBA (%(default)s)",
    )
    parser.add_argument("--alpha", type=Path, metavar="FILE", help="where the matte goes, such as a.png")
    parser.add_argument(
        "--session", type=Path, metavar="FILE", help="where every answer is kept at once; goes on with it if it exists"
    )


def session_on(given: argparse.Namespace, photograph: Image) -> QuerySession:
    """The session in --session if it exists, with the solver and the agent that are given; else a new one.

    Raises what `make_solver`, `make_agent` and `open_session` raise.
    """
    solver = make_solver(given.solver, **options.solver_options(given))
    agent = make_agent(given.agent, seed=given.seed)
    if given.session is not None and given.session.exists():
        return open_session(given.session, photograph, solver=solver, agent=agent, autosave=given.session)
    return QuerySession(
        shrink(photograph, given.image_size),
        solver,
        agent,
        region_size=given.region_size,
        budget=given.budget,
        protocol=given.protocol,
        image_path=given.image,
        autosave=given.session,
    )
