"""Tiny networks with random weights, in folders as `active_matting.models.weights` reads them."""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import torch

from active_matting import make_solver
from active_matting.models import make_network
from active_matting.models.weights import write_network
from active_matting.solvers.network.prepared import PreparedNetwork
from active_matting.testing import made_up_image

NETWORK_SOLVERS = {"fba": "fba", "imatting": "imatting", "interactive-segmentation": "two-stream"}
"""The solvers that ask a network, and which."""

TINY: dict[str, Any] = {"width": 8, "depths": [1, 1, 1, 1]}


@cache
def _root() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="active-matting-networks-", ignore_cleanup_errors=True)


@cache
def tiny_weights(name: str) -> str:
    """The folder of the network called `name`; the same in all of a process."""
    folder = Path(_root().name) / name
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = make_network(name, **TINY)
        for parameter in network.parameters():  # so that what is untrained is far from even
            parameter.data += 0.05 * torch.randn_like(parameter)
    write_network(folder, network, name, TINY)
    return str(folder)


def tiny_arguments(solver: str) -> dict[str, Any]:
    """What `make_solver` is told to ask a tiny network, if it asks any."""
    return {"weights": tiny_weights(NETWORK_SOLVERS[solver])} if solver in NETWORK_SOLVERS else {}


def tiny_solver(name: str, **kwargs: Any) -> Any:
    return make_solver(name, **tiny_arguments(name), **kwargs)


def prepare(name: str, shape: tuple[int, int], **kwargs: Any) -> PreparedNetwork:
    prepared = tiny_solver(name, **kwargs).prepare(made_up_image(shape)[0])
    assert isinstance(prepared, PreparedNetwork)
    return prepared
