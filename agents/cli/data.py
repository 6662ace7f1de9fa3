"""Check a folder of images with alphas: what is there, and what is wrong with it.

Reads every sample and prints how many there are, their sizes, a histogram of their alphas, how many have trimaps, and
whether a file tells the licence; then the files that are missing, the samples whose pictures differ in size, and the
files that cannot be read, by name. What the folder is, is told from its layout: a published data set such as AIM-500 or
GrabCut, images/ with alphas/ or masks/, RGBA cut-outs lying flat, or a CSV file with columns image and alpha; --source
and --options say it where that fails.

The exit status is 0 where all is well; 1 where a file is missing or cannot be read, or sizes differ; a missing licence,
alphas without a foreground, and pictures that no sample uses are told but are no fault.

examples:
  active-matting data check photos
  active-matting data check VOC2012 --source pascal --options '{"split": "train"}'
"""

import argparse
import json
from pathlib import Path
from typing import Any

from active_matting.data import SOURCES, make_data
from active_matting.errors import FileError, InvalidArgumentError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, with which folder, read how."""
    parser.add_argument("action", choices=("check",), help="read all of it and tell")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the data set's folder, or a CSV file")
    parser.add_argument(
        "--source", metavar="NAME", help=f"read it as this, whatever it looks like: {', '.join(SOURCES.names())}"
    )
    parser.add_argument(
        "--options", default="{}", metavar="JSON", help='options of the source, such as \'{"split": "train"}\''
    )


def run(given: argparse.Namespace) -> None:
    """Check, print. Raises `FileError` where there are faults."""
    from active_matting.data.check import check, report  # with OpenCV, which other commands' help can do without
    from active_matting.data.layouts import guess_reader
    from active_matting.data.listed import Listed

    options = _options(given.options)
    if given.source is None:
        name, keywords = guess_reader(given.folder)
    else:
        name, keywords = given.source, {"path": str(given.folder)}
    keywords |= options
    made = SOURCES.resolve(name)
    if isinstance(made, type) and issubclass(made, Listed):
        keywords.setdefault("missing", "skip")  # they are listed with the rest
    source = make_data(name, **keywords)
    shown = {key: value for key, value in keywords.items() if key not in ("path", "missing")}
    print(f"read as: {name}{' ' + json.dumps(shown) if shown else ''}")
    found = check(source, given.folder)
    print(report(found))
    if found.faults:
        raise FileError(f"{given.folder} has {found.faults} fault{'s' if found.faults > 1 else ''}, told above")


def _options(text: str) -> dict[str, Any]:
    try:
        options = json.loads(text)
    except ValueError as error:
        raise InvalidArgumentError(f"--options must be JSON, got {text!r}: {error}") from error
    if not isinstance(options, dict):
        raise InvalidArgumentError(f"--options must be a JSON object, got {text!r}")
    return options
