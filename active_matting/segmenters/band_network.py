"""The unknown band drawn by a network that sees each pixel's surroundings."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from active_matting.errors import FileError
from active_matting.segmenters.band import INPUTS, Judge, Texture, band_inputs
from active_matting.segmenters.base import Probability
from active_matting.segmenters.planes import Planes
from active_matting.threads import torch_threads
from active_matting.types import LabelMap

if TYPE_CHECKING:
    from active_matting.models.band import BandNetwork

SHIPPED = Path(__file__).parent / "weights" / "band-network"


@dataclass(frozen=True)
class NetworkBand:
    """Each pixel with its surroundings, by `active_matting.models.band.BandNetwork`, on the CPU.

    >>> NetworkBand().weights is None
    True
    """

    weights: str | None = None
    """A folder of `config.json` and `weights.safetensors`, as `active-matting train-network band` leaves it; None: the
    weights that come with the package."""

    def load(self) -> Judge:
        """See `Band.load`."""
        from active_matting.models.weights import stamp_of

        path = SHIPPED if self.weights is None else Path(self.weights).expanduser().absolute()
        return _NetworkJudge(self, _loaded(path, stamp_of(path)))


@dataclass(frozen=True, eq=False)
class _NetworkJudge:
    band: NetworkBand
    network: "BandNetwork"

    def __reduce__(self) -> tuple[Any, ...]:
        return NetworkBand.load, (self.band,)  # the network is its process's own

    def __call__(self, lab: Planes, texture: Texture, segmentation: Probability, labels: LabelMap) -> Planes:
        import torch

        seen = torch.from_numpy(band_inputs(lab, texture, segmentation, labels))
        with torch.inference_mode(), torch_threads():
            return np.asarray(torch.sigmoid(self.network(seen[None])[0]).numpy())


@cache
def _loaded(path: Path, stamp: object) -> "BandNetwork":
    """The network in a folder; `stamp` changes when its files do."""
    from active_matting.models.weights import read_part

    network: BandNetwork = read_part(path, "band").eval().requires_grad_(False)  # type: ignore[assignment]
    if network.inputs != len(INPUTS):
        raise FileError(f"{path} has a network for {network.inputs} inputs, the band has {len(INPUTS)}")
    return network
