"""Options that several commands share."""

import argparse
import os
from pathlib import Path
from typing import Any

from active_matting.agents.named import NamedData
from active_matting.cache import default_folder
from active_matting.data import SOURCES
from active_matting.data.layouts import guess_reader
from active_matting.errors import InvalidArgumentError
from active_matting.solvers import SOLVERS
from active_matting.solvers.named import json_object, split_arguments

SOURCE_HELP = (
    "'rendered', the embedded images; or a folder with images/ and alphas/ or masks/; or of RGBA cut-outs; or of a "
    "data set that `active-matting data check` knows; or a CSV file"
)


def add_data(parser: argparse.ArgumentParser, split: str, has_trimaps: bool = True) -> None:
    """Which images: `--data`, `--count`, `--data-seed` and, where they are of use, `--trimaps`."""
    group = parser.add_argument_group("images")
    group.add_argument("--data", default="rendered", metavar="SOURCE", help=SOURCE_HELP)
    _add_rest_of_data(group, split)
    if has_trimaps:
        _add_trimaps(group)
    else:
        parser.set_defaults(trimaps=None)


def add_data_sets(parser: argparse.ArgumentParser, split: str) -> None:
    """Which images of which data sets: `--data`, any number of times, and the rest of `add_data`."""
    group = parser.add_argument_group("images")
    group.add_argument(
        "--data",
        action="append",
        metavar="[NAME=]SOURCE",
        help=f"repeat for several; {SOURCE_HELP}; or the name of a reader, with a JSON object of its parameters after "
        "a space; NAME is what tables call it; 'rendered' when none is given",
    )
    _add_rest_of_data(group, split)
    _add_trimaps(group)


def _add_rest_of_data(group: Any, split: str) -> None:
    group.add_argument("--split", default=split, help="of the embedded images: train, validation or test")
    group.add_argument("--count", type=int, default=200, help="how many embedded images the split has")
    group.add_argument("--data-seed", type=int, default=0, help="seed of the embedded images")


def _add_trimaps(group: Any) -> None:
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
        help="keep resized images and ideal sequences there, for other evaluations too; without FOLDER in the user's "
        "own cache, see `active-matting cache`",
    )


def solver_options(given: argparse.Namespace) -> dict[str, Any]:
    """Raises `InvalidArgumentError` unless `--solver-options` is a JSON object."""
    return json_object("--solver-options", given.solver_options)


def rules(given: argparse.Namespace) -> dict[str, Any]:
    """Keywords of `ActiveMatting/Regions-v0` from the options of `add_queries`."""
    return {name: getattr(given, name) for name in ("image_size", "region_size", "budget", "protocol")}


def data_source(given: argparse.Namespace) -> dict[str, Any]:
    """`data` and `data_kwargs` from the options of `add_data`."""
    return _source(given.data, given)


def named_data(given: argparse.Namespace) -> tuple[NamedData, ...]:
    """The data sets from the options of `add_data_sets`, kept as `--cache` says.

    Raises `FileError`, `InvalidArgumentError`.
    """
    sets = []
    for text in given.data or ["rendered"]:
        label, source = ("", text) if Path(text).exists() else split_label(text)
        name, own = split_arguments(source)
        if name == "rendered":
            told = _source(name, given)
            told["data_kwargs"] |= own or {}
        elif own is not None or (name in SOURCES.names() and not Path(name).exists()):
            told = {"data": name, "data_kwargs": own or {}}
        else:
            told = _source(source, given, guesses_trimaps=True)
        sets.append(NamedData(label or Path(name).resolve().name, **_cached(told, given)))
    return tuple(sets)


def split_label(text: str) -> tuple[str, str]:
    """The label and the rest of "LABEL=REST"; the label is empty where a parameter comes before any "="."""
    label, sign, rest = text.partition("=")
    return (label.strip(), rest) if sign and not set(label) & set(":/{\\") else ("", text)


def _source(source: str, given: argparse.Namespace, guesses_trimaps: bool = False) -> dict[str, Any]:
    """guesses_trimaps: take those of a folder that lie where they usually do, where none are named."""
    if source == "rendered":
        settings = {"split": given.split, "count": given.count, "seed": given.data_seed}
        if given.image_size is not None:
            settings["size"] = given.image_size
        return {"data": "rendered", "data_kwargs": settings}
    name, keywords = guess_reader(source)
    if name == "folder" and not (guesses_trimaps and given.trimaps is None):
        keywords["trimaps"] = given.trimaps
    elif given.trimaps is not None:
        raise InvalidArgumentError(f"--trimaps needs images/ and alphas/ or masks/; {source} is read as {name}")
    return {"data": name, "data_kwargs": keywords}


def _cached(source: dict[str, Any], given: argparse.Namespace) -> dict[str, Any]:
    """`data` and `data_kwargs` of the same images, kept as `--cache` says."""
    folder = cache_folder(given)
    if folder is None:
        return source
    of = {"of": source["data"], "of_kwargs": source["data_kwargs"], "size": given.image_size, "folder": folder}
    return {"data": "cached", "data_kwargs": of}


def cache_folder(given: argparse.Namespace) -> str | None:
    """The folder that `--cache` means; None without it. Raises `FileError`."""
    return str(default_folder()) if given.cache == "" else given.cache
