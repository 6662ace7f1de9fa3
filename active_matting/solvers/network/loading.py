"""Networks ready to be asked: loaded once for all images, with their kernels standardised ahead of time."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from active_matting.models.base import Network
from active_matting.models.hints import Planes
from active_matting.models.layers import StandardisedConv2d
from active_matting.models.weights import find_weights, load_network, stamp_of

KEPT = 4
"""So many networks stay loaded."""

_PROBE = 64  # side in pixels of the picture on which memory is estimated
_SHARES = (
    4  # peak memory is at most so many times the largest layer's input and output; see benchmarks/network_speed.py
)


@dataclass(frozen=True, eq=False)
class LoadedNetwork:
    """A network that is not trained any more, on its device."""

    network: Network
    device: torch.device
    bytes_per_pixel: int
    """What running it takes at the peak, about."""

    @property
    def stride(self) -> int:
        """Of what the sides of a picture must be multiples."""
        return self.network.stride

    def hints(self, marks: Planes) -> Planes:
        """See `active_matting.models.hints.HintMaps`."""
        return self.network.hint_maps(marks)

    def predict(self, planes: Tensor, detailed: Tensor | None = None) -> Tensor:
        """Image, marks, hints and previous alpha, `(N, 12, H, W)` → alpha, and colours if known, `(N, 1 or 7, H, W)`.

        detailed: what networks are shown besides whose `detail` is above 1, see `Network`.
        """
        besides = [] if detailed is None else [detailed.contiguous()]
        prediction = self.network(*torch.split(planes.contiguous(), [3, 2, 6, 1], dim=1), *besides)
        return torch.cat([part for part in prediction if part is not None], dim=1)


def load_for_solving(weights: str | None, name: str, device: str) -> LoadedNetwork:
    """The network called `name`, see `load_network`, on "cpu", "cuda", "cuda:0", ..., or "auto".

    The same one as before as long as its files are the same. Raises `FileError`.
    """
    path = find_weights(weights, name)
    return _loaded(path, stamp_of(path), name, resolve_device(device))


def resolve_device(name: str) -> torch.device:
    """What "auto" means here, or the device of this name."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


@lru_cache(maxsize=KEPT)
def _loaded(path: Path, stamp: Any, name: str, device: torch.device) -> LoadedNetwork:
    network = load_network(path, name).eval().requires_grad_(False)
    standardise_ahead(network)
    network.to(device)
    return LoadedNetwork(network, device, bytes_per_pixel(network, device))


def standardise_ahead(network: nn.Module) -> None:
    """Replace convolutions that standardise their kernels at each call by plain ones with the same kernels."""
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, StandardisedConv2d):
                plain = nn.Conv2d(
                    layer.in_channels,
                    layer.out_channels,
                    layer.kernel_size,  # type: ignore[arg-type]
                    layer.stride,  # type: ignore[arg-type]
                    layer.padding,  # type: ignore[arg-type]
                    layer.dilation,  # type: ignore[arg-type]
                    layer.groups,
                    bias=layer.bias is not None,
                )
                plain.weight = nn.Parameter(layer.standardised_weight().detach(), requires_grad=False)
                plain.bias = layer.bias
                setattr(parent, name, plain)


@torch.inference_mode()
def bytes_per_pixel(network: Network, device: torch.device) -> int:
    """What running the network takes at the peak for each pixel, about: by its largest layer on a small picture."""
    largest = 0

    def measure(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal largest
        if isinstance(output, Tensor):
            tensors = [*(each for each in inputs if isinstance(each, Tensor)), output]
            largest = max(largest, sum(each.numel() * each.element_size() for each in tensors))

    leaves = [layer for layer in network.modules() if not list(layer.children())]
    hooks = [layer.register_forward_hook(measure) for layer in leaves]
    try:
        sides = [(3, _PROBE), (2, _PROBE), (6, _PROBE), (1, _PROBE)]
        if network.detail > 1:
            sides.append((3, network.detail * _PROBE))
        network(*(torch.zeros(1, count, side, side, device=device) for count, side in sides))
    finally:
        for hook in hooks:
            hook.remove()
    return _SHARES * largest // _PROBE**2
