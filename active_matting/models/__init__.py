"""Networks by name. To add one: a file in this folder and a line in `NETWORKS`.

All take `forward(image, marks, hints, previous)` and answer a `Prediction`; see `active_matting.models.base`.
"""

from typing import TYPE_CHECKING, Any, cast

from active_matting.registry import Registry

if TYPE_CHECKING:
    from active_matting.models.base import Network

NETWORKS = Registry(
    kind="network",
    group="active_matting.networks",
    table={
        "two-stream": "active_matting.models.two_stream:TwoStream",
        "fba": "active_matting.models.fba:FBA",
        "imatting": "active_matting.models.imatting:make_imatting",
    },
)

PARTS = Registry(
    kind="network",
    group="active_matting.parts",
    table={"band": "active_matting.models.band:BandNetwork"},
)
"""Networks that do a part of a solver's work and are fed by it; recipes name them as they do the others."""


def make_network(name: str, **kwargs: Any) -> "Network":
    """The network called `name`, untrained, with JSON-able arguments.

    Raises `UnknownNameError` and `InvalidArgumentError`.

    >>> make_network("imatting", width=16, depths=(1, 1, 1, 1)).stride
    8
    """
    return cast("Network", NETWORKS.make(name, **kwargs))


__all__ = ["NETWORKS", "PARTS", "make_network"]
