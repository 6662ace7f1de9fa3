"""Can one more answer spoil a good matte?

The robot that knows the truth and asks where the matte is most wrong (`active_matting.robots`) answers regions of
20 × 20 on pictures of 400 × 400. An answer to a good matte, one of RMSE below 0.1, spoils it when it raises the RMSE by
more than 0.05. Columns: mean RMSE after 2, 5, 10 and 20 answers; answers to good mattes; how many of them spoil; the
worst rise; and the mean of all rises, answers that help counted as none.

    python benchmarks/solver_stability.py --solver segment-then-matte shared --data ../shared/data --pictures 100
    python benchmarks/solver_stability.py --solver segment-then-matte --folder ../shared/data/alphamatting

With `--data`, pictures are drawn, as for the fitting of `segment-then-matte`, from those that are kept out of it: what
to choose by. With `--folder`, all pictures of one folder of images/ and alphas/. The RMSE after each answer is written
to a CSV, a row per picture, as it comes, and a run that was interrupted goes on from there.
"""

import argparse
import csv
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from active_matting.annotators import ExactAnnotator
from active_matting.data.folder import Cutouts, Folder
from active_matting.labels import RegionAnswer, record
from active_matting.metrics import rmse
from active_matting.robots import most_wrong_region
from active_matting.solvers.named import NamedSolver
from active_matting.threads import one_thread
from active_matting.training.pictures import Pictures, background_files
from active_matting.training.segmentation import has_region
from active_matting.types import Alpha, Image, Label

SIDE, REGION = 400, 20
READ_AT = (2, 5, 10, 20)
GOOD, SPOILT = 0.1, 0.05
MASKS = ("coco-objects", "horses", "scribbled-objects")
COLUMNS = (*(f"at {count}" for count in READ_AT), "answers to good mattes", "spoil", "worst rise", "mean rise")


def main() -> None:
    """Measure what the CSV does not have yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--solver", nargs="+", required=True, help='names, or "NAME {JSON}" with arguments')
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", help="where photo-mattes, hairballs, backgrounds and the folders of masks are")
    source.add_argument("--folder", help="images/ and alphas/")
    parser.add_argument("--pictures", type=int, default=60, help="how many are drawn (60); of a folder, at most")
    parser.add_argument("--budget", type=int, default=20, help="answers on each (20)")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument("--csv", type=Path, default=Path("results/solver_stability.csv"), help="one row per picture")
    given = parser.parse_args()
    where = given.folder or given.data
    count = min(given.pictures, len(Folder(where))) if given.folder else given.pictures
    given.csv.parent.mkdir(parents=True, exist_ok=True)
    traces = read_traces(given.csv)
    keys = [(solver, where, index) for solver in given.solver for index in range(count)]
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn"), initializer=one_thread) as pool:
        jobs = [key for key in keys if key not in traces]
        futures = {pool.submit(follow, *key, bool(given.folder), given.budget): key for key in jobs}
        for future in tqdm(as_completed(futures), total=len(futures), unit="picture"):
            traces[futures[future]] = future.result()
            append_trace(given.csv, futures[future], future.result())
    print(f"{count} pictures of {where}, {SIDE}×{SIDE}; good is below {GOOD}, spoilt by a rise above {SPOILT}\n")
    print("| solver | " + " | ".join(COLUMNS) + " |\n|" + "---|" * (len(COLUMNS) + 1))
    for solver in given.solver:
        found = [traces[key] for key in keys if key[0] == solver]
        print(f"| {solver} | " + " | ".join(summary(np.array(found))) + " |")


def follow(solver: str, where: str, index: int, is_folder: bool, budget: int) -> list[float]:
    """RMSE after each answer of the robot."""
    image, truth = (picture_of if is_folder else drawn)(where, index)
    prepared = NamedSolver.read(solver).make().prepare(image)
    annotator, matte, errors = ExactAnnotator(truth), None, []
    label_map, believed = np.zeros(truth.shape, dtype=np.int8), np.full(truth.shape, 0.5, dtype=np.float32)
    for _ in range(budget):
        region = most_wrong_region(truth, believed, label_map, REGION)
        label = annotator.answer(region)
        if label != Label.TRANSITION:
            label_map = record(label_map, RegionAnswer(region, label))
            matte = prepared.solve(label_map, matte)
            believed = matte.alpha
        errors.append(rmse(believed, truth))
    return errors


def picture_of(folder: str, index: int) -> tuple[Image, Alpha]:
    """Image and alpha, resized."""
    sample = Folder(folder)[index]
    image, alpha = (cv2.resize(a, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for a in (sample.image, sample.alpha))
    return np.clip(image, 0, 1), np.clip(alpha, 0, 1)


def drawn(data: str, index: int) -> tuple[Image, Alpha]:
    """The picture of this number, one that has a region of either kind."""
    rng = np.random.default_rng([1, index])
    while True:
        picture = kept_out(data).draw(rng)
        if all(has_region(picture.alpha, label) for label in (Label.FOREGROUND, Label.BACKGROUND)):
            return picture.image, picture.alpha


@cache
def kept_out(data: str) -> Pictures:
    """The pictures that the fitting never sees."""
    root = Path(data)
    masks = [Folder(str(root / name)) for name in MASKS]
    backgrounds = background_files([str(root / "backgrounds")])
    mattes, cutouts = [Folder(str(root / "photo-mattes"))], [Cutouts(str(root / "hairballs"))]
    return Pictures(mattes, masks, cutouts, backgrounds, side=SIDE, held_out=True)


def summary(errors: NDArray[np.float64]) -> list[str]:
    """A cell for each of `COLUMNS`, from the RMSE (pictures, answers)."""
    before, after = errors[:, 1:-1], errors[:, 2:]  # until the second answer one class is missing
    rises = (after - before)[before < GOOD]
    cells = [f"{errors[:, count - 1].mean():.3f}" if count <= errors.shape[1] else "–" for count in READ_AT]
    if not len(rises):
        return [*cells, "0", "–", "–", "–"]
    spoil = int((rises > SPOILT).sum())
    worst, mean = max(0, rises.max()), np.maximum(rises, 0).mean()
    return [*cells, str(len(rises)), f"{spoil} ({spoil / len(rises):.1%})", f"{worst:.3f}", f"{mean:.4f}"]


def read_traces(path: Path) -> dict[tuple[str, str, int], list[float]]:
    """What the CSV has: RMSE by answer, of solver, source and picture."""
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {(row[0], row[1], int(row[2])): [float(value) for value in row[3:]] for row in csv.reader(file)}


def append_trace(path: Path, key: tuple[str, str, int], errors: list[float]) -> None:
    """Add a row."""
    with path.open("a", newline="") as file:
        csv.writer(file).writerow([*key, *(f"{error:.5f}" for error in errors)])


if __name__ == "__main__":
    main()
