"""Measure solvers by the clicks of a robot that knows the truth.

A robot looks at the matte, finds what is wrong, and clicks into the middle of it; the solver gets all clicks so far, as
discs in the label map, and its last matte. On data with masks (sets for interactive segmentation, or a folder with
masks/ and no alphas/) selections are measured, alpha >= 0.5, outside of pixels that the masks mark to be ignored: IoU
after each click, NoC@85/90/95 (images that fail count as all clicks), AuC, corrective accuracy, and how many images end
above 95 and 99 %. On data with alphas, mattes: SAD, MSE, GRAD, CONN and RMSE after each click, over the whole image.

The robots are those of Forte's thesis: 'largest-region' (chapter 3) corrects the largest connected region of wrong
pixels and is for selections; 'largest-error' (chapter 5) the one with the largest sum of squared errors among pixels of
pure foreground or background, for mattes. Both see a matte of zeros before the first click. After it there is one class
only: solvers that need both then give 0.5 for all that is unknown, which counts as foreground. To 'largest-error' it is
half wrong on either side, so that such a solver is never told the background where the object is larger than any
connected part of that; --robot largest-region has no such trouble, on mattes too.

Prints means over images with 95 % bootstrap intervals, and writes clicks.csv (a row per image and click) and clicks.png
to --output; an image's result is kept in its folder `finished` as soon as it is there, so that the same command goes on
where it was interrupted.

examples:
  active-matting clicks --data GrabCut --solver segment-then-matte --solver random-walk
  active-matting clicks --data photos --size 400 --solver 'segment-dilate-matte {"width": 180}' --output results/large
"""

import argparse
from pathlib import Path

from active_matting.agents.cli import options
from active_matting.agents.clicks import ROBOT_OF, ClickProtocol, evaluate_clicks
from active_matting.data.layouts import holds_selections
from active_matting.robots import ROBOTS
from active_matting.solvers import SOLVERS
from active_matting.solvers.named import NamedSolver


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Images, clicks, solvers, output."""
    options.add_data(parser, split="test", has_trimaps=False)
    parser.add_argument("--size", type=int, dest="image_size", metavar="PX", help="resize images to this side, square")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take the first of every N images only")
    parser.add_argument("--limit", type=int, metavar="N", help="take the first N of these only")
    group = parser.add_argument_group("clicks")
    group.add_argument("--clicks", type=int, default=20, metavar="N", help="per image")
    group.add_argument("--radius", type=int, default=5, metavar="PX", help="of the disc that a click labels")
    group.add_argument("--robot", metavar="NAME", help=f"one of {', '.join(ROBOTS.names())}; as the data say when none")
    group.add_argument("--measure", choices=tuple(ROBOT_OF), help="selections or mattes; as the data say when none")
    parser.add_argument(
        "--solver",
        action="append",
        required=True,
        metavar="NAME",
        help=f"repeat for several; one of {', '.join(SOLVERS.names())}, with a JSON object of its own parameters after "
        "a space if need be",
    )
    options.add_solver_options(parser)
    options.add_workers(parser)
    parser.add_argument("--output", type=Path, default=Path("results/clicks"), metavar="FOLDER", help="for results")


def run(given: argparse.Namespace) -> None:
    """Click, print the table, write the CSV and the plot."""
    from active_matting.agents.click_report import click_summary, format_clicks, plot_clicks, write_clicks

    source = options.data_source(given)
    by_data = "segmentation" if holds_selections(source["data"], source["data_kwargs"]) else "matting"
    protocol = ClickProtocol(
        **source,
        measure=given.measure or by_data,
        robot=given.robot,
        clicks=given.clicks,
        radius=given.radius,
        size=given.image_size,
    )
    runs = evaluate_clicks(
        protocol,
        [NamedSolver.read(text, options.solver_options(given)) for text in given.solver],
        every=given.every,
        limit=given.limit,
        workers=given.workers,
        cache=str(given.output / "finished"),
    )
    write_clicks(given.output / "clicks.csv", runs)
    images = len({run.sample for run in runs})
    title = f"{Path(given.data).name}, {images} images, robot {protocol.robot}, radius {protocol.radius} px"
    plot_clicks(given.output / "clicks.png", runs, title)
    print(format_clicks(click_summary(runs)))
    print(f"{protocol.measure}, robot {protocol.robot}, discs of radius {protocol.radius} px")
    print(f"every click: {given.output / 'clicks.csv'}")
    print(f"plot: {given.output / 'clicks.png'}")
