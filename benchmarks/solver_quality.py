"""How good is each solver's matte, from a trimap, from many regions, and from a few?

On photographs with true alphas, resized to 400 × 400, with regions of 20 × 20. Columns: RMSE over the whole image from
both trimaps; from every pure region of the grid ("all pure"); from the same 20 random pure regions, ten of each kind,
for every solver; and after 1, 2, 5, 10 and 20 regions placed by the robot that knows the truth and asks where the matte
is most wrong (`active_matting.robots`). Means over images with 95 % bootstrap intervals. Rows of single images are
written to a CSV as they come, and a run that was interrupted goes on from there.

    python benchmarks/solver_quality.py --solver shared closed-form segment-then-matte --csv quality.csv
"""

import argparse
import csv
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from active_matting.agents.intervals import bootstrap_interval
from active_matting.annotators import ExactAnnotator
from active_matting.data.folder import Folder
from active_matting.labels import RegionAnswer, from_trimap, record
from active_matting.metrics import rmse
from active_matting.regions import Region, region_grid
from active_matting.robots import is_askable, most_wrong_region
from active_matting.solvers import PreparedSolver
from active_matting.solvers.named import NamedSolver
from active_matting.threads import one_thread
from active_matting.types import Alpha, Label, LabelMap

SIDE, REGION = 400, 20
READ_AT = (1, 2, 5, 10, 20)
COLUMNS = ("Trimap1", "Trimap2", "all pure", "random 20", *(f"robot {count}" for count in READ_AT))


def main() -> None:
    """Measure what the CSV does not have yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--solver", nargs="+", required=True, help='names, or "NAME {JSON}" with arguments')
    parser.add_argument("--data", default="../shared/data/alphamatting", help="images/, alphas/, trimaps/")
    parser.add_argument("--images", type=int, help="how many, the first by name (all)")
    parser.add_argument("--budget", type=int, default=20, help="regions the robot may ask; 0 leaves it out (20)")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument("--csv", type=Path, default=Path("results/solver_quality.csv"), help="one row per image")
    given = parser.parse_args()
    count = given.images or len(Folder(given.data))
    given.csv.parent.mkdir(parents=True, exist_ok=True)
    rows = read_rows(given.csv)
    jobs = [(solver, index) for solver in given.solver for index in range(count) if (solver, index) not in rows]
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn"), initializer=one_thread) as pool:
        futures = {pool.submit(measure, given.data, *job, given.budget): job for job in jobs}
        for future in tqdm(as_completed(futures), total=len(futures), unit="image"):
            rows[futures[future]] = future.result()
            append_row(given.csv, *futures[future], rows[futures[future]])
    print(f"{count} images of {given.data}, {SIDE}×{SIDE}, RMSE [95 % over images]\n")
    print("| solver | " + " | ".join(COLUMNS) + " |\n|" + "---|" * (len(COLUMNS) + 1))
    for solver in given.solver:
        print(f"| {solver} | " + " | ".join(cell(rows, solver, column, count) for column in COLUMNS) + " |")


def measure(data: str, solver: str, index: int, budget: int) -> dict[str, float]:
    """RMSE by column, of one solver on one image."""
    image, alpha, trimaps = read(data, index)
    prepared = NamedSolver.read(solver).make().prepare(image)
    found = {which: rmse(prepared.solve(labels).alpha, alpha) for which, labels in trimaps.items()}
    regions = region_grid(REGION, alpha.shape)
    found["all pure"] = rmse(prepared.solve(answered(regions, alpha)).alpha, alpha)
    found["random 20"] = rmse(prepared.solve(answered(random_regions(alpha, index), alpha)).alpha, alpha)
    return found | follow_robot(prepared, alpha, budget)


def read(data: str, index: int) -> tuple[Any, Alpha, dict[str, LabelMap]]:
    """Image, alpha and both trimaps as labels, resized."""
    samples = {which: Folder(data, trimaps=f"trimaps/{which}")[index] for which in ("Trimap1", "Trimap2")}
    sample = samples["Trimap1"]
    image, alpha = (cv2.resize(a, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for a in (sample.image, sample.alpha))
    trimaps = {
        which: from_trimap(cv2.resize(sample.trimap, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST))
        for which, sample in samples.items()
        if sample.trimap is not None
    }
    return np.clip(image, 0, 1), np.clip(alpha, 0, 1), trimaps


def answered(regions: list[Region], alpha: Alpha) -> LabelMap:
    """The label map of the exact answers; transitions change nothing."""
    annotator, label_map = ExactAnnotator(alpha), np.zeros(alpha.shape, dtype=np.int8)
    for region in regions:
        label_map = record(label_map, RegionAnswer(region, annotator.answer(region)))
    return label_map


def random_regions(alpha: Alpha, index: int) -> list[Region]:
    """Ten pure regions of either kind, drawn by the image's number."""
    rng = np.random.default_rng(index)
    askable = is_askable(alpha, np.zeros(alpha.shape, dtype=np.int8), REGION)
    drawn = []
    for is_wanted in (alpha >= ExactAnnotator.foreground, alpha <= ExactAnnotator.background):
        y, x = np.nonzero(askable & is_wanted)
        drawn += [Region(int(y[i]), int(x[i]), REGION) for i in rng.integers(len(y), size=10)]
    return drawn


def follow_robot(prepared: PreparedSolver, alpha: Alpha, budget: int) -> dict[str, float]:
    """RMSE after the numbers of answers in `READ_AT`."""
    annotator = ExactAnnotator(alpha)
    label_map, matte, found = np.zeros(alpha.shape, dtype=np.int8), None, {}
    believed = np.full(alpha.shape, 0.5, dtype=np.float32)
    for asked in range(1, budget + 1):
        region = most_wrong_region(alpha, believed, label_map, REGION)
        label = annotator.answer(region)
        if label != Label.TRANSITION:
            label_map = record(label_map, RegionAnswer(region, label))
            matte = prepared.solve(label_map, matte)
            believed = matte.alpha
        if asked in READ_AT:
            found[f"robot {asked}"] = rmse(believed, alpha)
    return found


def read_rows(path: Path) -> dict[tuple[str, int], dict[str, float]]:
    """What the CSV has, by solver and image."""
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {
            (row["solver"], int(row["image"])): {name: float(row[name]) for name in COLUMNS if row[name]}
            for row in csv.DictReader(file)
        }


def append_row(path: Path, solver: str, image: int, found: dict[str, float]) -> None:
    """Add a row, and the header before the first."""
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, ["solver", "image", *COLUMNS])
        if is_new:
            writer.writeheader()
        writer.writerow({"solver": solver, "image": image} | {name: f"{value:.5f}" for name, value in found.items()})


def cell(rows: dict[tuple[str, int], dict[str, float]], solver: str, column: str, count: int) -> str:
    """Mean and interval, or a dash where there is nothing."""
    measured = [rows[solver, index] for index in range(count) if (solver, index) in rows]
    values = np.array([row[column] for row in measured if column in row])
    if not len(values):
        return "–"
    low, high = bootstrap_interval(values)
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
