"""Say what is kept on disk from earlier runs, or remove it.

Kept are resized images and ideal sequences, where one asked for that: `active-matting evaluate --cache`, or the data
source "cached". Prints the folder, and of each kind how many there are and how large. ACTIVE_MATTING_CACHE, if set,
names the folder.

example: active-matting cache --clear
"""

import argparse
from pathlib import Path

from active_matting.cache import Cache


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which folder; whether to clear it."""
    parser.add_argument("--folder", type=Path, help="another one than the user's own")
    parser.add_argument("--clear", action="store_true", help="remove all that is kept; other files are left alone")


def run(given: argparse.Namespace) -> None:
    """List, then remove if asked to."""
    cache = Cache(given.folder)
    print(f"folder: {cache.folder}")
    for kind, (count, size) in cache.contents().items():
        print(f"{kind}: {count}, {size / 1e6:.1f} MB")
    print(f"in all: {cache.size() / 1e6:.1f} MB of at most {cache.limit_bytes / 1e6:.0f} MB")
    if given.clear:
        print(f"removed: {cache.clear() / 1e6:.1f} MB")
