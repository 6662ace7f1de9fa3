"""Solve one matte from labels.

The labels come from a trimap (white foreground, black background, anything else unknown) or from a session that
`suggest` saved. --output gets the object in its own colours on a transparent ground (RGBA), to be put over anything
without a halo: the solver's colours where it knows them, else estimated ones. --alpha gets the matte alone, as an 8-bit
greyscale picture. With --truth, prints the errors against it.

examples: active-matting solve photo.png --trimap trimap.png --output cutout.png
          active-matting solve photo.png --session said.json --solver closed-form --alpha alpha.png
"""

import argparse
from pathlib import Path

from active_matting.agents.cli.options import add_solver, solver_options
from active_matting.agents.cli.photographs import (
    check_outputs,
    check_size,
    load_session,
    read_alpha_of,
    write_outputs,
)
from active_matting.data.images import read_image, read_trimap
from active_matting.errors import InvalidArgumentError
from active_matting.labels import from_trimap
from active_matting.metrics import all_metrics
from active_matting.solvers import make_solver


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Image, labels, solver, output."""
    parser.add_argument("image", type=Path, help="an opaque picture")
    labels = parser.add_mutually_exclusive_group(required=True)
    labels.add_argument("--trimap", type=Path, help="a greyscale picture of the image's size")
    labels.add_argument("--session", type=Path, help="a session saved by `suggest`")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where the object goes, as RGBA, such as c.png")
    parser.add_argument("--alpha", type=Path, metavar="FILE", help="where the matte goes, such as a.png")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="the true alpha, to measure against")
    add_solver(parser)


def run(given: argparse.Namespace) -> None:
    """Read, solve, write, measure; nothing is written where anything is wrong."""
    if given.output is None and given.alpha is None:
        raise InvalidArgumentError("nothing would be written: give --output FILE for the object, --alpha FILE, or both")
    check_outputs(given.output, given.alpha)
    image = read_image(given.image)
    truth = None if given.truth is None else read_alpha_of(given.truth, image)
    solver = make_solver(given.solver, **solver_options(given))
    if given.session is not None:
        matte = load_session(given.session, image, solver).at_full_size(image)
    else:
        trimap = read_trimap(given.trimap)
        check_size(trimap, given.trimap, image)
        matte = solver.prepare(image).solve(from_trimap(trimap))
    write_outputs(image, matte, given.output, given.alpha)
    if truth is not None:
        for name, value in all_metrics(matte.alpha, truth).items():
            print(f"{name}: {value:.4f}")
