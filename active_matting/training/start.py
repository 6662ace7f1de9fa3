"""What a training begins with: weights of the same network, or of one that sees a little less or more."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from active_matting.errors import FileError
from active_matting.models.checkpoints import load_published
from active_matting.models.decoder import start_alpha_at
from active_matting.models.fba import FBA
from active_matting.training.checkpoint import load_tensors

_FIRST, _RECOGNITION = "encoder.conv1.weight", "recognition."
_PLAIN, _MARKS = 9, 2  # the image and six hints; the masks of trimaps, which FBA's encoder sees and iMatting's does not


def begin_with(network: nn.Module, start: Path | str, name: str) -> None:
    """Put the weights of the file `start` into the network called `name`. Raises `FileError` where they do not fit.

    start: safetensors of ours, else a checkpoint as its authors published it, see `load_published`: of the two-stream
    network for itself, of FBA for itself and for iMatting, with which the thesis begins that one (sec. 5.2.2). Inputs
    that only the file's network sees are left out; those that only this one sees begin with weights of 0.
    """
    tensors = _read(Path(start), name)
    wanted = network.state_dict()
    fitted = with_inputs_of(tensors, wanted)
    try:
        network.load_state_dict(fitted)
    except RuntimeError as error:
        raise FileError(f"{start} does not fit the network {name!r}: {' '.join(str(error).split())}") from error
    if isinstance(network, FBA) and network.guess is not None and not _has_guess(tensors):
        start_alpha_at(network.decoder, 0.0)  # what was an alpha of its own would be added to the guess


def with_inputs_of(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, those of convolutions with 0 for inputs that come last and were not there, so that none is seen.

    The masks among the inputs of the encoder of FBA are left out where the encoder of `wanted` has none. What `wanted`
    has of `Recognition`, which is silent at first, stays where the tensors know nothing of it.
    """
    fitted = {name: tensor for name, tensor in wanted.items() if name.startswith(_RECOGNITION)}
    for name, tensor in tensors.items():
        like = wanted.get(name)
        if like is not None and tensor.ndim == like.ndim == 4:
            if name == _FIRST and _has_marks(tensors) and not _has_marks(wanted):
                tensor = torch.cat([tensor[:, :_PLAIN], tensor[:, _PLAIN + _MARKS :]], 1)
            if tensor.shape[1] < like.shape[1]:
                missing = tensor.new_zeros((len(tensor), like.shape[1] - tensor.shape[1], *tensor.shape[2:]))
                tensor = torch.cat([tensor, missing], 1)
        fitted[name] = tensor
    return fitted


def _read(start: Path, name: str) -> Mapping[str, Tensor]:
    if start.suffix == ".safetensors":
        return load_tensors(start)[0]
    return load_published(start, "fba" if name == "imatting" else name).state_dict()


def _has_marks(tensors: Mapping[str, Tensor]) -> bool:
    return _inputs(tensors) in (_PLAIN + _MARKS, _PLAIN + _MARKS + 1)


def _has_guess(tensors: Mapping[str, Tensor]) -> bool:
    return _inputs(tensors) in (_PLAIN + 1, _PLAIN + _MARKS + 1)


def _inputs(tensors: Mapping[str, Tensor]) -> int:
    return tensors[_FIRST].shape[1] if _FIRST in tensors else 0
