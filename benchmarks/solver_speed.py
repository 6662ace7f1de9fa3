"""How fast are the solvers, and how many times faster than pymatting's own?

Ours and pymatting's run in turn in one process, so that both see the same machine. Prints, for each solver, a table:
label maps of 1, 2, 5, 10 and 20 regions and a trimap; medians in milliseconds with their quartiles; and the median of
the ratios, pymatting's time over ours of the same repeat, with its quartiles. Regions are drawn with a fixed seed among
the pure ones, foreground and background in turn, each map the one before and one region more.

    python benchmarks/solver_speed.py --solver shared closed-form --images 3 --repeats 3 --json speed.json
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from tqdm import tqdm

from active_matting import make_solver
from active_matting.solvers import PreparedSolver
from active_matting.types import Alpha, Image, Label, LabelMap

COUNTS = (1, 2, 5, 10, 20)
CANDIDATES = (2, 16, 400)
PYMATTING = {
    "shared": "sm",
    "closed-form": "cf",
    "knn": "knn",
    "lbdm": "lbdm",
    "lkm": "lkm",
    "random-walk": "rw",
}
"""Whose `estimate_alpha_*` a solver is compared with."""

Times = dict[str, list[float]]
"""Seconds by what was timed, one of each repeat."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--solver", nargs="+", default=["shared", "closed-form"], help="names (shared closed-form)")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/alphamatting"), help="images/, alphas/, ...")
    parser.add_argument("--images", type=int, default=3, help="how many, the first by name (3)")
    parser.add_argument("--side", type=int, default=400, help="images are resized to side × side pixels (400)")
    parser.add_argument("--repeats", type=int, default=5, help="of each, per image (5)")
    parser.add_argument(
        "--candidates", type=int, nargs="*", default=CANDIDATES, help="label maps of one call (2 16 400)"
    )
    parser.add_argument("--json", type=Path, help="write all single times there")
    given = parser.parse_args()
    paths = sorted((given.data / "images").iterdir())[: given.images]
    if not paths:
        raise SystemExit(f"no images in {given.data / 'images'}")
    scenes = [_read(given.data, path, given.side) for path in paths]
    everything = {}
    for name in given.solver:
        times: Times = {}
        for scene in tqdm(scenes, desc=name, unit="image"):
            _measure(name, *scene, given.repeats, given.candidates, times)
        print(f"\n### {name}, {len(scenes)} images of {given.side}×{given.side}, {given.repeats} repeats\n")
        print(_table(times, given.candidates))
        everything[name] = times
    if given.json:
        given.json.write_text(json.dumps(everything, indent=1))


def _read(folder: Path, path: Path, side: int) -> tuple[Image, Alpha, LabelMap]:
    """Image, alpha and the trimap as labels, resized."""

    def read(place: str, mode: str, how: PillowImage.Resampling) -> NDArray[np.float32]:
        with PillowImage.open(folder / place / path.name) as file:
            return np.asarray(file.convert(mode).resize((side, side), how), dtype=np.float32) / np.float32(255)

    image, alpha = read("images", "RGB", PillowImage.Resampling.BOX), read("alphas", "L", PillowImage.Resampling.BOX)
    trimap = read("trimaps/Trimap1", "L", PillowImage.Resampling.NEAREST)
    return image, alpha, (trimap == 1).astype(np.int8) - (trimap == 0).astype(np.int8)


def growing_label_maps(alpha: Alpha, count: int, seed: int = 0) -> list[LabelMap]:
    """Label maps of 0, 1, ..., `count` pure regions, a twentieth of the side wide, of either kind in turn."""
    side = max(1, alpha.shape[0] // 20)
    windows = np.lib.stride_tricks.sliding_window_view(alpha, (side, side))
    is_pure = (windows >= 0.98).all((2, 3)), (windows <= 0.02).all((2, 3))
    corners = [np.argwhere(pure) for pure in is_pure]
    if not all(map(len, corners)):
        raise SystemExit(f"an image has no pure region of {side}×{side} pixels of one kind")
    rng = np.random.default_rng(seed)
    label_maps = [np.zeros(alpha.shape, dtype=np.int8)]
    for k in range(count):
        y, x = corners[k % 2][rng.integers(len(corners[k % 2]))]
        label_maps.append(label_maps[-1].copy())
        label_maps[-1][y : y + side, x : x + side] = Label.BACKGROUND if k % 2 else Label.FOREGROUND
    return label_maps


def _measure(
    name: str,
    image: Image,
    alpha: Alpha,
    trimap: LabelMap,
    repeats: int,
    candidates: Sequence[int],
    times: Times,
) -> None:
    """Time ours and pymatting's in turn, after one round that is not counted, as kernels are compiled in it."""
    label_maps = growing_label_maps(alpha, max(COUNTS) + 1)
    by_name = {f"{k} regions": label_maps[k] for k in COUNTS} | {"trimap": trimap}
    theirs = _pymatting(name)
    exact = image.astype(np.float64)
    solver = make_solver(name)
    prepared = solver.prepare(image)
    prepared.solve(label_maps[2])
    prepared.solve_many(np.stack(label_maps[2:4]))
    theirs(exact, _as_trimap(trimap))
    for _ in range(repeats):
        _time(times, "prepare", partial(solver.prepare, image))
        for what, label_map in by_name.items():
            fresh = solver.prepare(image)
            _time(times, f"solve, {what}", partial(fresh.solve, label_map))
            _time(times, f"pymatting, {what}", partial(theirs, exact, _as_trimap(label_map)))
        _time_next_solves(times, solver.prepare(image), label_maps)
    for n in candidates:
        many = _candidates(label_maps[10], n)
        for _ in range(repeats if n <= 16 else 1):
            _time(times, f"solve_many of {n}", partial(prepared.solve_many, many), share=n)


def _time_next_solves(times: Times, prepared: PreparedSolver, label_maps: list[LabelMap]) -> None:
    """An episode: one region more each time, the last matte passed on."""
    matte = None
    for k, label_map in enumerate(label_maps):
        began = time.perf_counter()
        matte = prepared.solve(label_map, previous=matte)
        took = time.perf_counter() - began
        if k - 1 in COUNTS:
            times.setdefault(f"next, {k - 1} regions", []).append(took)


def _candidates(label_map: LabelMap, count: int) -> NDArray[np.int8]:
    """One more region each, over a grid of twenty rows, as an exhaustive search tries them."""
    side = max(1, label_map.shape[0] // 20)
    many = np.repeat(label_map[None], count, axis=0)
    for i, place in enumerate(np.linspace(0, 399, count).astype(int)):
        y, x = place // 20 * side, place % 20 * side
        many[i, y : y + side, x : x + side] = Label.FOREGROUND if i % 2 else Label.BACKGROUND
    return many


def _pymatting(name: str) -> Callable[[NDArray[np.float64], NDArray[np.float64]], Any]:
    import pymatting

    estimate: Callable[..., Any] = getattr(pymatting, f"estimate_alpha_{PYMATTING[name]}")

    def estimate_quietly(image: NDArray[np.float64], trimap: NDArray[np.float64]) -> Any:
        with redirect_stdout(StringIO()):  # its factorisation prints each shift that it gives up
            return estimate(image, trimap)

    return estimate_quietly


def _as_trimap(label_map: LabelMap) -> NDArray[np.float64]:
    return np.where(label_map == Label.FOREGROUND, 1.0, np.where(label_map == Label.BACKGROUND, 0.0, 0.5))


def _time(times: Times, what: str, call: Callable[[], Any], share: int = 1) -> None:
    """Of a call that raises, as pymatting's do without foreground or background, no time is kept."""
    began = time.perf_counter()
    try:
        call()
    except Exception:
        if not what.startswith("pymatting"):
            raise
        return
    times.setdefault(what, []).append((time.perf_counter() - began) / share)


def _table(times: Times, candidates: Sequence[int]) -> str:
    lines = [
        "| labels | ours, from scratch | one region more | pymatting | times faster from scratch | one region more |",
        "|---|---|---|---|---|---|",
    ]
    for labels in [f"{k} regions" for k in COUNTS] + ["trimap"]:
        ours, following = times[f"solve, {labels}"], times.get(f"next, {labels}")
        theirs = times.get(f"pymatting, {labels}")
        cells = [labels, _spread(ours, 1e3)]
        cells += [_spread(following, 1e3) if following else "–"]
        cells += [_spread(theirs, 1e3) if theirs else "raises"]
        for mine in (ours, following):
            if theirs and mine and len(theirs) == len(mine) and labels != "1 regions":
                cells.append(_spread(np.divide(theirs, mine), 1))
            else:
                cells.append("–")
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", f"Milliseconds, median (quartiles). prepare: {_spread(times['prepare'], 1e3)}."]
    for n in candidates:
        lines.append(f"solve_many of {n}, each: {_spread(times[f'solve_many of {n}'], 1e3)}.")
    lines.append("With one region only one class is labelled: ours answers 0.5 at once, and nothing is compared.")
    return "\n".join(lines)


def _spread(values: Any, unit: float) -> str:
    low, middle, high = np.percentile(np.asarray(values) * unit, [25, 50, 75])
    return f"{middle:.3g} ({low:.3g}–{high:.3g})"


if __name__ == "__main__":
    main()
