"""Fit the perceptrons of `active_matting.segmenters`: what is foreground, and where the unknown band lies.

python -m active_matting.training.segmentation --mattes photo-mattes --backgrounds backgrounds --output out

Each round a simulated user answers regions where the present perceptrons are most wrong, on pictures drawn at random;
what the perceptrons saw, before and after an answer, and the truth are kept; then both are fitted anew to all that was
kept. So they learn from the label maps that their own mistakes lead to, and that one more answer is to spoil nothing.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from active_matting.data.folder import Cutouts, Folder
from active_matting.errors import ActiveMattingError
from active_matting.files import write_json
from active_matting.metrics import rmse
from active_matting.robots import is_askable
from active_matting.segmenters import band, cues
from active_matting.segmenters.base import resize_image, resize_labels, resize_plane
from active_matting.segmenters.perceptron import Perceptron, write_perceptron
from active_matting.training.fitting import Examples, fit
from active_matting.training.pictures import Picture, Pictures, background_files
from active_matting.training.users import SimulatedUser
from active_matting.types import Alpha, Label, LabelMap

REGION_SIDE = 20  # on pictures of 400 × 400
_SMALL, _LARGE = (cues.SIDE, cues.SIDE), (band.SIDE, band.SIDE)

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Eyes:
    """Both perceptrons looking at one picture; without them, ways over plain colour differences alone."""

    picture: Picture
    segmenter: Perceptron | None
    edge: Perceptron | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "planes", cues.CuePlanes.of(resize_image(self.picture.image, _SMALL)))
        object.__setattr__(self, "texture", band.band_planes(self.picture.image))

    planes: cues.CuePlanes = field(init=False)
    texture: tuple[Matrix, tuple[Matrix, ...]] = field(init=False)

    def look(self, label_map: LabelMap) -> tuple[Matrix, Matrix, Alpha]:
        """The cues, the band's features, and the alpha (S, S) that is believed."""
        labels = resize_labels(label_map, _SMALL)
        seen = cues.cues(self.planes, labels)
        if self.segmenter:
            small = self.segmenter(seen)[0]
        else:
            small = seen[cues.FEATURES.index("plain-verdict")] + np.float32(0.5)
        small[labels == Label.FOREGROUND], small[labels == Label.BACKGROUND] = 1, 0
        edge_seen = band.band_features(*self.texture, small, resize_labels(label_map, _LARGE))
        believed = self.edge(edge_seen)[0] if self.edge else small
        return seen, edge_seen, resize_plane(believed, label_map.shape)


def collect(
    picture: Picture,
    segmenter: Perceptron | None,
    edge: Perceptron | None,
    kept: tuple[Examples, Examples],
    rng: np.random.Generator,
) -> dict[int, float]:
    """Have a simulated user answer up to 20 regions and keep examples of some moments; RMSE by number of answers."""
    eyes, user = Eyes(picture, segmenter, edge), SimulatedUser(picture.alpha, REGION_SIDE, rng)
    targets = _targets(picture.alpha)
    believed = np.full(picture.alpha.shape, 0.5, dtype=np.float32)
    last = int(rng.integers(6, 21))
    moments = set(rng.choice(np.arange(2, last), 4, replace=False).tolist())
    errors: dict[int, float] = {}
    pending: list[tuple[Examples, Matrix, Matrix, NDArray[np.int64]]] = []  # until one more answer is seen
    for number in range(1, last + 1):
        user.answer(believed)
        label_map = user.label_map
        if not ((label_map == Label.FOREGROUND).any() and (label_map == Label.BACKGROUND).any()):
            continue
        seen, edge_seen, believed = eyes.look(label_map)
        errors[number] = rmse(believed, picture.alpha)
        for (examples, before, wanted, where), after in zip(pending, (seen, edge_seen), strict=False):
            examples.add(before, after, wanted, where)
        pending = []
        if number in moments:
            untold = np.flatnonzero(resize_labels(label_map, _SMALL) == Label.UNLABELLED)
            pending.append((kept[0], seen, targets[0], rng.choice(untold, 250)))
            if picture.is_soft:
                pending.append((kept[1], edge_seen, targets[1], _near_edges(edge_seen, label_map, rng)))
    return errors


def _targets(truth: Alpha) -> tuple[Matrix, Matrix]:
    """What the segmenter should say, the small alpha (1, h, w), and what the band should, see `band.wanted_band`."""
    return resize_image(truth, _SMALL)[None], band.wanted_band(truth, _LARGE)


def _near_edges(edge_seen: Matrix, label_map: LabelMap, rng: np.random.Generator) -> NDArray[np.int64]:
    """Untold pixels, half of them anywhere and half where the segmentation is in doubt or near its edge."""
    untold = (resize_labels(label_map, _LARGE) == Label.UNLABELLED).ravel()
    near = untold & band.is_near_edge(edge_seen).ravel()
    anywhere = rng.choice(np.flatnonzero(untold), 350)
    return np.concatenate([anywhere, rng.choice(np.flatnonzero(near if near.any() else untold), 350)])


def train(
    pictures: Pictures, held_out: Pictures, rounds: Sequence[int], output: Path, passes: int = 15, seed: int = 0
) -> None:
    """Collect and fit once for each number of pictures in `rounds`; write weights and `report.json` to `output`."""
    segmenter: Perceptron | None = None
    edge: Perceptron | None = None
    kept = Examples(), Examples()
    report = []
    for number, count in enumerate(rounds):
        rng = np.random.default_rng([seed, number])
        errors = _collect_many(pictures, count, segmenter, edge, kept, rng, f"round {number + 1} of {len(rounds)}")
        segmenter = fit(kept[0], (64, 32), passes, seed)
        edge = fit(kept[1], (64, 32), passes, seed)
        write_perceptron(output / cues.WEIGHTS.name, segmenter, cues.FEATURES)
        write_perceptron(output / band.WEIGHTS.name, edge, band.FEATURES)
        unseen, rng = (Examples(), Examples()), np.random.default_rng(seed)
        check = _collect_many(held_out, max(1, count // 5), segmenter, edge, unseen, rng, "held out")
        report.append({"pictures": count, "rmse": errors, "held_out_rmse_after": check})
        write_json(output / "report.json", report)


def _collect_many(
    pictures: Pictures,
    count: int,
    segmenter: Perceptron | None,
    edge: Perceptron | None,
    kept: tuple[Examples, Examples],
    rng: np.random.Generator,
    title: str,
) -> dict[str, float]:
    """Mean RMSE after 2, 5, 10 and 20 answers while collecting from `count` pictures."""
    found: dict[int, list[float]] = {2: [], 5: [], 10: [], 20: []}
    with tqdm(total=count, desc=title) as progress:
        while progress.n < count:
            picture = pictures.draw(rng)
            if not all(has_region(picture.alpha, wanted) for wanted in (Label.FOREGROUND, Label.BACKGROUND)):
                continue
            errors = collect(picture, segmenter, edge, kept, rng)
            for number, values in found.items():
                if number in errors:
                    values.append(errors[number])
            progress.update()
    return {str(number): round(float(np.mean(values)), 4) for number, values in found.items() if values}


def has_region(truth: Alpha, label: Label) -> bool:
    askable = is_askable(truth, np.zeros(truth.shape, dtype=np.int8), REGION_SIDE)
    return bool((askable & ((truth >= 0.98) if label == Label.FOREGROUND else (truth <= 0.02))).any())


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mattes", nargs="+", required=True, help="folders of images/ and alphas/")
    parser.add_argument("--masks", nargs="*", default=[], help="folders of images/ and masks/ with hard edges")
    parser.add_argument("--cutouts", nargs="*", default=[], help="folders of RGBA pictures")
    parser.add_argument("--backgrounds", nargs="+", required=True, help="folders of pictures")
    parser.add_argument("--rounds", nargs="+", type=int, default=[300, 400, 500], help="pictures in each round")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True, help="folder for weights and report.json")
    chosen = parser.parse_args(arguments)
    try:
        sources = (
            [Folder(path) for path in chosen.mattes],
            [Folder(path) for path in chosen.masks],
            [Cutouts(path) for path in chosen.cutouts],
            background_files(chosen.backgrounds),
        )
        train(Pictures(*sources), Pictures(*sources, held_out=True), chosen.rounds, chosen.output, seed=chosen.seed)
    except ActiveMattingError as error:
        print(error, file=sys.stderr)  # noqa: T201  (a command's last word)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
