"""Solve one matte from labels.

The labels come from a trimap (white foreground, black background, anything else unknown) or from a session that
`suggest` saved. Writes the alpha as an 8-bit greyscale picture; with --rgba, instead of it, the object in its own
colours on a transparent ground, to be put over anything without a halo: the solver's colours where it knows them, else
estimated ones. With --cutout that goes to a file of its own; with --truth, prints the errors against it.

examples: active-matting solve photo.png --trimap trimap.png --solver closed-form --output alpha.png
          active-matting solve photo.png --trimap trimap.png --rgba --output cutout.png
"""

import argparse
from pathlib import Path

from active_matting.agents.cli.options import add_solver, solver_options
from active_matting.agents.cli.photographs import check_size, enlarge, load_session, read_alpha_of
from active_matting.colours import cut_out
from active_matting.data.images import read_image, read_trimap, to_bytes, write_alpha, write_picture
from active_matting.labels import from_trimap
from active_matting.metrics import all_metrics
from active_matting.solvers import Matte, make_solver


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Image, labels, solver, output."""
    parser.add_argument("image", type=Path, help="an opaque picture")
    labels = parser.add_mutually_exclusive_group(required=True)
    labels.add_argument("--trimap", type=Path, help="a greyscale picture of the image's size")
    labels.add_argument("--session", type=Path, help="a session saved by `suggest`")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="where the alpha goes, such as a.png"
    )
    parser.add_argument("--rgba", action="store_true", help="write the object as RGBA to --output, not the alpha alone")
    parser.add_argument(
        "--cutout", type=Path, metavar="FILE", help="where the object goes besides, as RGBA, such as c.png"
    )
    parser.add_argument("--truth", type=Path, metavar="FILE", help="the true alpha, to measure against")
    add_solver(parser)


def run(given: argparse.Namespace) -> None:
    """Read, solve, write, measure; nothing is written where anything is wrong."""
    image = read_image(given.image)
    truth = None if given.truth is None else read_alpha_of(given.truth, image)
    solver = make_solver(given.solver, **solver_options(given))
    if given.session is not None:
        matte = Matte(enlarge(load_session(given.session, image, solver).alpha, image.shape))
    else:
        trimap = read_trimap(given.trimap)
        check_size(trimap, given.trimap, image)
        matte = solver.prepare(image).solve(from_trimap(trimap))
    cutouts = [path for path in (given.output if given.rgba else None, given.cutout) if path is not None]
    rgba = to_bytes(cut_out(image, matte)) if cutouts else None
    if not given.rgba:
        write_alpha(given.output, matte.alpha)
        print(f"alpha: {given.output}")
    for path in cutouts:
        assert rgba is not None
        write_picture(path, rgba)
        print(f"cutout: {path}")
    if truth is not None:
        for name, value in all_metrics(matte.alpha, truth).items():
            print(f"{name}: {value:.4f}")
