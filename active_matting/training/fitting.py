"""Fit a perceptron to pixels before and after one more answer, so that it gains by answers and keeps what it had."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from active_matting.errors import InvalidArgumentError
from active_matting.segmenters.perceptron import Perceptron

if TYPE_CHECKING:
    import torch
    from torch import nn

Matrix = NDArray[np.float32]

STEADINESS = 3.0
"""What a unit of loss that one more answer adds at a pixel costs beside a unit of loss."""


@dataclass
class Examples:
    """What to fit to: features (inputs, n) before and after one more answer, targets (outputs, n); in pieces."""

    before: list[Matrix] = field(default_factory=list)
    after: list[Matrix] = field(default_factory=list)
    targets: list[Matrix] = field(default_factory=list)

    def add(self, before: Matrix, after: Matrix, targets: Matrix, where: NDArray[np.int64]) -> None:
        """Keep the pixels `where`, flat indices, of planes (inputs, h, w) twice and (outputs, h, w)."""
        for pieces, planes in ((self.before, before), (self.after, after), (self.targets, targets)):
            pieces.append(planes.reshape(len(planes), -1)[:, where])


def _layers(sizes: Sequence[int], generator: "torch.Generator") -> "list[nn.Module]":
    from torch import nn

    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layer = nn.Linear(inputs, outputs)
        nn.init.normal_(layer.weight, 0, (2 / inputs) ** 0.5, generator=generator)
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.ReLU()]
    return layers


def fit(
    examples: Examples, hidden: Sequence[int], passes: int, seed: int, steadiness: float = STEADINESS
) -> Perceptron:
    """A perceptron fitted by AdamW to the cross-entropy of all outputs, inputs standardised.

    To the mean over both moments is added `steadiness` times what the answer between them, which is true, adds to the
    loss where it adds: the moment before is held fixed there, so that doing worse before is no way to lower it. Raises
    `InvalidArgumentError` without examples.
    """
    import torch
    from torch import nn

    if not examples.targets:
        raise InvalidArgumentError("there is nothing to fit to: the round's pictures gave no examples; draw more")
    inputs = np.concatenate(examples.before, axis=1).T
    mean, deviation = inputs.mean(axis=0), inputs.std(axis=0) + 1e-3
    before = torch.from_numpy((inputs - mean) / deviation)
    after = torch.from_numpy((np.concatenate(examples.after, axis=1).T - mean) / deviation)
    targets = torch.from_numpy(np.concatenate(examples.targets, axis=1).T.copy())
    generator = torch.Generator().manual_seed(seed)
    layers = _layers([before.shape[1], *hidden, targets.shape[1]], generator)
    network = nn.Sequential(*layers[:-1])
    batch = min(4096, len(before))
    steps = passes * (len(before) // batch)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 5e-3, total_steps=steps + 1)
    for _ in tqdm(range(steps), desc="fit", leave=False):
        rows = torch.randint(len(before), (batch,), generator=generator)
        earlier, later = (
            nn.functional.binary_cross_entropy_with_logits(network(x[rows]), targets[rows], reduction="none")
            for x in (before, after)
        )
        added = torch.relu(later - earlier.detach())
        loss = (earlier + later).mean() / 2 + steadiness * added.mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    weights = [layer.weight.detach().numpy() for layer in linear]
    biases = [layer.bias.detach().numpy() for layer in linear]
    first = weights[0] / deviation
    return Perceptron((first, *weights[1:]), (biases[0] - first @ mean, *biases[1:]))
