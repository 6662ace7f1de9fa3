"""Write a set of rendered images with exact alpha.

Draws --count images of --families in turn, and leaves in --output: train/, validation/ and test/, those that have a
share, each with images/ and alphas/, as --data of the other commands reads them; contact_sheet.png; set.json, with what
was asked for. The same options give the same files, whatever --workers is. --output appears when all of it is there;
of what was interrupted nothing is left.

example: active-matting render --count 100 --size 400 --output rendered-100
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from tqdm.auto import tqdm

from active_matting.agents.cli import options
from active_matting.data.foregrounds import FAMILIES
from active_matting.data.rendered_set import CONTACT_SHEET, RenderedSet, write_rendered_set


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many, how large, of what, where."""
    parser.add_argument("--count", type=int, default=100, metavar="N", help="images in all")
    parser.add_argument("--size", type=int, default=400, metavar="PX", help="their side")
    parser.add_argument(
        "--families",
        nargs="+",
        default=["all"],
        metavar="NAME",
        help=f"'all', 'classic' (the embedded images' six), or some of {', '.join(FAMILIES)}",
    )
    parser.add_argument(
        "--backgrounds",
        type=Path,
        metavar="FOLDER",
        help="photographs to put objects over, three at least; splits share none; procedural ones when not given",
    )
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn")
    parser.add_argument(
        "--split",
        type=float,
        nargs=3,
        default=[0.8, 0.1, 0.1],
        metavar=("TRAIN", "VALIDATION", "TEST"),
        help="the splits' shares, which sum to 1",
    )
    parser.add_argument("--alpha-bits", type=int, choices=(8, 16), default=16, help="depth of the alphas")
    parser.add_argument("--parts", action="store_true", help="write foregrounds/ and backgrounds/ too")
    options.add_workers(parser)
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER", help="for the set; must be new or empty"
    )


def run(given: argparse.Namespace) -> None:
    """Render, and say where it is."""
    families = given.families
    asked = RenderedSet(
        count=given.count,
        size=given.size,
        seed=given.seed,
        families=families[0] if families in (["all"], ["classic"]) else families,
        backgrounds=None if given.backgrounds is None else str(given.backgrounds.absolute()),
        shares=tuple(given.split),
        alpha_bits=given.alpha_bits,
        with_parts=given.parts,
    )
    write_rendered_set(given.output, asked, given.workers, _progress)
    for split, kwargs in asked.sources().items():
        print(f"{split}: {kwargs['count']} images, {given.output / split}")
    print(f"contact sheet: {given.output / CONTACT_SHEET}")


def _progress(names: Iterator[str], total: int) -> Iterator[str]:
    yield from tqdm(names, "rendering", total, unit="image")
