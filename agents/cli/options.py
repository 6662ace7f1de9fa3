"""Options that several commands share."""

import argparse
import json
import os
from typing import Any

from active_matting.cache import default_folder
from active_matting.data.layouts import guess_reader
from active_matting.errors import InvalidArgumentError
from active_matting.solvers import SOLVERS


def add_data(parser: argparse.ArgumentParser, split: str, has_trimaps: bool = True) -> None:
    """Which images: `--data`, `--count`, `--data-seed` and, where they are of use, `--trimaps`."""
    group = parser.add_argument_group("images")
    group.add_argument(
        "--data",
        default="rendered",
        metavar="SOURCE",
        help="'rendered', the embedded images; or a folder with images/ and alphas/ or masks/; or of RGBA cut-outs; or "
        "of a data set that `active-matting data check` knows; or a CSV file",
    )
    group.add_argument("--split", default=split, help="of the embedded images: train, validation or test")
    group.add_argument("--count", type=int, default=200, help="how many embedded images the split has")
    group.add_argument("--data-seed", type=int, default=0, help="seed of the embedded images")
    if not has_trimaps:
        parser.set_defaults(trimaps=None)
        return
    group.add_argument("--trimaps", metavar="SUBFOLDER", help="trimaps in the folder, such as trimaps/Trimap1")


def add_queries(parser: argparse.ArgumentParser, image_size: int, region_size: int, budget: int) -> None:
    """How one asks: `--image-size`, `--region-size`, `--budget`, `--protocol`."""
    group = parser.add_argument_group("queries")
    group.add_argument("--image-size", type=int, default=image_size, metavar="PX", help="side images are resized to")
    group.add_argument("--region-size", type=int, default=region_size, metavar="PX", help="side of a region")
    group.add_argument("--budget", type=int, default=budget, metavar="N", help="queries per image")
    group.add_argument(
        "--protocol",
        choices=("paper", "extended"),
        default="paper",
        help="a mixed region changes nothing (paper), or is recorded as transition (extended)",
    )


def add_solver(parser: argparse.ArgumentParser) -> None:
    """One solver: `--solver`, `--solver-options`."""
    parser.add_argument("--solver", default="shared", metavar="NAME", help=f"one of {', '.join(SOLVERS.names())}")
    add_solver_options(parser)


def add_solver_options(parser: argparse.ArgumentParser) -> None:
    """`--solver-options`, a JSON object."""
    parser.add_argument(
        "--solver-options",
        default="{}",
        metavar="JSON",
        help="the solver's parameters, such as '{\"epsilon\": 1e-6}'; `active-matting solvers` lists them",
    )


def add_workers(parser: argparse.ArgumentParser) -> None:
    """`--workers`."""
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes; results do not depend on it"
    )


def add_cache(parser: argparse.ArgumentParser) -> None:
    """`--cache`."""
    parser.add_argument(
        "--cache",
        nargs="?",
        const="",
        metavar="FOLDER",
        help="keep resized images and ideal sequences there, for the next time; without FOLDER in the user's own "
        "cache, see `active-matting cache`",
    )


def solver_options(given: argparse.Namespace) -> dict[str, Any]:
    """Raises `InvalidArgumentError` unless `--solver-options` is a JSON object."""
    return json_object("--solver-options", given.solver_options)


def json_object(option: str, text: str) -> dict[str, Any]:
    """What the text of an option says. Raises `InvalidArgumentError` unless that is a JSON object."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidArgumentError(f"{option} must be JSON, got {text!r}: {error}") from error
    if not isinstance(value, dict):
        raise InvalidArgumentError(f"{option} must be a JSON object, got {text!r}")
    return value


def environment(given: argparse.Namespace) -> dict[str, Any]:
    """Keywords of `ActiveMatting/Regions-v0` from the options of `add_data` and `add_queries`."""
    return {
        **data_source(given),
        "image_size": given.image_size,
        "region_size": given.region_size,
        "budget": given.budget,
        "protocol": given.protocol,
    }


def data_source(given: argparse.Namespace) -> dict[str, Any]:
    """`data` and `data_kwargs` from the options of `add_data`."""
    if given.data == "rendered":
        settings = {"split": given.split, "count": given.count, "seed": given.data_seed}
        if given.image_size is not None:
            settings["size"] = given.image_size
        return {"data": "rendered", "data_kwargs": settings}
    name, keywords = guess_reader(given.data)
    if name == "folder":
        keywords["trimaps"] = given.trimaps
    elif given.trimaps is not None:
        raise InvalidArgumentError(f"--trimaps needs images/ and alphas/ or masks/; {given.data} is read as {name}")
    return {"data": name, "data_kwargs": keywords}


def cached_data(given: argparse.Namespace) -> dict[str, Any]:
    """`data` and `data_kwargs` of the same images, kept as `--cache` says."""
    source = data_source(given)
    folder = cache_folder(given)
    if folder is None:
        return source
    of = {"of": source["data"], "of_kwargs": source["data_kwargs"], "size": given.image_size, "folder": folder}
    return {"data": "cached", "data_kwargs": of}


def cache_folder(given: argparse.Namespace) -> str | None:
    """The folder that `--cache` means; None without it. Raises `FileError`."""
    return str(default_folder()) if given.cache == "" else given.cache
