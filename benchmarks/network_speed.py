"""How long a network takes for one matte, and how much memory.

    python benchmarks/network_speed.py [--side 400] [--threads 2] [--repeats 5] [--network NAME[:WIDTH:DEPTHS] ...]

Each network is measured in a fresh process on a rendered image with a label map of two regions: with random weights,
or, by its name alone, with those that come with the package, at the size at which these work and with all else that
they are told. Milliseconds of the first `solve` on a prepared image, which looks at the picture where a network
recognises; of later ones, median and range; and by how much these raised the process's peak memory (`ru_maxrss`),
beside what `prepare` expects of the network alone, by which it refuses what is too large.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SOLVERS = {"fba": "fba", "imatting": "imatting", "two-stream": "interactive-segmentation"}
PUBLISHED = [f"{name}:64:3,4,6,3" for name in SOLVERS]
SMALL = ["imatting:32:2,2,2,2", "imatting:16:2,2,2,2", "imatting:8:1,1,1,1", "two-stream:16:2,2,2,2"]


def main() -> None:
    """Measure each in a process of its own, and print a table."""
    given = parse()
    if given.alone:
        print(json.dumps(measure(given.network[0], given.side, given.threads, given.repeats)))
        return
    from active_matting.models.weights import shipped_weights

    print("| network | width | depths | million weights | first, ms | ms, median (range) | peak MiB | expected MiB |")
    print("|---|---|---|---|---|---|---|---|")
    options = [f"--{name}={getattr(given, name)}" for name in ("side", "threads", "repeats")]
    for network in given.network or PUBLISHED + SMALL + shipped_weights():
        command = [sys.executable, __file__, "--alone", "--network", network, *options]
        told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        name, width, depths = network.split(":") if ":" in network else (network, "as shipped", "")
        milliseconds = "{:.0f} ({:.0f}–{:.0f})".format(*(1e3 * told[which] for which in ("median", "least", "most")))
        print(
            f"| {name} | {width} | {depths} | {told['weights'] / 1e6:.2f} | {1e3 * told['first']:.0f} | {milliseconds} "
            f"| {told['peak'] / 2**20:.0f} | {told['expected'] / 2**20:.0f} |",
            flush=True,
        )


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--network", nargs="*", default=[], metavar="NAME[:WIDTH:DEPTHS]", help="(published, small, and all shipped)"
    )
    parser.add_argument("--side", type=int, default=400, help="of the square image, pixels (400)")
    parser.add_argument("--threads", type=int, default=2, help="of torch (2)")
    parser.add_argument("--repeats", type=int, default=5, help="solves (5)")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(network: str, side: int, threads: int, repeats: int) -> dict[str, float]:
    """Seconds and bytes of solving on one image."""
    import torch

    from active_matting import make_data, make_solver
    from active_matting.models import make_network
    from active_matting.models.weights import write_network

    torch.set_num_threads(threads)
    name, _, sizes = network.partition(":")
    image = make_data("rendered", split="test", count=1, size=side)[0].image
    labels = np.zeros((side, side), dtype=np.int8)
    labels[side // 2 : side // 2 + 20, side // 2 : side // 2 + 20], labels[:20, :20] = 1, -1
    with tempfile.TemporaryDirectory() as folder:
        if sizes:
            width, _, depths = sizes.partition(":")
            arguments = {"width": int(width), "depths": [int(depth) for depth in depths.split(",")]}
            write_network(Path(folder), make_network(name, **arguments), name, arguments)
        solver = make_solver(SOLVERS[name], weights=folder if sizes else None)
        solver.prepare(image[:64, :64]).solve(labels[:64, :64] + np.eye(64, dtype=np.int8))  # what any size needs
        prepared = solver.prepare(image)
    before = peak_memory()
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        prepared.solve(labels)
        times.append(time.perf_counter() - start)
    first, times = times[0], times[1:]
    return {
        "weights": sum(parameter.numel() for parameter in prepared.loaded.network.parameters()),
        "first": first,
        "median": float(np.median(times)),
        "least": min(times),
        "most": max(times),
        "peak": peak_memory() - before,
        "expected": prepared.loaded.bytes_per_pixel * prepared.canvases[0].image[0, 0].numel(),
    }


def peak_memory() -> int:
    """The most that this process has had so far, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
