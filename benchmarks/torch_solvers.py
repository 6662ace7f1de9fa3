"""How many mattes a second the torch solvers make, in batches, and how far that is from the memory's bandwidth.

    python benchmarks/torch_solvers.py --device cuda --side 100 400 --batch 1 64 512 --save results.jsonl

Embedded images, 16 different ones repeated to fill a batch, with the answers to twenty random questions as labels. A
line for each solver, side and batch, printed (and saved) as soon as it is known:

- solves per second: batch / median time of `PreparedBatch.solve`, labels and alphas on the device, device synchronised;
- bytes that one solve must move at least, and the share of the bandwidth that this many solves take. Counted are, for
  `shared-torch`, each stage's inputs once and its outputs once, as if every stage were one kernel whose neighbours come
  from the cache; for `closed-form-torch`, the Laplacian read once, the system written and read, and each level's
  factors and updates written once and read once. The bandwidth is that of a large copy in the same process;
- operations per second of the factorisation (`closed-form-torch` alone);
- how many times faster than the twin on the CPU, `shared` or `closed-form`, one image after the other.

When --minutes are over, what is left is skipped.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from active_matting.data import make_data
from active_matting.regions import place_region
from active_matting.solvers import make_solver
from active_matting.solvers.batched.dissection import dissect

TWINS = {"shared-torch": "shared", "closed-form-torch": "closed-form"}
DIFFERENT = 16


def main() -> None:
    """Measure and print."""
    given = parse()
    deadline = time.perf_counter() + 60 * given.minutes
    device = torch.device(given.device)
    bandwidth = copy_bandwidth(device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    print(f"{device} ({name}), torch {torch.__version__}, copies {bandwidth / 1e9:.0f} GB/s", flush=True)
    memory = given.memory or (0.4 * torch.cuda.mem_get_info(device)[0] / 2**30 if device.type == "cuda" else None)
    for side in given.side:
        images, label_maps = problems(side)
        for solver in given.solver:
            twin = time_of_twin(TWINS[solver], images, label_maps)
            print(f"{TWINS[solver]}, {side}×{side}, on the CPU: {1e3 * twin:.1f} ms a solve", flush=True)
            made = make_solver(solver, device=given.device, memory=memory)
            for batch in given.batch:
                if time.perf_counter() > deadline:
                    print(f"{solver}, {side}×{side}, batch {batch}: skipped, {given.minutes:g} minutes are over")
                    continue
                try:
                    times, prepare = time_of_batch(made, images, label_maps, batch, device, given)
                except torch.OutOfMemoryError:
                    print(f"{solver}, {side}×{side}, batch {batch}: does not fit into the device's memory", flush=True)
                    torch.cuda.empty_cache()
                    continue
                report(given, solver, side, batch, times, prepare, bandwidth, twin)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:0, ... (cpu)")
    parser.add_argument("--side", type=int, nargs="+", default=[100], help="of the images, pixels (100)")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 64, 512], help="(1 64 512)")
    parser.add_argument("--solver", nargs="+", choices=list(TWINS), default=list(TWINS), help="(both)")
    parser.add_argument("--repeats", type=int, default=20, help="solves of a batch at most (20)")
    parser.add_argument("--seconds", type=float, default=20, help="for one line, about; at least 3 repeats (20)")
    parser.add_argument("--minutes", type=float, default=9, help="for all; what is not begun by then is skipped (9)")
    parser.add_argument(
        "--memory", type=float, help="GiB solvers may take (on CUDA two fifths of what is free, else their own)"
    )
    parser.add_argument("--save", type=Path, help="file to which a JSON line is added for each measurement")
    return parser.parse_args()


def problems(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Different images `(16, side, side, 3)`, and labels of twenty regions, both classes among them."""
    rng = np.random.default_rng(0)
    images, label_maps = [], []
    for sample in make_data("rendered", split="test", count=DIFFERENT, size=side):
        label_map = np.zeros(sample.shape, dtype=np.int8)
        asked = 0
        while asked < 20 or not {1, -1} <= {*label_map.flat}:
            place = place_region(int(rng.integers(side)), int(rng.integers(side)), side // 20, sample.shape).slices
            low, high = sample.alpha[place].min(), sample.alpha[place].max()
            label_map[place] = 1 if low >= 0.98 else -1 if high <= 0.02 else 0
            asked += 1
        images.append(sample.image)
        label_maps.append(label_map)
    return np.stack(images), np.stack(label_maps)


def copy_bandwidth(device: torch.device) -> float:
    """Bytes a second that a copy of 1 GiB (CPU: 1/8) reads and writes."""
    source = torch.ones(2**30 if device.type == "cuda" else 2**27, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * len(source) / float(np.median(times_of(lambda: target.copy_(source), device, 10, 5)))


def times_of(function: Callable[[], Any], device: torch.device, repeats: int, seconds: float) -> list[float]:
    """Seconds of each of several calls after one to warm up, which counts if it alone takes `seconds`."""
    times: list[float] = []
    began = time.perf_counter()
    for _ in range(repeats + 1):
        start = time.perf_counter()
        function()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
        if (len(times) >= 4 and time.perf_counter() - began > seconds) or times[0] > seconds:
            break
    return times[1:] or times


def time_of_twin(name: str, images: np.ndarray, label_maps: np.ndarray) -> float:
    """Median seconds of a solve on the CPU, prepared, over images, for at most some twenty seconds."""
    times = []
    began = time.perf_counter()
    for image, label_map in zip(images, label_maps, strict=True):
        prepared = make_solver(name).prepare(image)
        if not times:
            prepared.solve(label_map)  # compiles
        start = time.perf_counter()
        prepared.solve(label_map)
        times.append(time.perf_counter() - start)
        if time.perf_counter() - began > 20:
            break
    return float(np.median(times))


def time_of_batch(
    solver: Any, images: np.ndarray, label_maps: np.ndarray, batch: int, device: torch.device, given: argparse.Namespace
) -> tuple[list[float], float]:
    """Seconds of each solve of a batch, and of its preparation."""
    which = np.arange(batch) % DIFFERENT
    start = time.perf_counter()
    prepared = solver.prepare_batch(images[which])
    labels = torch.tensor(label_maps[which], device=device)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    preparing = time.perf_counter() - start
    return times_of(lambda: prepared.solve(labels), device, given.repeats, given.seconds), preparing


def least_bytes(solver: str, side: int, rays: int = 4) -> int:
    """Bytes that one solve must move at least; see above how they are counted."""
    if solver == "closed-form-torch":
        stencil, system = 25, 27  # numbers of 8 bytes for each pixel; the system has its right-hand side and alpha too
        return dissect(side, side, 2, torch.device("cpu")).bytes_moved + 8 * side**2 * (stencil + 2 * system)
    colours, known, variance, tensor, met, pair, refined = 12, 4, 4, 12, rays * 2 * 8, 32, 32
    stages = {
        "expand": colours + 1 + known,
        "cast_rays": tensor + known + met,
        "gather": colours + variance + known + met + pair,
        "refine": colours + known + pair + refined,
        "smooth": colours + known + refined + 4 + 24,
    }
    return side**2 * sum(stages.values())


def report(
    given: argparse.Namespace,
    solver: str,
    side: int,
    batch: int,
    times: list[float],
    prepare: float,
    bandwidth: float,
    twin: float,
) -> None:
    """Print a line, and save it."""
    median = float(np.median(times))
    each, rate = least_bytes(solver, side), batch / median
    result = {
        "device": given.device,
        "solver": solver,
        "side": side,
        "batch": batch,
        "milliseconds": 1e3 * median,
        "fastest": 1e3 * min(times),
        "repeats": len(times),
        "prepare_milliseconds": 1e3 * prepare,
        "solves_per_second": rate,
        "least_megabytes": each / 1e6,
        "share_of_bandwidth": rate * each / bandwidth,
        "times_the_twin": rate * twin,
    }
    text = (
        f"{solver}, {side}×{side}, batch {batch}: {rate:.4g} solves/s ({1e3 * median:.4g} ms a batch, median of "
        f"{len(times)}; prepared in {1e3 * prepare:.4g} ms); at least {each / 1e6:.3g} MB a solve: "
        f"{100 * rate * each / bandwidth:.3g} % of the bandwidth, {bandwidth / (rate * each):.3g} times from it"
    )
    if solver == "closed-form-torch":
        result["gigaflops"] = rate * dissect(side, side, 2, torch.device("cpu")).operations / 1e9
        text += f"; {result['gigaflops']:.4g} GFLOP/s"
    print(f"{text}; {rate * twin:.3g} times {TWINS[solver]}", flush=True)
    if given.save:
        with given.save.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
            file.flush()
            os.fsync(file.fileno())


if __name__ == "__main__":
    main()
