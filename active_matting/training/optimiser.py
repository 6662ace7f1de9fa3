"""The optimiser: which parameters decay how much, and one careful step."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from active_matting.errors import InvalidArgumentError


@dataclass(frozen=True)
class OptimiserSettings:
    """RAdam (Liu et al. 2020) as the thesis has it, or AdamW; the defaults are those of thesis sec. 3.2.4.

    `weight_decay` is that of weights of convolutions and linear layers, `weight_decay_others` that of all normalisation
    parameters and biases; decay is decoupled from the gradients, as in RAdam's own code. Gradients longer than
    `gradient_norm` are shortened to it, 0 leaves them. Raises `InvalidArgumentError`.
    """

    name: Literal["radam", "adamw"] = "radam"
    learning_rate: float = 1e-5
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    weight_decay: float = 0.005
    weight_decay_others: float = 1e-5
    gradient_norm: float = 0.0

    def __post_init__(self) -> None:
        for name in ("learning_rate", "epsilon"):
            if getattr(self, name) <= 0:
                raise InvalidArgumentError(f"{name} must be positive, got {getattr(self, name)}")
        for name in ("weight_decay", "weight_decay_others", "gradient_norm"):
            if getattr(self, name) < 0:
                raise InvalidArgumentError(f"{name} must not be negative, got {getattr(self, name)}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise InvalidArgumentError(f"betas must be from 0 to below 1, got {self.betas}")

    def make(self, network: nn.Module) -> torch.optim.Optimizer:
        """The optimiser of the network's parameters that require gradients."""
        weights, others = split_parameters(network)
        groups: list[dict[str, Any]] = [
            {"params": weights, "weight_decay": self.weight_decay},
            {"params": others, "weight_decay": self.weight_decay_others},
        ]
        groups = [group for group in groups if group["params"]]
        if not groups:
            raise InvalidArgumentError(f"{type(network).__name__} has no parameters to learn")
        if self.name == "adamw":
            return torch.optim.AdamW(groups, lr=self.learning_rate, betas=self.betas, eps=self.epsilon)
        return torch.optim.RAdam(
            groups, lr=self.learning_rate, betas=self.betas, eps=self.epsilon, decoupled_weight_decay=True
        )


def split_parameters(network: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Weights; and biases and all that normalisation layers have. Each parameter once, in the network's order."""
    weights: dict[nn.Parameter, None] = {}
    others: dict[nn.Parameter, None] = {}
    for module in network.modules():
        is_normalisation = "Norm" in type(module).__name__  # torch's own have no common ancestor
        for parameter in module.parameters(recurse=False):
            if parameter.requires_grad:
                (others if is_normalisation or parameter.ndim < 2 else weights)[parameter] = None
    return list(weights), [parameter for parameter in others if parameter not in weights]


def step(optimiser: torch.optim.Optimizer, gradient_norm: float) -> float:
    """Update along the gradients, shortened to `gradient_norm` (0: as they are), and clear them; returns their length.

    Where it is not finite nothing is updated.
    """
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    length = float(nn.utils.clip_grad_norm_(parameters, gradient_norm or float("inf")))
    if length < float("inf"):  # false for NaN
        optimiser.step()
    optimiser.zero_grad()
    return length
