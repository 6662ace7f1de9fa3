"""How many composites a second, from one process and from two, and what the time is spent on?

Two tables: composites a second, medians of the repeats with their range, from one process and from `--processes` of
them, each with one thread and a part of one stream; and milliseconds of processor time a composite by stage, in one
process, with how often the stage is run. All pictures are read, and their colours estimated, before the clock starts;
how long that takes, in each process anew, is said beside. Without folders, eight cut-outs drawn on the spot over
procedural backgrounds, which are slower than pictures.

    python benchmarks/composition_speed.py --objects mattes cutouts --scenes backgrounds --size 320 --count 200
"""

import argparse
import multiprocessing
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
from PIL import Image as Pillow

from active_matting.augmentation import CompositeStream, Objects, Scenes, stream
from active_matting.data.rendered import FAMILIES, render

STAGES = (
    (stream, "place_object"),
    (stream, "place_scene"),
    (stream, "background"),
    (stream, "add_behind"),
    (stream, "change_light"),
    (stream.Layers, "image"),
    (stream, "photograph"),
    (stream, "random_trimap"),
    (stream, "random_hints"),
    (stream, "random_patches"),
)


def main() -> None:
    """Measure and print."""
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        objects = Objects(tuple(arguments.objects) or (drawn_cutouts(Path(folder)),))
        scenes = Scenes(tuple(arguments.scenes)) if arguments.scenes else None
        composites = CompositeStream(objects, scenes, size=arguments.size)
        seconds = warm_up(composites)
        found = f"{len(objects)} objects and {len(scenes) if scenes else 'procedural'} scenes"
        print(f"{found}, read and kept in {seconds:.1f} s\n")
        print("| processes | composites a second | range |\n|---|---|---|")
        for processes in sorted({1, arguments.processes}):
            rates = rates_of(composites, processes, arguments.count, arguments.repeats)
            print(f"| {processes} | {np.median(rates):.0f} | {min(rates):.0f} to {max(rates):.0f} |")
        print_stages(composites, arguments.count)


def rates_of(composites: CompositeStream, processes: int, count: int, repeats: int) -> list[float]:
    """Composites a second of each repeat, of all processes together."""
    context = multiprocessing.get_context("spawn")
    ready, rates = context.Barrier(processes), context.Queue()
    workers = [
        context.Process(target=work, args=(composites.part(i, processes), count, repeats, ready, rates))
        for i in range(processes)
    ]
    for worker in workers:
        worker.start()
    measured = [rates.get() for _ in workers]
    for worker in workers:
        worker.join()
    return [float(sum(rate[i] for rate in measured)) for i in range(repeats)]


def work(composites: CompositeStream, count: int, repeats: int, ready: Any, rates: Any) -> None:
    """Put this process's composites a second of each repeat into `rates`."""
    warm_up(composites)
    found = []
    items = iter(composites)
    for _ in range(repeats):
        ready.wait()
        started = time.perf_counter()
        for _composite in islice(items, count):
            pass
        found.append(count / (time.perf_counter() - started))
    rates.put(found)


def warm_up(composites: CompositeStream) -> float:
    """Read everything; the seconds it took."""
    cv2.setNumThreads(1)
    started = time.perf_counter()
    for pictures in (composites.objects, composites.scenes or ()):
        for i in range(len(pictures)):
            pictures[i]
    next(iter(composites))
    return time.perf_counter() - started


def print_stages(composites: CompositeStream, count: int) -> None:
    """Milliseconds of processor time a composite, stage by stage."""
    spent: dict[str, float] = defaultdict(float)
    calls: dict[str, int] = defaultdict(int)
    with timed_stages(spent, calls):
        started = time.thread_time()
        for i in range(count):
            composites.item(i)
        total = time.thread_time() - started
    print("\n| stage | ms a composite | runs a composite |\n|---|---|---|")
    for name in (name for _, name in STAGES if calls[name]):
        print(f"| {name} | {1000 * spent[name] / count:.2f} | {calls[name] / count:.2f} |")
    print(f"| the rest | {1000 * (total - sum(spent.values())) / count:.2f} | |")
    print(f"| all | {1000 * total / count:.2f} | |")


@contextmanager
def timed_stages(spent: dict[str, float], calls: dict[str, int]) -> Iterator[None]:
    """Add up what the stages take while this lasts."""
    patches = [mock.patch.object(where, name, timed(getattr(where, name), spent, calls)) for where, name in STAGES]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


def timed(function: Callable[..., Any], spent: dict[str, float], calls: dict[str, int]) -> Callable[..., Any]:
    """The function, which adds to what it spent."""

    def run(*arguments: Any) -> Any:
        started = time.thread_time()
        result = function(*arguments)
        spent[function.__name__] += time.thread_time() - started
        calls[function.__name__] += 1
        return result

    return run


def drawn_cutouts(folder: Path) -> str:
    """A folder of rendered objects, RGBA."""
    for i in range(8):
        family = list(FAMILIES)[i % len(FAMILIES)]
        drawn = render(family, 640, np.random.default_rng(i))
        levels = np.rint(255 * np.dstack([drawn.foreground, drawn.alpha])).astype(np.uint8)
        Pillow.fromarray(levels).save(folder / f"{i}-{family}.png")
    return str(folder)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", nargs="*", default=[], help="folders of RGBA cut-outs, or of images/ and alphas/")
    parser.add_argument("--scenes", nargs="*", default=[], help="folders of pictures to put them over")
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--count", type=int, default=200, help="composites each process makes in a repeat")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
