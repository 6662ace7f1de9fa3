"""Fit the perceptrons of `active_matting.segmenters`: what is foreground, and where the unknown band lies.

python -m active_matting.training.segmentation --mattes photo-mattes --backgrounds backgrounds --output out

Each round a simulated user answers regions where the present perceptrons are most wrong, on pictures drawn at random;
what the perceptrons saw and the truth are kept; then both are fitted anew to all that was kept. So they learn from the
label maps that their own mistakes lead to.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from active_matting.annotators import ExactAnnotator
from active_matting.data.folder import Cutouts, Folder
from active_matting.errors import ActiveMattingError, InvalidArgumentError
from active_matting.files import write_json
from active_matting.labels import RegionAnswer, record
from active_matting.metrics import rmse
from active_matting.regions import Region
from active_matting.robots import is_askable, most_wrong_region
from active_matting.segmenters import band, cues
from active_matting.segmenters.base import resize_image, resize_labels, resize_plane
from active_matting.segmenters.perceptron import Perceptron, write_perceptron
from active_matting.training.pictures import Picture, Pictures, background_files
from active_matting.types import Alpha, Label, LabelMap

REGION_SIDE = 20  # on pictures of 400 × 400
_SMALL, _LARGE = (cues.SIDE, cues.SIDE), (band.SIDE, band.SIDE)

Matrix = NDArray[np.float32]


@dataclass
class Examples:
    """What a perceptron is fitted to: features (inputs, n) and targets (outputs, n), in pieces."""

    features: list[Matrix] = field(default_factory=list)
    targets: list[Matrix] = field(default_factory=list)

    def add(self, features: Matrix, targets: Matrix, where: NDArray[np.int64]) -> None:
        """Keep the pixels `where`, flat indices, of planes (inputs, h, w) and (outputs, h, w)."""
        self.features.append(features.reshape(len(features), -1)[:, where])
        self.targets.append(targets.reshape(len(targets), -1)[:, where])


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
    eyes, truth = Eyes(picture, segmenter, edge), picture.alpha
    targets = _targets(truth)
    annotator = ExactAnnotator(truth)
    label_map, believed = np.zeros(truth.shape, dtype=np.int8), np.full(truth.shape, 0.5, dtype=np.float32)
    last = int(rng.integers(6, 21))
    moments = set(rng.choice(np.arange(2, last + 1), 4, replace=False).tolist())
    errors = {}
    for number in range(1, last + 1):
        is_random = rng.random() < (0.4 if number <= 2 else 0.1)
        if is_random:
            region = _random_region(truth, label_map, number, rng)
        else:
            region = most_wrong_region(truth, believed, label_map, REGION_SIDE)
        label_map = record(label_map, RegionAnswer(region, annotator.answer(region)))
        if not ((label_map == Label.FOREGROUND).any() and (label_map == Label.BACKGROUND).any()):
            continue
        seen, edge_seen, believed = eyes.look(label_map)
        errors[number] = rmse(believed, truth)
        if number in moments:
            untold = np.flatnonzero(resize_labels(label_map, _SMALL) == Label.UNLABELLED)
            kept[0].add(seen, targets[0], rng.choice(untold, 250))
            if picture.is_soft:
                kept[1].add(edge_seen, targets[1], _near_edges(edge_seen, label_map, rng))
    return errors


def _targets(truth: Alpha) -> tuple[Matrix, Matrix]:
    """The small alpha (1, h, w); and the larger, and whether all of a pixel and its rim is foreground, background."""
    alpha = resize_image(truth, _LARGE)
    factor = truth.shape[0] // band.SIDE
    window, anchor = np.ones((factor + 2, factor + 2), dtype=np.uint8), (1, 1)
    lowest, highest = (extreme(truth, window, anchor=anchor)[::factor, ::factor] for extreme in (cv2.erode, cv2.dilate))
    return resize_image(truth, _SMALL)[None], np.stack([alpha, lowest > 0.95, highest < 0.05]).astype(np.float32)


def _random_region(truth: Alpha, label_map: LabelMap, number: int, rng: np.random.Generator) -> Region:
    wants_foreground = number == 1 or (number > 2 and rng.random() < 0.5)
    askable = is_askable(truth, label_map, REGION_SIDE)
    wanted = askable & ((truth >= 0.5) == wants_foreground)
    y, x = np.nonzero(wanted if wanted.any() else askable)
    chosen = int(rng.integers(len(y)))
    return Region(int(y[chosen]), int(x[chosen]), REGION_SIDE)


def _near_edges(edge_seen: Matrix, label_map: LabelMap, rng: np.random.Generator) -> NDArray[np.int64]:
    """Untold pixels, half of them anywhere and half where the segmentation is in doubt or near its edge."""
    untold = (resize_labels(label_map, _LARGE) == Label.UNLABELLED).ravel()
    highest, lowest = (edge_seen[band.FEATURES.index(f"{what}-of-7")].ravel() for what in ("highest", "lowest"))
    near = untold & (highest > -0.4) & (lowest < 0.4)
    anywhere = rng.choice(np.flatnonzero(untold), 350)
    return np.concatenate([anywhere, rng.choice(np.flatnonzero(near if near.any() else untold), 350)])


def fit(examples: Examples, hidden: Sequence[int], passes: int, seed: int) -> Perceptron:
    """A perceptron fitted by AdamW to the cross-entropy of all outputs, inputs standardised.

    Raises `InvalidArgumentError` without examples.
    """
    import torch
    from torch import nn

    if not examples.features:
        raise InvalidArgumentError("there is nothing to fit to: the round's pictures gave no examples; draw more")
    inputs = np.concatenate(examples.features, axis=1).T
    mean, deviation = inputs.mean(axis=0), inputs.std(axis=0) + 1e-3
    x = torch.from_numpy((inputs - mean) / deviation)
    y = torch.from_numpy(np.concatenate(examples.targets, axis=1).T.copy())
    generator = torch.Generator().manual_seed(seed)
    sizes = [x.shape[1], *hidden, y.shape[1]]
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layer = nn.Linear(before, after)
        with torch.no_grad():
            layer.weight.normal_(0, (2 / before) ** 0.5, generator=generator)
            layer.bias.zero_()
        layers += [layer, nn.ReLU()]
    network = nn.Sequential(*layers[:-1])
    batch = min(4096, len(x))
    steps = passes * (len(x) // batch)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 5e-3, total_steps=steps + 1)
    for _ in tqdm(range(steps), desc="fit", leave=False):
        rows = torch.randint(len(x), (batch,), generator=generator)
        loss = nn.functional.binary_cross_entropy_with_logits(network(x[rows]), y[rows])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    weights = [layer.weight.detach().numpy() for layer in linear]
    biases = [layer.bias.detach().numpy() for layer in linear]
    first = weights[0] / deviation
    return Perceptron((first, *weights[1:]), (biases[0] - first @ mean, *biases[1:]))


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
            if not all(_has_region(picture.alpha, wanted) for wanted in (Label.FOREGROUND, Label.BACKGROUND)):
                continue
            errors = collect(picture, segmenter, edge, kept, rng)
            for number, values in found.items():
                if number in errors:
                    values.append(errors[number])
            progress.update()
    return {str(number): round(float(np.mean(values)), 4) for number, values in found.items() if values}


def _has_region(truth: Alpha, label: Label) -> bool:
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
